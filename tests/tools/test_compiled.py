"""The compiled copy: made once for each version of the code, found first by every process, and exact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from protocol.words import Unavailable
from sixkit_tools import bench_sim, cli
from sixkit_tools import compiled as tool
from sixkit_tools.compiled import KEPT_MAX, MODULES, PACKAGES, ROOT, WORK, compiled, environment, fingerprint

SEEDS = range(3)
A_WHILE = 0.3  # days
# What a run came to: its hash, its steps, and the rows of the transition tables that it reached.
RUN = """
import json, sys
from sim.compiled import COMPILED
from sim.world.plan import draw
from sim.world.run import run
for seed in range(int(sys.argv[1])):
    found = run(draw(seed, float(sys.argv[2])))
    print(json.dumps([seed, found.hash, found.events, found.failure is None, sorted(found.reached)]))
print(COMPILED)
"""
IN_A_WORKER = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        print(pool.submit(eval, "__import__('sim').__file__").result())
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one module to compile, for as long as it stays so small."""
    root = tmp_path / "project"
    for folder in PACKAGES:
        (root / folder).mkdir(parents=True)
        (root / folder / "__init__.py").write_text("")
    (root / "setup.cfg").write_text("[metadata]\nname = tiny\n\n[mypy]\nstrict = true\n")
    (root / "sim/half.py").write_text("def half(number: int) -> int:\n    return number // 2\n")
    monkeypatch.setattr(tool, "MODULES", ("sim/half.py",))
    return root


def ran(copy: Path | None, *arguments: str, cwd: Path = ROOT) -> str:
    """What Python prints with these arguments, with the compiled copy or without."""
    outside = {**os.environ, "SIXKIT_LANG": "en"}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=outside if copy is None else environment(copy) | {"SIXKIT_LANG": "en"},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return done.stdout


# --- the script ---


def test_it_explains_itself_and_without_a_command_that_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--help"]) == 0
    assert tool.main([]) == 2
    assert capsys.readouterr().out.count("tools/compiled sim explore") == 2


def test_every_pattern_names_modules_that_are_there() -> None:
    assert all(list(ROOT.glob(pattern)) for pattern in MODULES)


