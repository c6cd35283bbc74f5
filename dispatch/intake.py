"""What the centre does with what gateways send: verify, refuse and count, absorb repeats, commit, receipt."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dispatch.desk import Desk
from dispatch.resend import Resend
from dispatch.store import Store, StoreError
from protocol import envelope, record, topic
from protocol.envelope import EnvelopeError, SigningKey, VerifyingKey
from protocol.record import INTERVALS_MAX, Command, Event, EventId, Heartbeat, Interval, Now, Receipt, RecordError, Sent

LATE_MS: Final = 60_000  # an event that is older than this when it is sent is marked late

_RECORDS: Final = {topic.ALARM: Sent, topic.HEARTBEAT: Heartbeat}  # what is taken under each topic
_FORGED: Final = ("signature", "alg")
_FOREIGN: Final = ("unknown_key", "other_gateway")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be published, as topic and payload, and what is worth a line in the journal."""

    publish: list[tuple[str, bytes]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)


class _Refused(Exception):
    """A message that is not taken; `reason` is a short word."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class _Batch:
    """What one transaction has come to so far."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)  # to be receipted: new ones and repeats
    intervals: dict[str, set[Interval]] = field(default_factory=dict)  # that hold them, by gateway
    heard: list[Heartbeat] = field(default_factory=list)
    asked: list[Command] = field(default_factory=list)  # for what is lacking


