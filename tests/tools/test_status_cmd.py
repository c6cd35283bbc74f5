"""`sixkit status`: what counts as well, and what a person is shown."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.words import KINDS
from sixkit_tools.status_cmd import shown, well


def status(**changed: Any) -> dict[str, Any]:
    return {
        "gateway": "gw-1",
        "version": "0.1.0",
        "uptime_s": 60,
        "clock": {"wall_ms": 1_800_000_000_000, "quality": "synchronised"},
        "power": None,
        "outbox": {"unsettled": 0, "oldest_s": 0, "bytes": 1},
        "uplinks": [{"name": "mqtt-1", "up": True, "detail": "", "receipt_s": 3}],
        "bridges": [{"id": "native", "port": "/dev/ttyUSB0", "up": True}],
        "terminals": [terminal(last_seen_s=7)],
        "alarms": [],
        **changed,
    }


def terminal(last_seen_s: int | None) -> dict[str, Any]:
    row = {"id": "smoke-1", "room": "kitchen", "state": "normal", "troubles": []}
    return {**row, "last_seen_s": last_seen_s}


def trouble(kind: str) -> dict[str, Any]:
    return {"alarm": "1-1", "terminal": "gw-1", "kind": kind, "severity": "trouble", "times": 1}


def test_all_is_well() -> None:
    assert well(status())


@pytest.mark.parametrize(
    "changed",
    [
        {"uplinks": [{"name": "mqtt-1", "up": False, "detail": "no answer", "receipt_s": 3}]},
        {"uplinks": [{"name": "mqtt-1", "up": True, "detail": "", "receipt_s": None}]},  # a broker, but no centre
        {"terminals": [terminal(last_seen_s=None)]},  # wired wrongly, perhaps
        {"bridges": [{"id": "native", "port": "/dev/ttyUSB0", "up": False}]},
        {"clock": {"wall_ms": 0, "quality": "unset"}},
        {"alarms": [trouble("storage_fault")]},
        {"power": {"driver": "file", "mains": None, "backup_pct": None, "backup_low": None, "detail": "gone"}},
    ],
)
def test_what_wants_a_look(changed: dict[str, Any]) -> None:
    assert not well(status(**changed))


def test_the_gateways_own_troubles_are_shown() -> None:
    assert any(
        name in line for line in shown(status(alarms=[trouble("storage_fault")])) for name in KINDS["storage_fault"][1:]
    )


@pytest.mark.parametrize(
    ("mains", "pct", "low", "line"),
    [
        (True, 100, None, "✓ mains, backup 100 %"),
        (True, None, None, "✓ mains"),
        (False, 80, False, "✗ mains lost, backup 80 %"),
        (True, None, True, "✗ mains, low"),
        (None, None, None, "✗ unknown: gone"),
    ],
)
def test_a_person_is_shown_what_feeds_the_gateway(
    monkeypatch: pytest.MonkeyPatch, mains: bool | None, pct: int | None, low: bool | None, line: str
) -> None:
    monkeypatch.setenv("SIXKIT_LANG", "en")
    power = {"driver": "file", "mains": mains, "backup_pct": pct, "backup_low": low, "detail": "gone"}
    assert f"power    {line}" in shown(status(power=power))
    assert not any(text.startswith("power") for text in shown(status()))
