"""`sixkit bench faults`: its figures hang together; what they are is for the bench itself to find."""

import json
from pathlib import Path

import pytest

from sixkit_tools import bench_faults, cli


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chamber, three kinds, an hour each, a home for a month."""
    monkeypatch.setattr(bench_faults, "QUICK_SIMULATED", 1)
    monkeypatch.setattr(bench_faults, "QUICK_MONTHS", 3)
    monkeypatch.setattr(bench_faults, "MONTH_DAYS", 4)
    monkeypatch.setattr(bench_faults, "NOTICEABLE", ("stuck_at", "out_of_range", "stuck_button"))
    monkeypatch.setattr(bench_faults, "kinds_of", lambda sensor: ("stuck_at", "out_of_range"))
    monkeypatch.setattr(bench_faults, "GIVEN_ELSE", (3_600_000, bench_faults.READ_MS, bench_faults.BEAT_MS))


def test_it_reports_what_it_found_as_json_and_whether_that_is_enough(
    small: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIXKIT_DATA", raising=False)
    assert cli.main(["bench", "faults", "--quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["faults"]["out_of_range"]["down"]["3"]["simulated"]["noticed"] == 1
    assert found["medium_recall"] == 1.0
    assert (found["months"]["terminal_months"], found["months"]["false"]) == (3, {})
    assert found["alarms"] == 4
    assert found["alarms_lost"] == 0
    assert found["recordings"] is None
    assert found["within_limits"]


def test_a_person_is_shown_tables_and_a_limit_that_is_passed_is_exit_code_1(
    small: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIXKIT_DATA", raising=False)
    monkeypatch.setattr(bench_faults, "FALSE_MAX", -1)
    assert cli.main(["bench", "faults", "--quick"]) == 1
    shown = capsys.readouterr().out
    assert "stuck button" in shown
    assert "--data" in shown


def test_recordings_are_read_where_there_are_some(small: None, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_faults, "FIRE_LASTS_MS", 2 * 3_600_000)
    found = bench_faults.measure(recorded, quick=True)
    assert found["faults"]["stuck_at"]["up"]["3"].keys() == {"simulated", "recorded"}
    assert found["recordings"]["fires_raised"] == found["recordings"]["fires"] == 4
    assert found["recordings"]["fires_taken_for_faults"] == 0
    assert found["recordings"]["false"] <= 1
