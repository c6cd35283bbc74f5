"""`sixkit bench disk`: the gateway's figures within the design's limits, and a judge that can say no."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sixkit_tools import bench_disk, cli


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer of everything: enough for some checkpoints."""
    monkeypatch.setattr(bench_disk, "ALONE", 40)
    monkeypatch.setattr(bench_disk, "BURSTS", 8)
    monkeypatch.setattr(bench_disk, "DAY_MS", bench_disk.HOUR_MS)


def figures(capsys: pytest.CaptureFixture[str], folder: Path) -> tuple[int, Mapping[str, Any]]:
    code = cli.main(["bench", "disk", "--json", "--folder", str(folder)])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("short")
def test_the_figures_are_within_the_limits_and_beside_their_floor(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, found = figures(capsys, tmp_path)
    assert code == 0
    assert found["within_limits"]
    for name in ("alone", "burst"):
        assert 0 < found[name]["floor_bytes"] < found[name]["bytes"] <= found[name]["limit_bytes"]
        if found["real"]:
            assert found["real"][name]["bytes"] >= found[name]["bytes"]
    assert found["burst"]["bytes"] < found["alone"]["bytes"] / 3
    assert found["day"]["bytes"] <= found["day"]["limit_bytes"] / 24
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("short")
def test_figures_beyond_their_limit_are_told_and_end_with_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_disk, "BURST_MAX", 100)
    code, found = figures(capsys, tmp_path)
    assert code == 1
    assert not found["within_limits"]


def test_a_person_sees_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    one = {"bytes": 8_000, "floor_bytes": 4_000, "limit_bytes": 20_000}
    day = {"bytes": 0, "syncs": 0, "floor_bytes": 0, "limit_bytes": 2_000_000}
    found = {"record_bytes": 183, "alone": one, "burst": one, "day": day, "real": None, "within_limits": True}
    bench_disk.show(found)
    text = capsys.readouterr().out
    assert "2.00" in text
    assert "2,000,000" in text
    bench_disk.show({**found, "real": {"file_system": "ext4", "alone": one, "burst": one}})
    assert "ext4" in capsys.readouterr().out


@pytest.mark.night
@pytest.mark.timeout(300)
def test_the_figures_at_full_length(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, found = figures(capsys, tmp_path)
    assert code == 0
    assert found["day"]["bytes"] <= found["day"]["limit_bytes"]
