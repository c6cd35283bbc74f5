"""What the desk makes of events: incidents with their countdown, and gateways that fall silent."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from dispatch import pieces, shown
from dispatch.calling import calling
from dispatch.shown import iso
from dispatch.sketch import Place, sketch
from dispatch.store import Store, StoreError
from protocol.geo import E7
from protocol.record import Command, Event, EventId, Heartbeat, Now
from protocol.words import LAPSING, LIFE, RAISED, RESTORED, SEVERITIES, TEST, TROUBLE, UNSTORED, UNVERIFIED, UPDATED

ARRIVAL_MS: Final = 18 * 60_000  # from the desk's receipt of a life alarm to help at the door: the centre's promise
FRESH_MS: Final = 5_000  # an event of this age at most was sent by the boot that it is of: no machine starts in less
REPEAT_MS: Final = ARRIVAL_MS  # a raise within it belongs to the open incident; after it, it is a new call for help
LOST_MS: Final = 90_000  # three heartbeats missed
COUNTERS_WRITTEN_MS: Final = 10_000  # how long counts of refusals wait for a commit to go along with
HEARTBEAT_REPEATS: Final = 10_000  # numbers up to the last that are no news: three days of heartbeats
OPEN_SHOWN: Final = 500  # incidents in a view: those of life first, and the latest first
RESTORED_SHOWN: Final = 100  # and of those that are over, the latest
EVENTS_LISTED: Final = 10  # the latest of each incident, in a view of all: it is made for each change
EVENTS_SHOWN: Final = 100  # and in a view of one incident
HOMES_SHOWN: Final = 40  # in a view of them: those where something is open first
_SHOWN: Final = ("version", "unsettled", "oldest_s", "terminals", "silent")  # of a heartbeat
_CENTRE: Final = "centre"  # stands for gateway and terminal in the centre's own troubles

Note = dict[str, Any]


class Desk:
    """Incidents and gateways, kept in the events' own database and changed in the events' own transactions.

    `homes` names the home of each registered gateway, `places` says where it is, as far as that is known; both may be
    replaced at any time. Views raise StoreError.
    """

    def __init__(self, store: Store, homes: Mapping[str, str], now: Now):
        self.homes = homes
        self.commands: list[Command] = []  # to be sealed and sent; whoever asks a question of the desk sees to it
        self.places: Mapping[str, Place] = {}
        self._store = store
        self._heard = dict.fromkeys(homes, now.mono_ms)  # silence is not counted while the centre was down
        self._written_ms = now.mono_ms
        self._looked_at: Mapping[str, str] | None = None  # homes: of no others a `gateway_lost` stands

    # --- events, within the intake's transaction ---

    def place(self, event: Event, alarm: EventId, late: bool, now: Now) -> tuple[int | None, list[Note]]:
        """The incident that `event` belongs to (None: to none), opened where need be. `alarm` is a stored id."""
        if event.phase == TEST:
            return None, []
        if event.phase == RAISED:
            incident = self._open_since(event, now.wall_ms - REPEAT_MS)
        else:
            incident = self._of_alarm(event.gateway, alarm) or self._open_since(event, 0)
        if incident is not None:
            return incident, self._attach(incident, event, alarm, late, now)
        if event.phase == RESTORED:
            return None, []  # its raise may be still to come, and will find it
        return self._open(event, alarm, late, now)

    def doubt(self, event: Event, now: Now) -> list[Note]:
        """An event that can't be stored under its id: a raise of it is an unverified incident all the same."""
        if event.phase != RAISED or self._open_since(event, now.wall_ms - REPEAT_MS) is not None:
            return []
        incident = self._insert(event, late=False, unverified=True, now=now)
        return [self._note(incident, "opened")]

    def _of_alarm(self, gateway: str, alarm: EventId) -> int | None:
        row = self._store.row(
            "SELECT incident FROM events WHERE gateway = ? AND alarm_epoch = ? AND alarm_sequence = ?"
            " AND incident IS NOT NULL LIMIT 1",
            gateway,
            *alarm,
        )
        return row["incident"] if row else None

    def _open_since(self, event: Event, opened_ms: int) -> int | None:
        """The latest open incident of the same kind at the same terminal."""
        row = self._store.row(
            "SELECT id FROM incidents WHERE gateway = ? AND terminal = ? AND kind = ? AND restored_ms IS NULL"
            " AND opened_ms >= ? ORDER BY id DESC LIMIT 1",
            *(event.gateway, event.terminal, event.kind, opened_ms),
        )
        return row["id"] if row else None

    def _open(self, event: Event, alarm: EventId, late: bool, now: Now) -> tuple[int, list[Note]]:
        incident = self._insert(event, late, UNVERIFIED in event.flags, now)
        notes = [self._note(incident, "opened")]
        mine = (event.gateway, *alarm)
        own = "gateway = ? AND alarm_epoch = ? AND alarm_sequence = ?"
        # Its end may have come first, and may even have closed an older incident that a centre put back had open.
        restored = self._store.row(f"SELECT 1 FROM events WHERE {own} AND phase = 'restored'", *mine)
        self._store.run(
            f"UPDATE events SET incident = ? WHERE {own} AND incident IS NULL AND phase <> 'test'", incident, *mine
        )
        return incident, notes + (self._restore(incident, now) if restored else [])

    def _attach(self, incident: int, event: Event, alarm: EventId, late: bool, now: Now) -> list[Note]:
        doubtful = UNVERIFIED in event.flags
        if event.phase == RESTORED and not doubtful and not self._raised_since(incident, event, alarm):
            return self._restore(incident, now) + self._restore_older(incident, event, alarm, now)
        self._store.run(
            "UPDATE incidents SET phase = ?, unverified = unverified AND ?, late = late AND ?"
            " WHERE id = ? AND restored_ms IS NULL",
            *(UPDATED, doubtful or event.phase == RESTORED, late or event.phase != RAISED, incident),
        )
        return [self._note(incident, "updated")]

    def _raised_since(self, incident: int, event: Event, alarm: EventId) -> bool:
        """Whether another alarm joined the incident after `alarm`, which `event` ends, or after `event` where that one
        did not join: the end of the one is not the end of both.

        After by their ids, not by their arrival: what a centre had lost comes after what it has had since. Only the
        epoch of a start that could not be stored says nothing of when it was.
        """
        if UNSTORED in event.flags:
            return self._happened_since(incident, event, alarm)
        raised = "SELECT 1 FROM events WHERE incident = ? AND gateway = ? AND phase = 'raised' AND (epoch, sequence)"
        joined = self._store.row(f"{raised} = (?, ?)", incident, event.gateway, *alarm)
        unstored = "EXISTS (SELECT 1 FROM json_each(flags) WHERE value = ?)"
        after = (incident, event.gateway, *(alarm if joined else event.id), UNSTORED)
        return self._store.row(f"{raised} > (?, ?) AND NOT {unstored} LIMIT 1", *after) is not None

    def _restore_older(self, incident: int, event: Event, alarm: EventId, now: Now) -> list[Note]:
        """A terminal has one alarm of a kind. A gateway that could not read its card raises what stands once more, and
        where that makes a second incident its end is the end of both. A call stays open until somebody closes it."""
        if event.kind in LAPSING:
            return []
        older = self._store.rows(
            "SELECT id FROM incidents WHERE gateway = ? AND terminal = ? AND kind = ? AND restored_ms IS NULL"
            " AND unverified = 0 AND id < ? ORDER BY id",
            *(event.gateway, event.terminal, event.kind, incident),
        )
        over = [row["id"] for row in older if not self._happened_since(row["id"], event, alarm)]
        return [note for one in over for note in self._restore(one, now)]

    def _happened_since(self, incident: int, event: Event, alarm: EventId) -> bool:
        """Whether any raise of the incident may have been after `alarm`, which `event` ends, where an epoch may be of
        no time: by their ids where these tell, by the clock of one boot, or else by what came when `alarm` did."""
        raises = self._store.rows(
            "SELECT rowid, epoch, sequence, boot, raised_mono_ms, EXISTS (SELECT 1 FROM json_each(flags)"
            " WHERE value = ?) AS unstored FROM events WHERE incident = ? AND gateway = ? AND phase = 'raised'",
            *(UNSTORED, incident, event.gateway),
        )
        # A raise that comes as it happens comes after all those of boots before, and before those of boots after.
        fresh = self._store.row(
            "SELECT rowid FROM events WHERE gateway = ? AND epoch = ? AND sequence = ? AND age_ms < ?",
            *(event.gateway, *alarm, FRESH_MS),
        )
        last = alarm if alarm.epoch == event.id.epoch else event.id

        def since(row: sqlite3.Row) -> bool:
            if (row["epoch"], row["sequence"]) == alarm:
                return False
            if row["epoch"] == last.epoch:
                return bool(row["sequence"] > last.sequence)
            if not row["unstored"] and UNSTORED not in event.flags:
                return bool(row["epoch"] > last.epoch)
            if row["boot"] == event.time.boot:
                return bool(row["raised_mono_ms"] > event.time.mono_ms)
            return fresh is None or bool(row["rowid"] > fresh["rowid"])

        return any(map(since, raises))

    def _insert(self, event: Event, late: bool, unverified: bool, now: Now) -> int:
        where = (event.gateway, event.terminal, event.room)
        return self._add(where, event.kind, event.severity, (unverified, late), now)

    def _add(self, where: tuple[str, str, str], kind: str, severity: str, marks: tuple[bool, bool], now: Now) -> int:
        return self._store.run(
            "INSERT INTO incidents (gateway, terminal, room, kind, severity, phase, unverified, late, opened_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(*where, kind, severity, RAISED, *marks, now.wall_ms),
        )

    def _restore(self, incident: int, now: Now) -> list[Note]:
        self._store.run(
            "UPDATE incidents SET phase = ?, restored_ms = ? WHERE id = ? AND restored_ms IS NULL",
            *(RESTORED, now.wall_ms, incident),
        )
        return [self._note(incident, "restored")]

    def _note(self, incident: int, change: str) -> Note:
        row = self._store.row("SELECT gateway, terminal, kind, severity FROM incidents WHERE id = ?", incident)
        return {"what": "incident", "id": incident, "change": change, **(dict(row) if row else {})}

    # --- gateways ---

    def heard(self, heartbeat: Heartbeat, now: Now) -> list[Note]:
        """A gateway lives, unless this is a heartbeat of before once more; within the intake's transaction."""
        said = {name: getattr(heartbeat, name) for name in ("number", "uptime_s", *_SHOWN)}
        said["clock"] = heartbeat.time.quality
        news = self._store.row(
            "INSERT INTO gateways VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE"
            " SET heartbeat_ms = excluded.heartbeat_ms, heartbeat = excluded.heartbeat"
            " WHERE json_extract(heartbeat, '$.number') - ?4 NOT BETWEEN 0 AND ?5 RETURNING id",
            *(heartbeat.gateway, now.wall_ms, json.dumps(said), heartbeat.number, HEARTBEAT_REPEATS - 1),
        )
        if news is None:
            self._store.count("heartbeats_repeated")
            return []
        self._heard[heartbeat.gateway] = now.mono_ms
        lost = self._store.row(
            "SELECT id FROM incidents WHERE gateway = ?1 AND terminal = ?1 AND kind = 'gateway_lost'"
            " AND restored_ms IS NULL",
            heartbeat.gateway,
        )
        return self._restore(lost["id"], now) if lost else []

    def slept(self, ms: int, now: Now) -> None:
        """The centre itself stood still for the last `ms` (a paused machine): that is no silence of any gateway."""
        for gateway, heard_ms in self._heard.items():
            self._heard[gateway] = min(now.mono_ms, heard_ms + ms)

    def tick(self, now: Now) -> list[Note]:
        """Raise and withdraw `gateway_lost`, and own up to a damaged database; once a second will do."""
        try:
            return self._ticked(now)
        except StoreError as error:
            self._store.unwritten["commits_failed"] += 1
            return [{"what": "storage", "detail": str(error)}]

    def _ticked(self, now: Now) -> list[Note]:
        homes = self.homes
        silent = [gateway for gateway in homes if self._silent_ms(gateway, now) > LOST_MS]
        lost = self._lost() if silent or homes is not self._looked_at else {}  # else there is nothing to ask the disk
        silent = [gateway for gateway in silent if gateway not in lost]
        removed = [incident for gateway, incident in lost.items() if gateway not in homes]
        aside = list(self._store.kept_aside)
        counts_due = self._store.unwritten and now.mono_ms - self._written_ms >= COUNTERS_WRITTEN_MS
        if not (silent or removed or aside or counts_due):
            self._looked_at = homes
            return []
        with self._store.transaction():
            notes = [note for gateway in silent for note in self._own(gateway, "gateway_lost", now)]
            notes += [note for incident in removed for note in self._restore(incident, now)]
            notes += [note for _ in aside for note in self._own(_CENTRE, "storage_fault", now)]
        self._written_ms, self._looked_at = now.mono_ms, homes
        del self._store.kept_aside[: len(aside)]
        return notes + [{"what": "storage", "detail": f"a damaged database was kept as {path}"} for path in aside]

    def _own(self, gateway: str, kind: str, now: Now) -> list[Note]:
        """Open an incident of the desk's own."""
        incident = self._add((gateway, gateway, ""), kind, TROUBLE, (False, False), now)
        return [{"what": kind, "gateway": gateway}, self._note(incident, "opened")]

    def _silent_ms(self, gateway: str, now: Now) -> int:
        return now.mono_ms - self._heard.setdefault(gateway, now.mono_ms)  # a new one has its time to appear

    def _lost(self) -> dict[str, int]:
        rows = self._store.rows("SELECT gateway, id FROM incidents WHERE kind = 'gateway_lost' AND restored_ms IS NULL")
        return {row["gateway"]: row["id"] for row in rows}

    def calling(self, number: int, now: Now) -> dict[str, Any] | None:
        """Tell the resident of incident `number` that the centre is calling: whether that is `sent`; None where there
        is no such incident. Raises StoreError."""
        row = self._store.row("SELECT gateway FROM incidents WHERE id = ?", number)
        if row is None:
            return None
        command = calling(self._store, number, now) if self._silent_ms(row["gateway"], now) <= LOST_MS else None
        if command is not None:
            self.commands.append(command)
        return {"sent": command is not None}

    # --- views: what JSON can hold; times are ISO 8601 UTC ---

    def incidents(
        self, now: Now, open_max: int = OPEN_SHOWN, restored_max: int = RESTORED_SHOWN
    ) -> list[dict[str, Any]]:
        """The open incidents, of life first, then the restored ones; of each the latest first."""
        rows = self._store.rows(
            "SELECT * FROM incidents WHERE restored_ms IS NULL"
            " ORDER BY CASE severity WHEN 'life' THEN 0 WHEN 'property' THEN 1 ELSE 2 END, id DESC LIMIT ?",
            open_max,
        )
        rows += self._store.rows(
            "SELECT * FROM incidents WHERE restored_ms IS NOT NULL ORDER BY id DESC LIMIT ?", restored_max
        )
        return [self._incident(row, EVENTS_LISTED, now) for row in rows]

    def open(self) -> dict[str, int]:
        """How many incidents are open, by severity."""
        rows = self._store.rows(
            "SELECT severity, count(*) AS n FROM incidents WHERE restored_ms IS NULL GROUP BY severity"
        )
        return {**dict.fromkeys(SEVERITIES, 0), **{row["severity"]: row["n"] for row in rows}}

    def incident(self, number: int, now: Now) -> dict[str, Any] | None:
        """One incident, or None where there is none of that number."""
        row = self._store.row("SELECT * FROM incidents WHERE id = ?", number)
        return self._incident(row, EVENTS_SHOWN, now) if row else None

    def _incident(self, row: sqlite3.Row, events_max: int, now: Now) -> dict[str, Any]:
        arrive_ms = row["opened_ms"] + ARRIVAL_MS if row["severity"] == LIFE else None
        counting = arrive_ms is not None and row["restored_ms"] is None
        events = self._store.rows(
            "SELECT * FROM events WHERE incident = ? ORDER BY rowid DESC LIMIT ?", row["id"], events_max
        )
        track = shown.track(events, now)
        return {
            "id": row["id"],
            "gateway": row["gateway"],
            "home": self.homes.get(row["gateway"], ""),
            "terminal": row["terminal"],
            "room": row["room"],
            "kind": row["kind"],
            "severity": row["severity"],
            "phase": row["phase"],
            "unverified": bool(row["unverified"]),
            "suspect": shown.is_suspect(events),
            "times": shown.times(events),
            "opened_at": iso(row["opened_ms"]),
            "restored_at": iso(row["restored_ms"]),
            "age_s": max(0, now.wall_ms - row["opened_ms"]) // 1000,
            "arrive_by": iso(arrive_ms),
            "remaining_s": (arrive_ms - now.wall_ms) // 1000 if counting and arrive_ms is not None else None,
            "late": bool(row["late"]),
            "position": shown.last_position(track),
            "sketch": sketch(track, self.places.get(row["gateway"])),
            "events": [shown.event(event) for event in reversed(events)],
        }

    def gateways(self, now: Now) -> list[dict[str, Any]]:
        """Every registered gateway and what its last heartbeat said."""
        rows = {row["id"]: row for row in self._store.rows("SELECT * FROM gateways")}
        lost = self._lost()
        return [self._gateway(gateway, rows.get(gateway), gateway in lost, now) for gateway in sorted(self.homes)]

    def _gateway(self, gateway: str, row: sqlite3.Row | None, lost: bool, now: Now) -> dict[str, Any]:
        said = json.loads(row["heartbeat"]) if row else {}
        return {
            "id": gateway,
            "home": self.homes[gateway],
            "last_heartbeat_at": iso(row["heartbeat_ms"] if row else None),
            "silent_s": max(0, now.wall_ms - row["heartbeat_ms"]) // 1000 if row else None,
            "state": "never" if row is None else "lost" if lost else "online",
            **{name: said.get(name) for name in (*_SHOWN, "uptime_s", "clock")},
        }

    def find(self, text: str, now: Now) -> dict[str, Any]:
        """The homes whose name or gateway has `text` in it: how many, in which state, and the first of them: those that
        are lost, then those where something else is open."""
        sought = text.casefold()
        matching = [name for name, home in self.homes.items() if sought in name or sought in home.casefold()]
        heard = {row["id"] for row in self._store.rows("SELECT id FROM gateways")}
        lost = self._lost()
        waiting = {
            row["gateway"]: row["open"]
            for row in self._store.rows(
                "SELECT gateway, count(*) AS open FROM incidents WHERE restored_ms IS NULL GROUP BY gateway"
            )
        }
        states = Counter("never" if name not in heard else "lost" if name in lost else "online" for name in matching)
        matching.sort(key=lambda name: (name not in heard or name not in lost, name not in waiting, name))
        rows = [
            {**self._gateway(name, self._said(name), name in lost, now), "open": waiting.get(name, 0)}
            for name in matching[:HOMES_SHOWN]
        ]
        return {"all": len(matching), **{state: states[state] for state in ("online", "lost", "never")}, "rows": rows}

    def home(self, gateway: str, now: Now) -> dict[str, Any] | None:
        """One home with its pieces and what stands there; None where no such gateway is registered."""
        if gateway not in self.homes:
            return None
        place = self.places.get(gateway)
        return {
            **self._gateway(gateway, self._said(gateway), gateway in self._lost(), now),
            "place": [place.latitude_e7 / E7, place.longitude_e7 / E7] if place else None,
            "pieces": pieces.pieces(self._store, gateway),
            "troubles": pieces.troubles(self._store, gateway, now),
        }

    def _said(self, gateway: str) -> sqlite3.Row | None:
        return self._store.row("SELECT * FROM gateways WHERE id = ?", gateway)

    def counters(self) -> dict[str, Any]:
        """Counts since the database began; `refused` holds them by reason."""
        counts = self._store.counters()
        refused = {name.partition(".")[2]: counts.pop(name) for name in sorted(counts) if name.startswith("refused.")}
        names = (
            "events_committed",
            "repeats_absorbed",
            "heartbeats_repeated",
            "conflicts",
            "commits_failed",
            "asked_again",
        )
        classes = ("forged_refused", "foreign_refused", "malformed_refused")
        return {**{name: counts[name] for name in (*names, *classes)}, "refused": refused}

    def alarms(self, limit: int) -> list[dict[str, Any]]:
        """The last `limit` events in the order in which they were committed, for reports."""
        rows = self._store.rows("SELECT * FROM events ORDER BY rowid DESC LIMIT ?", limit)
        places = ("gateway", "terminal", "room", "kind", "severity", "link", "incident")
        return [
            {**{name: row[name] for name in places}, **shown.event(row), "source": shown.source(row)}
            for row in reversed(rows)
        ]
