"""Mutants of an area of this project: made and run against the area's tests by mutmut, and what became of each."""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from protocol.words import Unavailable

from .command import missing

SOURCES: Final = ("protocol", "devices", "gateway", "dispatch", "sim")
TESTS: Final = "tests"
POLL_S: Final = 0.5
STOP_S: Final = 10.0  # what mutmut gets to end its own children
LOG_LINES: Final = 12  # of what mutmut said, where it could not go on

# A mutant is stopped after (its tests' time + CONSTANT) * MULTIPLIER: others who use the machine make it slower.
TIMEOUT_CONSTANT_S: Final = 5.0
TIMEOUT_MULTIPLIER: Final = 3.0

KILLED: Final = "killed"
STOPPED: Final = "stopped"  # it ran on and on, or crashed the interpreter: no test could have passed
SURVIVED: Final = "survived"
UNTESTED: Final = "untested"  # no test comes by it
OUTCOMES: Final = (KILLED, STOPPED, SURVIVED, UNTESTED)
_BY_EXIT: Final = {0: SURVIVED, 1: KILLED, 2: KILLED, 3: KILLED, 5: UNTESTED, 33: UNTESTED}  # pytest's and mutmut's
_SQL: Final = re.compile(
    r'"[^"]*\b(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|AND|ORDER|SET|RETURNING|ASC|DESC|PRAGMA|BEGIN|COMMIT|ROLLBACK)\b[^"]*"'
)


@dataclass(frozen=True, slots=True)
class Area:
    """Files, the tests that must notice a change of them, and the part of the mutants in % that must be killed."""

    files: tuple[str, ...]  # patterns
    tests: tuple[str, ...]
    target_pct: int


AREAS: Final[dict[str, Area]] = {
    "home": Area(
        ("gateway/home/*.py",),
        (
            "tests/gateway/test_lifecycle.py",
            "tests/gateway/test_roster.py",
            "tests/gateway/test_pace.py",
            "tests/gateway/test_parts.py",
            "tests/gateway/test_supervision.py",
            "tests/gateway/test_home.py",
            "tests/gateway/test_home_doubt.py",
            "tests/gateway/test_home_health.py",
            "tests/gateway/test_detectors.py",
            "tests/gateway/test_watch.py",
            "tests/gateway/test_health.py",
            # Without the world of random moves: it takes ten times as long as all others; each move has its own test.
            "tests/gateway/test_home_properties.py::test_nothing_makes_it_raise",
            "tests/gateway/test_home_properties.py::test_what_is_stored_is_what_a_later_start_finds",
        ),
        95,
    ),
    "envelope": Area(("protocol/envelope.py",), ("tests/protocol/test_envelope.py",), 95),
    "outbox": Area(
        (
            "gateway/outbox.py",
            "gateway/store.py",
            "gateway/database.py",
            "gateway/schema.py",
            "gateway/pruning.py",
            "gateway/reserve.py",
            "gateway/salvage.py",
            "gateway/faults.py",
            "gateway/urgency.py",
            "gateway/unwritten.py",
            "gateway/storage.py",
        ),
        (
            "tests/gateway/test_unwritten.py",
            "tests/gateway/test_storage.py",
            "tests/gateway/test_faults.py",
            "tests/gateway/test_salvage.py",
            "tests/gateway/test_schema.py",
            "tests/gateway/test_pruning.py",
            "tests/gateway/test_reserve.py",
            "tests/gateway/test_outbox_disk.py",
            "tests/gateway/test_outbox.py",
            "tests/gateway/test_other_centres.py",
            "tests/gateway/test_database_torn.py",
        ),
        95,
    ),
    "intake": Area(
        ("dispatch/intake.py", "dispatch/store.py"),
        (
            "tests/dispatch/test_intake.py",
            "tests/dispatch/test_centre_store.py",
            "tests/dispatch/test_desk.py",
            "tests/dispatch/test_resend.py",
        ),
        90,
    ),
    "link": Area(
        ("protocol/wire/*.py",),
        (
            "tests/protocol/test_wire_cobs.py",
            "tests/protocol/test_wire_frame.py",
            "tests/protocol/test_wire_gateway_end.py",
            "tests/protocol/test_wire_held.py",
            "tests/protocol/test_wire_mac.py",
            "tests/protocol/test_wire_messages.py",
            "tests/protocol/test_wire_repeat.py",
            "tests/protocol/test_wire_terminal_end.py",  # without both ends on a bad line, for the same reason as above
        ),
        90,
    ),
}


