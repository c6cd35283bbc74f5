"""The records that gateway and centre exchange, as values and as CBOR (schema: record.cddl)."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import cbor2

from protocol.words import PHASES, SEVERITIES

RECORD_BYTES_MAX: Final = 2048  # an event with full evidence is about 300
EVIDENCE_MAX: Final = 16  # entries; a terminal measures a handful of things
TEXT_MAX: Final = 64  # characters of an id, kind, room or flag
FLAGS_MAX: Final = 16
INTERVALS_MAX: Final = 64  # of one receipt or command; a centre with more sends several
SETTLED_MAX: Final = 8  # intervals of one heartbeat, 230 bytes at most; the others come with those that follow
INT_MAX: Final = 2**63 - 1  # of every number, either sign: what SQLite and most languages hold

EVENT: Final = 1
RECEIPT: Final = 2
HEARTBEAT: Final = 3
COMMAND: Final = 4

LINKS: Final = ("held", "heard", "own")
RESEND: Final = "resend"  # send these events again: the centre has lost them
CALLING: Final = "calling"  # tell the resident that the centre is calling about these
ACTIONS: Final = (RESEND, CALLING)  # of a command
CLOCK_QUALITIES: Final = ("unset", "holdover", "synchronised")  # a quality's place is its code

_IDLE: Final[list[cbor2.CBOREncoder]] = []  # encoders: making one costs as much as encoding a record


class RecordError(ValueError):
    """These bytes are not a record of ours; `reason` is a short word to count by."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Now(NamedTuple):
    """One reading of the clock: ms since 1970 UTC, ms since boot, and how far the first can be trusted."""

    wall_ms: int
    mono_ms: int
    quality: str = "synchronised"


class EventId(NamedTuple):
    """What an event is known by within its gateway; with the gateway's id it is unique for ever."""

    epoch: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.sequence}"


class Source(NamedTuple):
    """A terminal's own name for an event: its boot (random) and its event number within that boot."""

    boot: int
    number: int


class Interval(NamedTuple):
    """Events `first` to `last` of one epoch, both included."""

    epoch: int
    first: int
    last: int

    def holds(self, event: EventId) -> bool:
        """Whether `event` is one of them."""
        return self.epoch == event.epoch and self.first <= event.sequence <= self.last


class Stamp(NamedTuple):
    """When something happened: wall and monotonic ms, the gateway's boot, the clock's quality."""

    wall_ms: int
    mono_ms: int
    boot: int
    quality: str

    @classmethod
    def of(cls, now: Now, boot: int, age_ms: int = 0) -> Stamp:
        """The moment `age_ms` before `now`, in the gateway's boot numbered `boot`."""
        return cls(max(0, now.wall_ms - age_ms), max(0, now.mono_ms - age_ms), boot, now.quality)


@dataclass(frozen=True, slots=True)
class Event:
    """One event in the life of an alarm, as it is stored, signed and committed."""

    gateway: str
    id: EventId
    alarm: EventId  # the event that raised the alarm; its own id where it raises one
    kind: str
    phase: str
    severity: str
    link: str  # "held": the terminal repeats it until acknowledged; "heard": it does not; "own": the gateway's
    terminal: str  # the gateway's own id for its own troubles
    room: str
    time: Stamp
    source: Source | None = None
    position: tuple[int, ...] | None = None  # the numbers of geo.Position
    evidence: Mapping[str, int] = field(default_factory=dict)  # unit at the end of each name
    flags: tuple[str, ...] = ()

    def to_record(self, attempt: int = 1, age_ms: int | None = 0) -> bytes:
        """As CBOR; `attempt` counts transmissions, `age_ms` is its age at this one (None: unknown)."""
        record: dict[int, Any] = {
            0: EVENT,
            1: self.gateway,
            2: self.id.epoch,
            3: self.id.sequence,
            4: list(self.alarm),
            6: self.kind,
            7: self.phase,
            8: self.severity,
            9: self.link,
            10: self.terminal,
            11: self.room,
            12: _stamp_out(self.time),
            14: dict(self.evidence),
            15: list(self.flags),
            16: attempt,
        }
        if self.source is not None:
            record[5] = list(self.source)
        if self.position is not None:
            record[13] = list(self.position)
        if age_ms is not None:
            record[17] = age_ms
        return _encoded(record)