def test_without_a_compiler_it_says_so(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with pytest.raises(Unavailable, match="there is no no-such-compiler"):
        compiled(tiny, tmp_path / "work")


def test_without_headers_it_says_so(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setenv("CC", sys.executable)  # of which it is only asked whether it is there
    with pytest.raises(Unavailable, match=r"Python\.h"):
        compiled(tiny, tmp_path / "work")


def test_without_mypy_it_says_so_and_exits_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(tool, "version", none)
    monkeypatch.setattr(tool, "clean_up_when_told_to_end", lambda: None)
    assert tool.main(["bench", "sim"]) == 3
    assert "sixkit[dev]" in capsys.readouterr().err


def test_where_nothing_can_be_written_it_says_so(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("not a folder")
    with pytest.raises(Unavailable, match="no compiled copy can be made"):
        compiled(tiny, tmp_path / "work")


# --- what is kept ---


def test_a_copy_that_is_there_needs_no_compiler(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    made = tmp_path / "work" / fingerprint(tiny)
    made.mkdir(parents=True)
    assert compiled(tiny, tmp_path / "work") == made


def test_another_version_of_the_code_is_another_copy(tiny: Path) -> None:
    first = fingerprint(tiny)
    (tiny / "sim/__pycache__").mkdir()
    (tiny / "sim/__pycache__/half.pyc").write_text("what Python makes of it")
    assert fingerprint(tiny) == first
    (tiny / "sim/half.py").write_text("def half(number: int) -> int:\n    return number >> 1\n")
    second = fingerprint(tiny)
    (tiny / "tools/new.py").write_text("")
    assert len({first, second, fingerprint(tiny)}) == 3


def test_the_copies_used_last_are_kept(tiny: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    made = work / fingerprint(tiny)
    for age_s, folder in enumerate([made, *(work / f"older-{n}" for n in range(KEPT_MAX))]):
        folder.mkdir(parents=True)
        os.utime(folder, (1_000_000 - age_s, 1_000_000 - age_s))
    compiled(tiny, work)
    assert {path.name for path in work.iterdir()} == {made.name, *(f"older-{n}" for n in range(KEPT_MAX - 1))}


# --- who finds it ---


def test_every_process_finds_the_copy_and_nothing_where_it_stands(tmp_path: Path) -> None:
    copy, elsewhere = tmp_path / "copy", tmp_path / "elsewhere"
    for folder in (copy, elsewhere):
        (folder / "sim").mkdir(parents=True)
        (folder / "sim/__init__.py").write_text("")
    asked = ran(copy, "-c", "import sim; print(sim.__file__)", cwd=elsewhere)
    asked_in_a_worker = ran(copy, "-c", IN_A_WORKER, cwd=elsewhere)
    assert {asked, asked_in_a_worker} == {f"{copy}/sim/__init__.py\n"}


def test_no_defect_is_planted_in_compiled_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sim.world.defects.COMPILED", True)
    assert cli.main(["sim", "explore", "--seeds", "0", "--days", "0.01", "--plant", "lose_epoch"]) == 2
    assert "--plant" in capsys.readouterr().err


@pytest.mark.parametrize(("compiled", "said"), [(True, "Compiled"), (False, "Not compiled")])
def test_a_bench_says_whether_it_is_compiled(
    compiled: bool, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_sim, "say", lambda en, zh: en)
    steps = {"steps_per_s": 1, "bare_steps_per_s": 2, "month_s": 3.0, "times_real": 4}
    counts = {"days": 1, "messages": 5, "events": 6, "syncs": 7, "bytes_written": 8}
    bench_sim.show({"compiled": compiled, **steps, **counts, "shares_pct": {} if compiled else {"core": 100.0}})
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(said)


# --- with mypyc at work ---


@pytest.mark.night
@pytest.mark.timeout(600)
def test_two_who_compile_at_once_get_one_copy(tiny: Path, tmp_path: Path) -> None:
    work, copies = tmp_path / "work", []
    callers = [threading.Thread(target=lambda: copies.append(compiled(tiny, work))) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert copies == [work / fingerprint(tiny)] * 2
    assert list(work.iterdir()) == copies[:1]
    said = ran(copies[0], "-c", "from sim import half; print(half.half(9), half.__file__)", cwd=tmp_path)
    assert said.startswith(f"4 {copies[0]}/sim/half.")
    assert said.endswith(".so\n")


@pytest.mark.night
@pytest.mark.timeout(600)
def test_what_cannot_be_compiled_is_told_and_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    (tiny / "sim/half.py").write_text("def half(number: int) -> int:\n    return str(number)\n")
    with pytest.raises(Unavailable, match=r"half\.py:2: error"):
        compiled(tiny, tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.night
@pytest.mark.timeout(1800)
def test_a_seed_comes_to_the_same_compiled_and_not() -> None:
    copy = compiled(ROOT, WORK)
    one, other = (ran(which, "-c", RUN, str(len(SEEDS)), str(A_WHILE)).splitlines() for which in (None, copy))
    assert one[:-1] == other[:-1]
    assert len(one) == len(SEEDS) + 1
    assert (one[-1], other[-1]) == ("False", "True")


@pytest.mark.night
@pytest.mark.timeout(1800)
def test_the_explorer_counts_the_same_compiled_and_not() -> None:
    words = ["sim", "explore", "--seeds", "0:3", "--days", str(A_WHILE), "--jobs", "1", "--json"]
    one, other = (json.loads(ran(None, "-m", f"sixkit_tools{module}", *words)) for module in ("", ".compiled"))
    assert one.pop("seconds") > 0 < other.pop("seconds")
    assert one == other