class Mutant(NamedTuple):
    """One change of one function."""

    file: str
    name: str  # mutmut's
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the mutants of an area that were run."""

    area: Area
    made: int  # of which `outcomes` may be a sample
    outcomes: dict[Mutant, str]
    seconds: float

    @property
    def killed(self) -> int:
        return sum(outcome in (KILLED, STOPPED) for outcome in self.outcomes.values())

    @property
    def unnoticed(self) -> list[Mutant]:
        return [one for one, outcome in self.outcomes.items() if outcome in (SURVIVED, UNTESTED)]

    @property
    def score_pct(self) -> float:
        return 100 * self.killed / len(self.outcomes) if self.outcomes else 100.0

    @property
    def good(self) -> bool:
        return self.score_pct >= self.area.target_pct


@dataclass(frozen=True, slots=True)
class Choice:
    """Which mutants to run, and for how long."""

    only: tuple[str, ...] = ("*",)  # patterns of names
    sample: int | None = None  # so many of them, drawn at random
    seed: int = 1
    seconds_max: float | None = None  # what is not done by then is left out


def run(root: Path, work: Path, area: Area, choice: Choice, jobs: int, watch: Callable[[int, int], None]) -> Result:
    """Run the chosen mutants of `area` of the project at `root`, in the folder `work`, which is made anew and kept.

    `watch` is told again and again how many of how many are done. Raises Unavailable where mutmut is not installed, or
    could not go on: the tests must pass without a mutant.
    """
    begun_s = time.monotonic()
    _lay_out(root, work, area)
    with contextlib.chdir(work):
        made = _made(area)
        chosen = _chosen(made, choice)
        outcomes = _outcomes(chosen, jobs, choice.seconds_max, watch)
    return Result(area, len(made), outcomes, time.monotonic() - begun_s)


def is_same(diff: str) -> bool:
    """Whether all that `diff` changes is the case of the letters of SQL, which means the same to SQLite."""
    changed = diff.splitlines()[2:]
    before = "".join(line[1:] for line in changed if line.startswith("-"))
    after = "".join(line[1:] for line in changed if line.startswith("+"))
    texts = [found.group() for found in _SQL.finditer(before)]
    return any(after in (before.replace(text, text.lower()), before.replace(text, text.upper())) for text in texts)


def _lay_out(root: Path, work: Path, area: Area) -> None:
    """A copy of the project, for mutmut wants to be alone with its configuration."""
    shutil.rmtree(work, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__", "node_modules")
    for folder in (*SOURCES, TESTS):
        if (root / folder).is_dir():
            shutil.copytree(root / folder, work / folder, ignore=skip)
    shutil.copy(root / "setup.cfg", work)  # pytest's part of it
    settings = {
        "source_paths": [folder for folder in SOURCES if (work / folder).is_dir()],
        "only_mutate": area.files,
        "pytest_add_cli_args_test_selection": area.tests,
        "pytest_add_cli_args": ["-p", f"{__package__}.cheapest_first", "-m", "not night"],
        "timeout_constant": TIMEOUT_CONSTANT_S,
        "timeout_multiplier": TIMEOUT_MULTIPLIER,
        "use_git_change_detection": False,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]  # such JSON is TOML too
    (work / "pyproject.toml").write_text("\n".join(["[tool.mutmut]", *lines, ""]))


def _made(area: Area) -> list[Mutant]:
    try:
        from mutmut.configuration import reset_config
        from mutmut.mutation.file_mutation import mutate_file_contents
        from mutmut.utils.format_utils import get_mutant_name, orig_function_and_class_names_from_key
    except ModuleNotFoundError as error:
        raise missing(error, "dev") from error
    reset_config()
    files = sorted(str(path) for folder in SOURCES for path in Path(folder).rglob("*.py"))
    made = []
    for file in (file for file in files if any(fnmatch.fnmatch(file, pattern) for pattern in area.files)):
        mutated = mutate_file_contents(file, Path(file).read_text())
        lines, spans = mutated.code.splitlines(), mutated.line_span_by_function_name
        for name in mutated.mutant_names:
            function, _ = orig_function_and_class_names_from_key(name)
            texts = [
                [line.replace(one, function) for line in lines[spans[one].start - 1 : spans[one].end]]
                for one in (f"{name.rpartition('_')[0]}_orig", name)
            ]
            made.append(Mutant(file, get_mutant_name(Path(file), name), _diff(file, *texts)))
    return [one for one in made if not is_same(one.diff)]


def _diff(file: str, before: list[str], after: list[str]) -> str:
    return "\n".join(difflib.unified_diff(before, after, file, file, lineterm=""))


def _chosen(made: Iterable[Mutant], choice: Choice) -> list[Mutant]:
    fitting = [one for one in made if any(fnmatch.fnmatch(one.name, only) for only in choice.only)]
    if choice.sample is None or choice.sample >= len(fitting):
        return fitting
    return sorted(random.Random(choice.seed).sample(fitting, choice.sample))


def _outcomes(
    chosen: list[Mutant], jobs: int, seconds_max: float | None, watch: Callable[[int, int], None]
) -> dict[Mutant, str]:
    if not chosen:
        return {}
    end_s = None if seconds_max is None else time.monotonic() + seconds_max
    with _mutmut([one.name for one in chosen], jobs) as mutmut:
        while mutmut.poll() is None and (end_s is None or time.monotonic() < end_s):
            watch(len(_decided(chosen)), len(chosen))
            time.sleep(POLL_S)
        done = mutmut.poll()
    if done:
        said = "\n".join(Path("log").read_text(errors="replace").replace("\r", "\n").splitlines()[-LOG_LINES:])
        raise Unavailable(f"mutmut could not go on:\n{said}", f"mutmut 无法继续：\n{said}")
    return _decided(chosen)


@contextlib.contextmanager
def _mutmut(names: list[str], jobs: int) -> Iterator[subprocess.Popen[bytes]]:
    """mutmut at work on these mutants; gone with all its children when the `with` ends."""
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(jobs), *names]
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "mutants"}
    with (
        Path("log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True) as process,
    ):
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _decided(chosen: Iterable[Mutant]) -> dict[Mutant, str]:
    """The outcomes so far, as mutmut has them in its files."""
    exits: dict[str, int | None] = {}
    for path in Path("mutants").rglob("*.meta"):
        with contextlib.suppress(ValueError):  # it is just being written
            exits |= json.loads(path.read_text())["exit_code_by_key"]
    return {one: _BY_EXIT.get(code, STOPPED) for one in chosen if (code := exits.get(one.name)) is not None}
