"""The pieces of one home, as far as the centre knows them: what events named, and what of it stands now."""

from __future__ import annotations

from typing import Any, Final

from dispatch import shown
from dispatch.store import Store
from protocol.record import Now
from protocol.words import LIFE, PROPERTY, TROUBLE

EVENTS_LOOKED_AT: Final = 500  # the last of a gateway: a year of a quiet home
PIECES_SHOWN: Final = 64  # a roster is smaller; a gateway that makes up names fills no page
TROUBLES_SHOWN: Final = 50
_OF_ANY: Final = ("inactivity", "fence_enter")  # kinds that do not name what the terminal is


def pieces(store: Store, gateway: str) -> list[dict[str, Any]]:
    """The terminals of `gateway` that its last events named, by room and name. One that never had anything to say is
    not among them: only the gateway's roster has it. Raises StoreError."""
    rows = store.rows(
        "SELECT terminal, room, kind, phase, severity, max(committed_ms) AS at_ms FROM"
        " (SELECT * FROM events WHERE gateway = ?1 ORDER BY epoch DESC, sequence DESC LIMIT ?2)"
        " WHERE terminal <> ?1 AND unverified = 0 GROUP BY terminal, kind",
        *(gateway, EVENTS_LOOKED_AT),
    )
    standing = store.rows(
        "SELECT terminal, kind FROM incidents WHERE gateway = ? AND restored_ms IS NULL ORDER BY id DESC LIMIT ?",
        *(gateway, PIECES_SHOWN + TROUBLES_SHOWN),
    )
    found: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["at_ms"]):  # the latest last: its room and its moment stay
        piece = found.setdefault(row["terminal"], {"id": row["terminal"], "kind": None})
        piece["room"] = row["room"]
        piece["last"] = {"kind": row["kind"], "phase": row["phase"], "at": shown.iso(row["at_ms"])}
        if row["severity"] in (LIFE, PROPERTY) and row["kind"] not in _OF_ANY:
            piece["kind"] = row["kind"]
    for terminal, piece in found.items():
        piece["standing"] = sorted({row["kind"] for row in standing if row["terminal"] == terminal})
    return sorted(found.values(), key=lambda piece: (piece["room"], piece["id"]))[:PIECES_SHOWN]


def troubles(store: Store, gateway: str, now: Now) -> list[dict[str, Any]]:
    """The troubles that stand at `gateway`, the latest first. Raises StoreError."""
    rows = store.rows(
        "SELECT kind, terminal, room, opened_ms FROM incidents"
        " WHERE gateway = ? AND severity = ? AND restored_ms IS NULL ORDER BY id DESC LIMIT ?",
        *(gateway, TROUBLE, TROUBLES_SHOWN),
    )
    return [
        {**{name: row[name] for name in ("kind", "terminal", "room")}, "age_s": age_s(row["opened_ms"], now)}
        for row in rows
    ]


def age_s(wall_ms: int, now: Now) -> int:
    """Seconds since `wall_ms`, never below zero."""
    return max(0, now.wall_ms - wall_ms) // 1000
