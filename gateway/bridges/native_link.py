"""What a gateway hears and says on one native serial link, without its port: bytes and the time in, readings out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from gateway.bridges.strangers import Stranger, Strangers
from gateway.config import TerminalConfig
from gateway.home.messages import Alive, Doubt, Input, Reading, Sign
from gateway.home.roster import SILENCE_S_MAX
from protocol.record import Source
from protocol.wire import codes, messages
from protocol.wire.gateway_end import GatewayEnd
from protocol.words import KINDS, RAISED, SIGNS

ACKNOWLEDGEMENTS_MAX: Final = 1024  # waiting for `poll`; a terminal repeats what was not acknowledged

# What the value of a terminal's event measures, by kind.
EVIDENCE: Final = {
    "smoke": "obscuration_mdb_m",
    "gas": "gas_permille_lel",
    "flood": "conductance_us",
    "button": "presses",
    "sensor_fault": "baseline_mdb_m",  # only a smoke chamber full of dust has an event for it
}


def heartbeat_s(terminals: Sequence[TerminalConfig]) -> int:
    """How often the terminals of a port are to be heard: thrice before any of them counts as silent, and no more often,
    for a battery lives on what is not said."""
    return max(1, min((terminal.silence_s_max // 3 for terminal in terminals), default=SILENCE_S_MAX // 3))


class NativeLink:
    """The terminals of one port. `now_ms` is monotonic and must not run backwards; `random(n)` gives n bytes fit for
    keys; `counters` counts by reason what came in and was refused. Only `acknowledge` may be called from any thread."""

    def __init__(self, terminals: Sequence[TerminalConfig], random: Callable[[int], bytes]):
        self._ids = {terminal.address: terminal.id for terminal in terminals}
        self._addresses = {terminal.id: terminal.address for terminal in terminals}
        self._kinds = {terminal.id: terminal.kind for terminal in terminals}
        keys = {terminal.address: terminal.key for terminal in terminals}
        self._end = GatewayEnd(keys, random, heartbeat_s(terminals))
        self._safe: deque[tuple[int, Source]] = deque(maxlen=ACKNOWLEDGEMENTS_MAX)
        self._strangers = Strangers()
        self._now_ms = 0
        self.counters: dict[str, int] = self._end.counters
        self.counters["unknown_kind_or_phase"] = 0

    def receive(self, data: bytes, now_ms: int) -> list[Input | Stranger]:
        """What any bytes from the port tell the core, and of strangers the agent, in order; never raises."""
        self._now_ms = now_ms
        return [item for message in self._end.receive(data, now_ms) for item in self._understood(message)]

    def acknowledge(self, terminal: str, source: Source) -> None:
        """The terminal's event is safe: the next `poll` tells it so. KeyError where it is not one of this port's."""
        self._safe.append((self._addresses[terminal], source))

    def poll(self, now_ms: int) -> bytes:
        """What to write to the port now."""
        while self._safe:
            address, source = self._safe.popleft()
            self._end.acknowledge(address, source.boot, source.number)
        data: bytes = self._end.poll(now_ms)
        return data

    def deadline(self) -> int | None:
        """When `poll` is due in ms: the past if it is, None while nothing waits."""
        if self._safe:
            return self._now_ms
        due: int | None = self._end.deadline()
        return due

    def serves(self, terminal: str) -> bool:
        """Whether `terminal` is one of this port's."""
        return terminal in self._addresses

    def _understood(self, message: Any) -> Iterator[Input | Stranger]:
        """What one message of the link tells."""
        if isinstance(message, messages.Stranger):
            if self._strangers.insists(message.address, self._now_ms):
                yield Stranger(message.address, self._ids.get(message.address, ""))
            return
        terminal = self._ids[message.address]
        if isinstance(message, messages.Doubt):
            if kind_and_phase := self._names(message):
                yield Doubt(terminal, *kind_and_phase, Source(message.boot, message.number), message.reason)
            return
        if isinstance(message, messages.Hello):
            yield Alive(terminal)
            return
        if isinstance(message, messages.Event):
            # Genuine, so it must be taken, or its terminal repeats it for ever: at least its own alarm is meant.
            kind, phase = self._names(message) or (self._kinds[terminal], RAISED)
            if kind in SIGNS:  # they raise nothing: there is nothing to make safe
                self._safe.append((message.address, Source(message.boot, message.number)))
            else:
                yield Reading(  # before its conditions: no trouble goes ahead of an alarm
                    terminal,
                    kind,
                    phase,
                    "held",
                    Source(message.boot, message.number),
                    message.age_ms,
                    {EVIDENCE.get(kind, "value"): message.value},
                )
        elif self._kinds[terminal] in SIGNS:
            yield _sign(terminal, self._kinds[terminal], message)
        yield Alive(
            terminal,
            tamper=bool(message.conditions & codes.TAMPER),
            battery_low=bool(message.conditions & codes.BATTERY_LOW),
            sensor_fault=bool(message.conditions & codes.SENSOR_FAULT),
            battery_pct=None if message.battery == codes.BATTERY_UNKNOWN else message.battery,
            alarm=_alarm(message),
            boot=message.boot,
            end_of_life=bool(message.conditions & codes.END_OF_LIFE),
            value=_value(message),
        )

    def _names(self, message: Any) -> tuple[str, str] | None:
        try:
            kind, phase = codes.KINDS[message.kind], codes.PHASES[message.phase]
        except IndexError:
            kind = phase = ""
        if kind not in KINDS or not phase:
            self.counters["unknown_kind_or_phase"] += 1
            return None
        return kind, phase


def _sign(terminal: str, kind: str, message: Any) -> Sign:
    """What a heartbeat of a motion sensor or a door contact says; its value is in s, below zero for never."""
    age_ms = None if message.value < 0 else message.value * 1000
    return Sign(terminal, age_ms, bool(message.conditions & codes.ACTIVE) if kind == "door" else None)


def _value(message: Any) -> int | None:
    """What its sensor reads; an event has a value of its own, and a cold sensor none."""
    if not isinstance(message, messages.Heartbeat) or message.conditions & codes.WARMING_UP:
        return None
    value: int = message.value
    return value


def _alarm(message: Any) -> bool | None:
    """Whether the terminal's own alarm stands; None where events of it are still on their way and will say so, or
    where it cannot know yet."""
    if not isinstance(message, messages.Heartbeat) or message.pending or message.conditions & codes.WARMING_UP:
        return None
    return bool(message.conditions & codes.ALARM_STANDING)
