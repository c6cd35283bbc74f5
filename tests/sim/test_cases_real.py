"""Cases played for real: agent, broker and centre as processes, a home on a pty; quick ones always, all at night."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from protocol.words import Told
from sim.case import load
from sim.play import play
from sim.result import Result

CASES = Path(__file__).parent.parent / "cases"
# One for each part of the way: the path itself, a crash, the network, the disk, the wire, a forger, a sensor.
QUICK = ("button", "agent_killed", "broker_restart", "disk_hung", "noise", "forged", "sensor_out_of_range")
REAL_MS_MAX = 90_000  # of one case, within the time of a test; half a day of a faulty sensor is for virtual time
ALL = sorted(
    path.stem
    for path in CASES.glob("*.toml")
    if (case := load(path)).needs_virtual_time() is None and case.lasts_ms <= REAL_MS_MAX * case.clock_rate
)

COMPILED = (
    "disk_hung",
    "disk_hung_minute",
    "disk_failing",
    "clock_1970",
)  # their faults come from a library built on the spot


def played(name: str) -> Result:
    if name in COMPILED and not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("no C compiler to build the fault library with")
    return play(load(CASES / f"{name}.toml"))


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_case_comes_out_as_it_must(name: str) -> None:
    assert [found.en for found in played(name).differences] == []


@pytest.mark.night
@pytest.mark.parametrize("name", [name for name in ALL if name not in QUICK])
def test_each_other_case_comes_out_as_it_must(name: str) -> None:
    assert [found.en for found in played(name).differences] == []


def test_a_case_that_only_virtual_time_can_play_is_refused() -> None:
    with pytest.raises(Told, match="network outage needs --virtual"):
        play(load(CASES / "power_cut.toml"))


def test_a_case_whose_outcome_is_another_is_not_so(tmp_path: Path) -> None:
    expectations = '[[expect]]\ncounter = { forged_refused = "9" }\n[[expect]]\nnothing_else = true\n'
    (tmp_path / "wrong.toml").write_text((CASES / "button.toml").read_text().partition("[[expect]]")[0] + expectations)
    result = play(load(tmp_path / "wrong.toml"))
    assert sorted(told.en for told in result.differences) == [
        "button raised of button-1 is at the centre; nothing like it was expected",
        "counter forged_refused is 0 instead of 9",
    ]
    assert result.as_json()["good"] is False


def test_no_process_is_left_behind_when_a_case_is_interrupted() -> None:
    seen: set[int] = set()

    def interrupt(doing: str, done_s: float, all_s: float) -> None:
        seen.update(children())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(load(CASES / "button.toml"), interrupt)
    assert len(seen) >= 3
    assert not seen & children()


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}
