"""What a gateway hears and says on the port of one bracelet, without the port: NMEA 0183 and the bracelet's key."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Final

from gateway.home.messages import Alive, Fix, Input, Reading
from protocol import nmea
from protocol.record import Now, Source
from protocol.words import RAISED

ACKNOWLEDGEMENTS_MAX: Final = 64  # waiting for `poll`; a bracelet repeats what was not acknowledged
ALIVE_MS: Final = 5_000  # a receiver says ten sentences a second: one sign of life in this time will do
BATTERY_LOW_PCT: Final = 15  # a night's worth
BATTERY_WELL_PCT: Final = 25  # charged again; in between nothing changes


class BraceletLink:
    """One bracelet. `now()` reads the wall clock, to judge the date that the receiver says; the times of `receive` and
    `poll` are monotonic. `counters` counts by reason what came in and was refused or is not used. Only `acknowledge`
    and `counters` may be used from any thread."""

    def __init__(self, terminal: str, now: Callable[[], Now]):
        self._terminal = terminal
        self._now = now
        self._scanner = nmea.Scanner()
        self._receiver = nmea.Receiver()
        self._refused: Counter[str] = Counter()
        self._safe: deque[Source] = deque(maxlen=ACKNOWLEDGEMENTS_MAX)
        self._alive_ms: int | None = None  # when the last sign of life was told
        self._now_ms = 0

    @property
    def counters(self) -> Counter[str]:
        return Counter({**self._scanner.counters, **self._receiver.counters, **self._refused})

    def receive(self, data: bytes, now_ms: int) -> list[Input]:
        """What the core is told of any bytes from the port, in order; never raises."""
        self._now_ms = now_ms
        return [item for text in self._scanner.feed(data) for item in self._understood(text)]

    def acknowledge(self, terminal: str, source: Source) -> None:
        """The bracelet's event is safe: the next `poll` tells it so. KeyError where `terminal` is another."""
        if terminal != self._terminal:
            raise KeyError(terminal)
        self._safe.append(source)

    def poll(self, now_ms: int) -> bytes:
        """What to write to the port now."""
        out = b""
        while self._safe:
            boot, number = self._safe.popleft()
            out += nmea.acknowledgement(boot << 16 | number)
        return out

    def deadline(self) -> int | None:
        """When `poll` is due in ms: the past if it is, None while nothing waits."""
        return self._now_ms if self._safe else None

    def serves(self, terminal: str) -> bool:
        return terminal == self._terminal

    def _understood(self, text: str) -> Iterator[Input]:
        try:
            said = nmea.parse(text)
        except nmea.Refused as refused:
            self._refused[refused.reason] += 1
            said = None
        if isinstance(said, nmea.Key):
            yield Reading(self._terminal, said.kind, RAISED, "held", Source(*said.source))
        if isinstance(said, nmea.Battery):
            low = said.pct <= BATTERY_LOW_PCT or (None if said.pct < BATTERY_WELL_PCT else False)
            yield Alive(self._terminal, battery_low=low, battery_pct=said.pct)
        if isinstance(said, nmea.Located | nmea.Spread):
            yield from self._fix(said)
        if self._alive_ms is None or self._now_ms - self._alive_ms >= ALIVE_MS:
            self._alive_ms = self._now_ms
            yield Alive(self._terminal)

    def _fix(self, said: nmea.Located | nmea.Spread) -> Iterator[Input]:
        fix = self._receiver.take(said, self._now_ms)
        if fix is not None:
            yield Fix(self._terminal, fix)
        if isinstance(said, nmea.Located) and said.day is not None:
            now = self._now()
            fault = nmea.date_fault(said.day, now.wall_ms) if now.quality != "unset" else None
            if fault is not None:
                self._refused[fault] += 1
