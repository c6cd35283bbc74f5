"""What goes into the core of the gateway and what comes out of it, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol.geo import Position
from protocol.record import Event, EventId, Interval, Source

# --- what goes in ---


@dataclass(frozen=True, slots=True)
class Reading:
    """What a terminal says happened, verified by its bridge."""

    terminal: str
    kind: str
    phase: str
    link: str  # "held" or "heard"
    source: Source | None = None
    age_ms: int = 0  # since it happened, as the terminal counts
    evidence: Mapping[str, int] = field(default_factory=dict)
    position: Position | None = None  # where it happened


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a bracelet is; its age is that at which it comes here."""

    terminal: str
    position: Position


@dataclass(frozen=True, slots=True)
class Alive:
    """A sign of life of a terminal with its conditions: a heartbeat, or what came along with an event.

    A condition that is None is not stated: a hello, for instance, says nothing of them and must restore nothing.
    """

    terminal: str
    tamper: bool | None = None
    battery_low: bool | None = None
    sensor_fault: bool | None = None
    battery_pct: int | None = None
    alarm: bool | None = None  # its own alarm stands, and no event of it is on its way
    boot: int | None = None  # the one of its boots that says so
    end_of_life: bool = False  # the sensor fault is that its time is over
    value: int | None = None  # what its sensor reads now, in its kind's unit


@dataclass(frozen=True, slots=True)
class Sign:
    """What a terminal that watches for life last sensed: somebody, or of a door that it was moved."""

    terminal: str
    age_ms: int | None  # since then; None: nothing since the terminal started
    open: bool | None = None  # how a door stands; None: it is no door


@dataclass(frozen=True, slots=True)
class Doubt:
    """A well-formed event in the name of a rostered terminal whose tag or freshness failed."""

    terminal: str
    kind: str
    phase: str
    source: Source
    reason: str


@dataclass(frozen=True, slots=True)
class Committed:
    """The store has these events on disk, synced."""

    events: tuple[EventId, ...]


@dataclass(frozen=True, slots=True)
class Receipted:
    """The centre has committed all events within these intervals."""

    intervals: tuple[Interval, ...]

    def covers(self, event: EventId) -> bool:
        return any(span.holds(event) for span in self.intervals)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that the gateway itself finds began or ended: kind is a trouble such as storage_fault."""

    kind: str
    present: bool
    evidence: Mapping[str, int] = field(default_factory=dict)
    terminal: str = ""  # the one that it is about; else the gateway itself


@dataclass(frozen=True, slots=True)
class Called:
    """The centre is calling the resident about the alarms that these events raised."""

    intervals: tuple[Interval, ...]


Input = Reading | Fix | Alive | Sign | Doubt | Committed | Receipted | Condition | Called

# --- what comes out ---


@dataclass(frozen=True, slots=True)
class Commit:
    """Put these events (perhaps none) into the outbox and these parts of the core's state (None: delete) beside them,
    in one transaction; start sending the events without waiting for it."""

    events: tuple[Event, ...]
    state: Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Keep:
    """Parts of the core's state that changed without an event: write them with the next commit or within 10 min."""

    state: Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The terminal's event is safe: tell it so."""

    terminal: str
    source: Source


@dataclass(frozen=True, slots=True)
class Siren:
    """Sound the siren, or stop it."""

    on: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the resident how the call stands: "sending", "received", "not_received" (phone 120 / 119) or "calling" (the
    centre is on the phone); or ask: "question" whether all is well, then "answered"."""

    message: str
    kind: str
    terminal: str  # "" with the kind: of no alarm that is known here


Effect = Commit | Keep | Acknowledge | Siren | Tell
