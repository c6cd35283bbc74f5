"""What the status shows of the home: its terminals, and the alarms that stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.home.lifecycle import STANDING, Alarms
from gateway.home.roster import Roster
from gateway.home.signs import Known
from gateway.home.supervision import SILENT, Supervision
from protocol.words import TROUBLE, severity_of


def alarms(standing: Alarms, now_ms: int) -> list[dict[str, Any]]:
    """The alarms and troubles that stand: alarm, terminal, kind, severity, times."""
    return [
        {
            "alarm": str(alarm.id),
            "terminal": terminal,
            "kind": kind,
            "severity": severity_of(kind),
            "times": alarm.times,
        }
        for (terminal, kind), alarm in standing.items()
        if standing.state(terminal, kind, now_ms) == STANDING
    ]


def terminals(
    roster: Roster, standing: Alarms, supervision: Supervision, battery_pct: Mapping[str, int], now_ms: int
) -> list[dict[str, Any]]:
    """Each rostered terminal: id, kind, room, link (its bridge), last_seen_s, battery_pct, state, troubles."""
    kinds: dict[str, list[str]] = {terminal.id: [] for terminal in roster}
    for alarm in alarms(standing, now_ms):
        kinds.setdefault(alarm["terminal"], []).append(alarm["kind"])
    return [
        {
            "id": terminal.id,
            "kind": terminal.kind,
            "room": terminal.room,
            "link": terminal.bridge,
            "last_seen_s": supervision.last_seen_s(terminal.id, now_ms),
            "battery_pct": battery_pct.get(terminal.id),
            "state": _state(kinds[terminal.id]),
            "troubles": sorted(kind for kind in kinds[terminal.id] if severity_of(kind) == TROUBLE),
        }
        for terminal in roster
    ]


def signs(known: Known, now_ms: int) -> dict[str, Any]:
    """Of a terminal that watches for life: last_sign_s (None: never), and of a door open; nothing of another."""
    if known == Known():
        return {}
    shown: dict[str, Any] = {"last_sign_s": None if known.last_ms is None else max(0, now_ms - known.last_ms) // 1000}
    return shown if known.open is None else shown | {"open": known.open}


def _state(kinds: list[str]) -> str:
    if any(severity_of(kind) != TROUBLE for kind in kinds):
        return "alarm"
    return "silent" if SILENT in kinds else "normal"
