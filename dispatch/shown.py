"""Events of the database as the desk shows them: what JSON can hold, times in ISO 8601 UTC."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from dispatch.sketch import Seen
from protocol.geo import E7, Position, position_of
from protocol.record import Now
from protocol.words import RAISED

SUSPECT: Final = "suspect"  # flag: the gateway holds the terminal's sensor to be at fault
_COUNTED: Final = ("presses", "falls")  # evidence: how often a person called within one alarm
_DATE_MS_MAX: Final = 253_402_300_799_999  # the end of year 9999, the last that ISO 8601 and datetime write


def event(row: sqlite3.Row) -> dict[str, Any]:
    """One event."""
    happened_ms = raised_ms(row)
    return {
        "event_id": f"{row['gateway']}/{row['epoch']}-{row['sequence']}",
        "phase": row["phase"],
        "raised_at": iso(happened_ms),
        "committed_at": iso(row["committed_ms"]),
        "latency_ms": row["committed_ms"] - happened_ms if happened_ms is not None else None,
        "attempts": row["attempt"],
        "age_ms": row["age_ms"],
        "late": bool(row["late"]),
        "position": position(row),
        "evidence": json.loads(row["evidence"]),
        "flags": json.loads(row["flags"]),
    }


def source(row: sqlite3.Row) -> list[int] | None:
    """The terminal's own name for the event: its boot and its number within it."""
    return None if row["source_boot"] is None else [row["source_boot"], row["source_number"]]


def position(row: sqlite3.Row) -> dict[str, Any] | None:
    """Where it happened, in degrees (a map of China is drawn in another system, GCJ-02), and how old that was then."""
    where = _where(row)
    return None if where is None else {**_degrees(where), "age_ms": where.age_ms}


def track(events: Sequence[sqlite3.Row], now: Now) -> list[Seen]:
    """The positions of these events (the latest first), the oldest first, each with its age by now."""
    seen = []
    for row in reversed(events):
        where, happened_ms = _where(row), raised_ms(row)
        if where is not None and happened_ms is not None:
            seen.append(Seen(where, (max(0, where.age_ms) + max(0, now.wall_ms - happened_ms)) // 1000))
    return seen


def last_position(seen: Sequence[Seen]) -> dict[str, Any] | None:
    """The last of a track, and how old it is by now."""
    return {**_degrees(seen[-1].position), "age_s": seen[-1].age_s} if seen else None


def times(events: Sequence[sqlite3.Row]) -> int:
    """How often the person called in these events: what the gateway counted within one alarm, or how many times one was
    raised, whichever is more."""
    counted: list[int] = [0]
    for row in events:
        if any(name in row["evidence"] for name in _COUNTED):  # most say nothing of it: their text need not be read
            evidence = json.loads(row["evidence"])
            counted += [evidence[name] for name in _COUNTED if name in evidence]
    counted.append(sum(row["phase"] == RAISED for row in events))
    return max(counted)


def is_suspect(events: Sequence[sqlite3.Row]) -> bool:
    """Whether the sensor of any of these events is held to be at fault."""
    return any(SUSPECT in row["flags"] and SUSPECT in json.loads(row["flags"]) for row in events)


def raised_ms(row: sqlite3.Row) -> int | None:
    """When it happened; by the age it had on arrival where the gateway's clock was not set."""
    if row["clock"] != "unset":
        return int(row["raised_ms"])
    return row["committed_ms"] - row["age_ms"] if row["age_ms"] is not None else None


def iso(wall_ms: int | None) -> str | None:
    """A moment as text; None where there is none, or it is beyond all dates."""
    if wall_ms is None or not 0 <= wall_ms <= _DATE_MS_MAX:
        return None
    moment = datetime.fromtimestamp(wall_ms // 1000, UTC).replace(microsecond=wall_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _where(row: sqlite3.Row) -> Position | None:
    return position_of(json.loads(row["position"])) if row["position"] is not None else None


def _degrees(where: Position) -> dict[str, Any]:
    return {
        "latitude": where.latitude_e7 / E7,
        "longitude": where.longitude_e7 / E7,
        "crs": "WGS-84",
        "accuracy_m": where.accuracy_dm / 10 if where.accuracy_dm else None,
        "satellites": where.satellites or None,
    }