class Sent(NamedTuple):
    """An event as it came over a wire, with what the sender said of this transmission."""

    event: Event
    attempt: int
    age_ms: int | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The centre's statement that it has committed these events; also its answer to a heartbeat."""

    gateway: str
    intervals: tuple[Interval, ...]
    wall_ms: int  # the centre's clock
    echo: int | None = None  # the heartbeat's number, where it answers one: proves that the time is fresh

    def to_record(self) -> bytes:
        record: dict[int, Any] = {
            0: RECEIPT,
            1: self.gateway,
            2: [list(i) for i in self.intervals],
            3: self.wall_ms,
        }
        if self.echo is not None:
            record[4] = self.echo
        return _encoded(record)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The gateway's sign of life, every 30 s; its absence for 90 s is an alarm at the centre."""

    gateway: str
    number: int  # starts at random with each process, then counts
    time: Stamp
    version: str
    uptime_s: int
    unsettled: int  # events that wait for a receipt
    oldest_s: int  # age of the oldest of them
    terminals: int  # on the roster
    silent: int  # of them, now silent
    settled: tuple[Interval, ...] = ()  # some of what it still has of what was receipted: a centre may ask for it

    def to_record(self) -> bytes:
        record: dict[int, Any] = {
            0: HEARTBEAT,
            1: self.gateway,
            2: self.number,
            3: _stamp_out(self.time),
            4: self.version,
            5: self.uptime_s,
            6: self.unsettled,
            7: self.oldest_s,
            8: self.terminals,
            9: self.silent,
        }
        if self.settled:
            record[10] = [list(i) for i in self.settled]
        return _encoded(record)


@dataclass(frozen=True, slots=True)
class Command:
    """The centre asks the gateway to do something, in answer to a heartbeat: so it is known to be fresh."""

    gateway: str
    echo: int  # that heartbeat's number: taken once for each action, and only while it is one of the last
    wall_ms: int  # the centre's clock
    action: str
    intervals: tuple[Interval, ...]  # the events that are meant

    def to_record(self) -> bytes:
        return _encoded(
            {
                0: COMMAND,
                1: self.gateway,
                2: self.echo,
                3: self.wall_ms,
                4: self.action,
                5: [list(i) for i in self.intervals],
            }
        )


Record = Sent | Receipt | Heartbeat | Command


def decode(data: bytes) -> Record:
    """The record in `data`, which must be one CBOR item in our own deterministic form and nothing else.

    Raises RecordError for anything else, whatever the bytes are.
    """
    fields = _Fields(_item(data))
    kind = fields.take(0, int)
    read = _READERS.get(kind)
    if read is None:
        raise RecordError("unknown_type", str(kind))
    record = read(fields)
    fields.finish()
    return record


def _encoded(record: Mapping[int, Any]) -> bytes:
    """Deterministic CBOR (RFC 8949, 4.2.1). cbor2 sorts keys shorter first, as RFC 7049 did: for keys from 0 to 23, and
    for keys that are all text, the order is the same."""
    try:
        encoder = _IDLE.pop()  # ours alone until it is back: no two threads may use one at a time
    except IndexError:
        encoder = cbor2.CBOREncoder(io.BytesIO(), canonical=True)
    encoded = encoder.encode_to_bytes(record)
    _IDLE.append(encoder)  # one that has raised is not used again
    return encoded


def _item(data: bytes) -> Mapping[Any, Any]:
    if len(data) > RECORD_BYTES_MAX:
        raise RecordError("too_long", f"{len(data)} bytes, at most {RECORD_BYTES_MAX}")
    if not 0xA0 <= (data[0] if data else 0) <= 0xB7:  # a map of at most 23 entries: nothing else is parsed at all
        raise RecordError("not_a_map")
    try:
        item = cbor2.loads(data)
        again = _encoded(item)
    except Exception as error:  # cbor2 raises many kinds, RecursionError and those of what tags build among them
        raise RecordError("not_cbor", type(error).__name__) from error
    if again != data:  # unsorted or repeated keys, trailing bytes, long forms, indefinite lengths
        raise RecordError("not_deterministic")
    if not isinstance(item, dict) or not all(type(key) is int for key in item):  # true and 1.0 are 1 to a dict
        raise RecordError("field_type")
    return item


class _Fields:
    """A CBOR map read strictly: each field taken once with its type, and none left over."""

    def __init__(self, item: Mapping[Any, Any]):
        self._left = dict(item)

    def take(self, key: int, kind: type[Any], most: int = INT_MAX) -> Any:
        try:
            value = self._left.pop(key)
        except KeyError:
            raise RecordError("field_missing", str(key)) from None
        return self._checked(key, value, kind, most)

    def take_optional(self, key: int, kind: type[Any], most: int = INT_MAX) -> Any:
        return self.take(key, kind, most) if self.has(key) else None

    def has(self, key: int) -> bool:
        return key in self._left

    def text(self, key: int) -> str:
        value: str = self.take(key, str, TEXT_MAX)
        return value

    def numbers_optional(self, key: int, count: int) -> list[int] | None:
        return self.numbers(key, count) if self.has(key) else None

    def numbers(self, key: int, count: int) -> list[int]:
        values = self.take(key, list, count)
        if len(values) != count:
            raise RecordError("field_size", str(key))
        return [self._checked(key, value, int, INT_MAX) for value in values]

    def pass_over(self, keys: range) -> None:
        """Take what there is under `keys`, whatever it is."""
        for key in keys:
            self._left.pop(key, None)

    def finish(self) -> None:
        if self._left:
            raise RecordError("field_unknown", str(next(iter(self._left)))[:TEXT_MAX])

    @staticmethod
    def _checked(key: int, value: Any, kind: type[Any], most: int) -> Any:
        if type(value) is not kind:  # bool is an int to isinstance
            raise RecordError("field_type", str(key))
        size = value if kind is int else len(value)
        if not 0 <= size <= most:
            raise RecordError("field_range", str(key))
        return value


