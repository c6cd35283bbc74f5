"""Mutants: a change that a test notices is killed, one that none notices is shown; and the account of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protocol.words import Unavailable
from sixkit_tools.mutants import ROOT, as_json, as_text
from sixkit_tools.mutation import (
    AREAS,
    KILLED,
    STOPPED,
    SURVIVED,
    UNTESTED,
    Area,
    Choice,
    Mutant,
    Result,
    is_same,
    run,
)

CODE = """
def larger(a: int, b: int) -> int:
    return a if a > b else b


def forgotten() -> int:
    return 1


def waits() -> int:
    left = 3
    while left != 0:
        left -= 1
    return left
"""
WEAK = """
from protocol.tiny import larger, waits


def test_larger() -> None:
    assert larger(1, 2) == 2


def test_waits() -> None:
    assert waits() == 0
"""
AREA = Area(("protocol/*.py",), ("tests/test_tiny.py",), 90)


def mutants(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sixkit_tools.mutants", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "SIXKIT_LANG": "en", **environment},
        timeout=600,
        check=False,
    )


def project(folder: Path, tests: str) -> Path:
    """A project of one module with `tests`."""
    for name, text in {
        "protocol/__init__.py": "",
        "protocol/tiny.py": CODE,
        "tests/test_tiny.py": tests,
        "setup.cfg": "[tool:pytest]\naddopts = --import-mode=importlib\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    return folder


def outcomes(result: Result) -> dict[str, set[str]]:
    """By function, the outcomes of its mutants."""
    found: dict[str, set[str]] = {}
    for one, outcome in result.outcomes.items():
        found.setdefault(one.name.partition("__mutmut")[0].removeprefix("protocol.tiny.x_"), set()).add(outcome)
    return found


def quiet(done: int, of: int) -> None: ...


# --- with mutmut at work ---


@pytest.mark.night
def test_a_change_that_no_test_notices_is_shown_and_others_are_killed(tmp_path: Path) -> None:
    result = run(project(tmp_path / "of", WEAK), tmp_path / "work", AREA, Choice(), 1, quiet)
    assert outcomes(result) == {
        "larger": {KILLED, SURVIVED},
        "forgotten": {UNTESTED},
        "waits": {KILLED, STOPPED, SURVIVED},  # to count up instead of down is never done; to begin at 4 is the same
    }
    (always_b,) = [diff for _, _, diff in result.unnoticed if "(a > b) and False" in diff]
    assert always_b.splitlines()[-3:] == [
        " def larger(a: int, b: int) -> int:",
        "-    return a if a > b else b",
        "+    return a if (a > b) and False else b",
    ]
    assert not result.good


@pytest.mark.night
def test_tests_that_fail_without_a_mutant_are_told(tmp_path: Path) -> None:
    wrong = WEAK.replace("== 2", "== 1")
    with pytest.raises(Unavailable, match="assert 2 == 1"):
        run(project(tmp_path / "of", wrong), tmp_path / "work", AREA, Choice(), 1, quiet)


@pytest.mark.night
@pytest.mark.timeout(300)
def test_planted_in_the_envelope_a_change_is_killed() -> None:
    done = mutants("envelope", "--sample", "30", "--seed", "3", "--minutes", "2", "--json")
    found = json.loads(done.stdout)["envelope"]
    # Three of the 239 survive, for the reasons in docs/mutants.md; of a sample they may be more than its target allows.
    assert done.returncode == (0 if found["good"] else 1)
    assert found["run"] == 30 < found["made"]
    assert len(found["survivors"]) <= 3, found["survivors"]


# --- the account ---

ONE, OTHER = Mutant("a/b.py", "a.b.x_f__mutmut_1"), Mutant("a/b.py", "a.b.x_f__mutmut_2", "-a\n+b")
LAST = Mutant("a/c.py", "a.c.x_g__mutmut_1")
FOUND = Result(AREA, 9, {ONE: KILLED, OTHER: SURVIVED, LAST: STOPPED}, 61.0)


def test_the_account_has_each_survivor_as_a_diff_and_the_counts_of_each_file() -> None:
    assert as_text({"home": FOUND}).splitlines() == [
        "# a.b.x_f__mutmut_2: survived",
        "-a",
        "+b",
        "",
        "home: 2 of 3 killed, 66.7 % (at least 90 %), in 61 s; 9 can be made",
        "  a/b.py: killed 1, survived 1",
        "  a/c.py: stopped 1",
    ]


def test_the_account_as_json_has_the_same() -> None:
    found: dict[str, Any] = as_json({"home": FOUND})["home"]
    assert (found["killed"], found["run"], found["made"], found["good"]) == (2, 3, 9, False)
    assert found["files"] == {"a/b.py": {KILLED: 1, SURVIVED: 1}, "a/c.py": {STOPPED: 1}}
    assert found["survivors"] == [{"name": OTHER.name, "file": "a/b.py", "outcome": SURVIVED, "diff": "-a\n+b"}]


def test_an_area_is_good_from_its_target_on() -> None:
    killed = {Mutant("a", str(n)): KILLED for n in range(9)}
    assert Result(AREA, 10, killed | {ONE: SURVIVED}, 0.0).good
    assert not Result(AREA, 10, killed | {ONE: UNTESTED, OTHER: SURVIVED}, 0.0).good


def test_sql_in_other_letters_is_the_same() -> None:
    def changed(before: str, after: str) -> str:
        return f"--- a.py\n+++ a.py\n@@ -1,1 +1,1 @@\n def f() -> None:\n-    {before}\n+    {after}"

    assert is_same(changed('run("DELETE FROM events")', 'run("delete from events")'))
    assert is_same(changed('run("x", " WHERE a = ?", a)', 'run("x", " WHERE A = ?", a)'))
    assert is_same(changed('for order in ("ASC", "DESC"):', 'for order in ("asc", "DESC"):'))
    assert not is_same(changed('run("DELETE FROM events")', 'run("XXDELETE FROM eventsXX")'))
    assert not is_same(changed('run("DELETE FROM events")', "run(None)"))
    assert not is_same(changed('say("smoke", "DELETE FROM a")', 'say("SMOKE", "DELETE FROM a")'))


@pytest.mark.parametrize("name", AREAS)
def test_an_area_has_files_and_tests(name: str) -> None:
    assert all((ROOT / test.partition("::")[0]).is_file() for test in AREAS[name].tests)
    assert all(list(ROOT.glob(pattern)) for pattern in AREAS[name].files)


@pytest.mark.parametrize(("arguments", "said"), [(["nowhere"], "nowhere"), (["home", "--sample", "0"], "--sample")])
def test_wrong_usage_exits_2(arguments: list[str], said: str) -> None:
    done = mutants(*arguments)
    assert (done.returncode, said in done.stderr) == (2, True)


def test_without_mutmut_it_says_so_and_exits_3(tmp_path: Path) -> None:
    (tmp_path / "mutmut.py").write_text("raise ModuleNotFoundError(name='mutmut')")
    done = mutants("envelope", PYTHONPATH=str(tmp_path))
    assert done.returncode == 3
    assert "pip install 'sixkit[dev]'" in done.stderr