class Intake:
    """The way in. `keys` are the gateways' public keys by kid, and may be replaced at any time."""

    def __init__(self, store: Store, keys: Mapping[bytes, VerifyingKey], signer: SigningKey, desk: Desk):
        self.keys = keys
        self._store = store
        self._signer = signer
        self._desk = desk
        self._resend = Resend(store)

    def receive(self, messages: Sequence[tuple[str, bytes]], now: Now) -> Outcome:
        """Take a batch of (topic, payload) in one transaction; receipts are in the outcome only if it was committed."""
        accepted, refused = self._sifted(messages)
        if not accepted:
            return Outcome(notes=refused)
        try:
            with self._store.transaction():
                batch = self._taken(accepted, now)
        except StoreError as error:
            self._store.unwritten["commits_failed"] += 1
            return Outcome(notes=[*refused, {"what": "storage", "detail": str(error), "messages": len(accepted)}])
        return Outcome(list(self._answers(batch, now)), refused + batch.notes)

    def commands(self) -> list[tuple[str, bytes]]:
        """What the desk has to say to gateways since this was last asked, as topic and payload."""
        commands, self._desk.commands = self._desk.commands, []
        return [self._sealed(topic.COMMAND, command) for command in commands]

    # --- verify ---

    def _sifted(
        self, messages: Sequence[tuple[str, bytes]]
    ) -> tuple[list[tuple[Sent | Heartbeat, bytes]], list[dict[str, Any]]]:
        """The records that are genuine, each with its envelope, and notes of what was refused."""
        accepted = []
        refused: Counter[tuple[str, str]] = Counter()
        for name, payload in messages:
            try:
                accepted.append((self._verified(name, payload), payload))
            except _Refused as refusal:
                source = topic.parse(name)
                refused[refusal.reason, source.gateway if source else ""] += 1
        for (reason, _), count in refused.items():
            self._store.unwritten[f"refused.{reason}"] += count
            self._store.unwritten[f"{_class_of(reason)}_refused"] += count
        notes = [
            {"what": "refused", "reason": reason, "class": _class_of(reason), "gateway": gateway, "count": count}
            for (reason, gateway), count in refused.items()
        ]
        return accepted, notes

    def _verified(self, name: str, payload: bytes) -> Sent | Heartbeat:
        """The record in `payload`, signed by the gateway whose topic it came under, for this kind of topic."""
        place = topic.parse(name)
        if place is None or place.leaf not in _RECORDS:
            raise _Refused("topic")
        try:
            kid, data = envelope.open(payload, self.keys, topic.context(place.leaf))
            if kid.partition(b"#")[0] != place.gateway.encode():  # "#n" tells a gateway's keys apart
                raise _Refused("other_gateway")
            found = record.decode(data)
        except (EnvelopeError, RecordError) as error:
            raise _Refused(error.reason) from error
        if not isinstance(found, Sent | Heartbeat) or not isinstance(found, _RECORDS[place.leaf]):
            raise _Refused("other_record")
        if (found.event.gateway if isinstance(found, Sent) else found.gateway) != place.gateway:
            raise _Refused("other_gateway")
        return found

    # --- commit ---

    def _taken(self, accepted: Iterable[tuple[Sent | Heartbeat, bytes]], now: Now) -> _Batch:
        batch = _Batch()
        for found, payload in accepted:
            if isinstance(found, Heartbeat):
                batch.notes += self._desk.heard(found, now)
                batch.heard.append(found)
            else:
                batch.notes += self._event(found, payload, now)
                batch.events.append(found.event)
        for event in batch.events:  # whole intervals: they make up for earlier receipts that were lost
            interval = self._store.interval(event.gateway, event.id)
            assert interval is not None, "every event of a batch is marked, whichever way it was taken"
            batch.intervals.setdefault(event.gateway, set()).add(interval)
        for heartbeat in _last(batch.heard):
            if (command := self._resend.command(heartbeat, now)) is not None:
                batch.asked.append(command)
                asked = [list(interval) for interval in command.intervals]
                batch.notes.append({"what": "asked_again", "gateway": heartbeat.gateway, "intervals": asked})
        return batch

    def _event(self, sent: Sent, payload: bytes, now: Now) -> list[dict[str, Any]]:
        event = sent.event
        if self._store.interval(event.gateway, event.id) is not None:
            return self._known(sent, payload, now)
        stored = self._store.same_source(event)
        self._store.mark(event.gateway, event.id)
        if stored is not None:
            self._store.alias(event.gateway, event.id, stored)
            return self._repeat(sent, stored)
        return self._new(sent, payload, now)

    def _new(self, sent: Sent, payload: bytes, now: Now) -> list[dict[str, Any]]:
        event = sent.event
        late = sent.age_ms is None or sent.age_ms > LATE_MS
        alarm = self._store.stored_id(event.gateway, event.alarm)
        incident, notes = self._desk.place(event, alarm, late, now)
        self._store.insert(sent, alarm, late, now.wall_ms, incident, payload)
        self._store.count("events_committed")
        return [_note("committed", event, incident=incident, late=late, attempt=sent.attempt), *notes]

    def _known(self, sent: Sent, payload: bytes, now: Now) -> list[dict[str, Any]]:
        """An id that was committed before: the same event once more, or another under its id."""
        event = sent.event
        stored = self._store.stored_id(event.gateway, event.id)
        row = self._store.row(
            "SELECT terminal, kind, phase, source_boot, source_number FROM events"
            " WHERE gateway = ? AND epoch = ? AND sequence = ?",
            event.gateway,
            *stored,
        )
        source = event.source or (None, None)
        if row is None or tuple(row) == (event.terminal, event.kind, event.phase, *source):
            return self._repeat(sent, stored)
        return self._conflict(sent, payload, now)

    def _repeat(self, sent: Sent, stored: EventId) -> list[dict[str, Any]]:
        self._store.run(
            "UPDATE events SET attempt = max(attempt + 1, ?) WHERE gateway = ? AND epoch = ? AND sequence = ?",
            sent.attempt,
            sent.event.gateway,
            *stored,
        )
        self._store.count("repeats_absorbed")
        return [_note("repeat", sent.event, stored=str(stored))]

    def _conflict(self, sent: Sent, payload: bytes, now: Now) -> list[dict[str, Any]]:
        """Another event under a committed id: a gateway whose epoch went back, or whose key is in two hands.

        The first stays. The other is kept as evidence, and if it raises an alarm the desk has it as unverified.
        """
        event = sent.event
        content = json.dumps([event.terminal, event.kind, event.phase, event.source])
        key = (event.gateway, *event.id, content)
        known = "SELECT 1 FROM conflicts WHERE gateway = ? AND epoch = ? AND sequence = ? AND content = ?"
        if self._store.row(known, *key):
            self._store.count("repeats_absorbed")
            return []
        self._store.run("INSERT INTO conflicts VALUES (?, ?, ?, ?, ?, ?)", *key, now.wall_ms, payload)
        self._store.count("conflicts")
        return [_note("security", event, reason="conflict"), *self._desk.doubt(event, now)]

    # --- answer ---

    def _answers(self, batch: _Batch, now: Now) -> Iterable[tuple[str, bytes]]:
        for gateway, found in batch.intervals.items():
            intervals = sorted(found)
            for start in range(0, len(intervals), INTERVALS_MAX):
                part = tuple(intervals[start : start + INTERVALS_MAX])
                yield self._sealed(topic.RECEIPT, Receipt(gateway, part, now.wall_ms))
        for heartbeat in _last(batch.heard):
            yield self._sealed(topic.RECEIPT, Receipt(heartbeat.gateway, (), now.wall_ms, echo=heartbeat.number))
        for command in batch.asked:
            yield self._sealed(topic.COMMAND, command)

    def _sealed(self, leaf: str, answer: Receipt | Command) -> tuple[str, bytes]:
        data = envelope.seal(answer.to_record(), self._signer, topic.context(leaf))
        return topic.build(answer.gateway, leaf), data


def _last(heard: Iterable[Heartbeat]) -> Iterable[Heartbeat]:
    """Of each gateway the last: one that floods with heartbeats must not crowd out the receipts of others."""
    return {heartbeat.gateway: heartbeat for heartbeat in heard}.values()


def _class_of(reason: str) -> str:
    """Forged: not by whom it claims to be; foreign: by somebody with no business there; the rest is malformed."""
    return "forged" if reason in _FORGED else "foreign" if reason in _FOREIGN else "malformed"


def _note(what: str, event: Event, **more: Any) -> dict[str, Any]:
    return {
        "what": what,
        "event_id": f"{event.gateway}/{event.id}",
        "gateway": event.gateway,
        "terminal": event.terminal,
        "kind": event.kind,
        "phase": event.phase,
        **more,
    }