def _stamp_out(stamp: Stamp) -> list[int]:
    return [stamp.wall_ms, stamp.mono_ms, stamp.boot, CLOCK_QUALITIES.index(stamp.quality)]


def _stamp_in(fields: _Fields, key: int) -> Stamp:
    wall_ms, mono_ms, boot, quality = fields.numbers(key, 4)
    if quality >= len(CLOCK_QUALITIES):
        raise RecordError("field_range", str(key))
    return Stamp(wall_ms, mono_ms, boot, CLOCK_QUALITIES[quality])


def _event(fields: _Fields) -> Sent:
    source = fields.numbers_optional(5, 2)
    event = Event(
        gateway=fields.text(1),
        id=EventId(fields.take(2, int), fields.take(3, int)),
        alarm=EventId(*fields.numbers(4, 2)),
        kind=fields.text(6),  # any kind: a centre older than its gateways must not refuse an alarm
        phase=fields.text(7),
        severity=fields.text(8),
        link=fields.text(9),
        terminal=fields.text(10),
        room=fields.text(11),
        time=_stamp_in(fields, 12),
        source=Source(*source) if source else None,
        position=_position(fields.take_optional(13, list, 8)),
        evidence=_evidence(fields.take(14, dict, EVIDENCE_MAX)),
        flags=_flags(fields.take(15, list, FLAGS_MAX)),
    )
    if event.phase not in PHASES or event.severity not in SEVERITIES or event.link not in LINKS:
        raise RecordError("field_value", f"{event.phase} {event.severity} {event.link}")
    return Sent(event, fields.take(16, int), fields.take_optional(17, int))


def _position(values: list[Any] | None) -> tuple[int, ...] | None:
    if values is None:
        return None
    if not all(type(value) is int and abs(value) <= INT_MAX for value in values):
        raise RecordError("field_type", "13")
    return tuple(values)


def _evidence(values: Mapping[Any, Any]) -> dict[str, int]:
    for name, value in values.items():
        if type(name) is not str or len(name) > TEXT_MAX or type(value) is not int or abs(value) > INT_MAX:
            raise RecordError("field_type", "14")
    return dict(values)


def _flags(values: list[Any]) -> tuple[str, ...]:
    if not all(type(value) is str and len(value) <= TEXT_MAX for value in values):
        raise RecordError("field_type", "15")
    return tuple(values)


def _receipt(fields: _Fields) -> Receipt:
    gateway = fields.text(1)
    return Receipt(gateway, _intervals(fields, 2), fields.take(3, int), fields.take_optional(4, int))


def _intervals(fields: _Fields, key: int, least: int = 0, most: int = INTERVALS_MAX) -> tuple[Interval, ...]:
    rows = fields.take(key, list, most)
    if len(rows) < least:
        raise RecordError("field_range", str(key))
    return tuple(_interval(row, key) for row in rows)


def _interval(row: Any, key: int) -> Interval:
    if type(row) is not list or len(row) != 3:
        raise RecordError("field_type", str(key))
    for number in row:
        if type(number) is not int or not 0 <= number <= INT_MAX:
            raise RecordError("field_type", str(key))
    interval = Interval(*row)
    if interval.first > interval.last:
        raise RecordError("field_range", str(key))
    return interval


def _heartbeat(fields: _Fields) -> Heartbeat:
    heartbeat = Heartbeat(
        gateway=fields.text(1),
        number=fields.take(2, int),
        time=_stamp_in(fields, 3),
        version=fields.text(4),
        uptime_s=fields.take(5, int),
        unsettled=fields.take(6, int),
        oldest_s=fields.take(7, int),
        terminals=fields.take(8, int),
        silent=fields.take(9, int),
        settled=_intervals(fields, 10, 1, SETTLED_MAX) if fields.has(10) else (),
    )
    fields.pass_over(_HEARTBEAT_LATER)
    return heartbeat


def _command(fields: _Fields) -> Command:
    command = Command(
        gateway=fields.text(1),
        echo=fields.take(2, int),
        wall_ms=fields.take(3, int),
        action=fields.text(4),
        intervals=_intervals(fields, 5, 1),
    )
    if command.action not in ACTIONS:
        raise RecordError("field_value", command.action)
    return command


# What a newer gateway may add to its heartbeat: a centre that is older must not take it for lost.
_HEARTBEAT_LATER: Final = range(11, 16)

_READERS: Final[Mapping[int, Callable[[_Fields], Record]]] = {
    EVENT: _event,
    RECEIPT: _receipt,
    HEARTBEAT: _heartbeat,
    COMMAND: _command,
}
