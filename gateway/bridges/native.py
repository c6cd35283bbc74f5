"""The native serial link: one port with several terminals on it, read and written by a thread of its own."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import termios
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import serial

from gateway.config import BridgeConfig, TerminalConfig
from gateway.home.messages import Alive, Doubt, Input, Reading
from protocol.record import Source
from protocol.wire import codes, messages
from protocol.wire.gateway_end import GatewayEnd
from protocol.words import RAISED

READ_BYTES_MAX: Final = 4096  # one read; a tty's own buffer holds as much
REOPEN_S: Final = 1.0  # an unplugged adapter is looked for this often
WRITE_TIMEOUT_S: Final = 1.0  # a port that takes no bytes for this long is opened anew
STOP_S_MAX: Final = 3.0  # how long `stop` waits for the thread, which may hang in a driver or before a full inbox
HEARTBEAT_S: Final = 60  # of a terminal, unless one is to be missed sooner
ACKNOWLEDGEMENTS_MAX: Final = 1024  # waiting for the thread; a terminal repeats what was not acknowledged

# What the value of a terminal's event measures, by kind.
EVIDENCE: Final = {"smoke": "obscuration_mdb_m", "button": "presses"}


@dataclass(frozen=True, slots=True)
class BridgeState:
    """A bridge's port was opened or lost."""

    bridge: str
    up: bool
    detail: str


def heartbeat_s(terminals: Sequence[TerminalConfig]) -> int:
    """How often the terminals of a port are to be heard: at least thrice before any of them counts as silent."""
    return max(1, min([HEARTBEAT_S, *(terminal.silence_s_max // 3 for terminal in terminals)]))


class NativeBridge:
    """Runs one port until stopped. `put` takes what comes in (Reading, Alive, Doubt, BridgeState) from its thread;
    `mono_ms` is the gateway's monotonic clock."""

    def __init__(
        self,
        config: BridgeConfig,
        terminals: Sequence[TerminalConfig],
        put: Callable[[object], None],
        mono_ms: Callable[[], int],
        sleep_s: Callable[[int], float],
    ):
        self.config = config
        self.counters: Counter[str] = Counter()  # of this thread
        self._put = put
        self._mono_ms = mono_ms
        self._sleep_s = sleep_s
        self._ids = {terminal.address: terminal.id for terminal in terminals}
        self._addresses = {terminal.id: terminal.address for terminal in terminals}
        self._kinds = {terminal.id: terminal.kind for terminal in terminals}
        keys = {terminal.address: terminal.key for terminal in terminals}
        self._end = GatewayEnd(keys, os.urandom, heartbeat_s(terminals))
        self._safe: deque[tuple[int, Source]] = deque(maxlen=ACKNOWLEDGEMENTS_MAX)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_out.setblocking(False)
        self._stopping = threading.Event()
        self._up: bool | None = None
        self._thread = threading.Thread(target=self._run, name=f"bridge {config.id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake()
        self._thread.join(STOP_S_MAX)
        if not self._thread.is_alive():
            self._wake_in.close()
            self._wake_out.close()

    def acknowledge(self, terminal: str, source: Source) -> None:
        """Tell the terminal that its event is safe. Callable from any thread; never blocks."""
        self._safe.append((self._addresses[terminal], source))
        self._wake()

    def serves(self, terminal: str) -> bool:
        return terminal in self._addresses

    def up(self) -> bool:
        return bool(self._up)

    def all_counters(self) -> Counter[str]:
        """What was refused or lost here, by reason, with the bridge's name in front."""
        prefix = f"{self.config.id}."
        return Counter({prefix + name: n for name, n in {**self._end.counters, **self.counters}.items() if n})

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full of earlier wakes: it is awake already
            self._wake_out.send(b"\0")

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with serial.Serial(
                    self.config.port, self.config.baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True
                ) as port:
                    self._report(True, self.config.port)
                    while not self._stopping.is_set():
                        self._turn(port)
            # SerialException is an OSError; ValueError: a name that is no port; termios.error, which is neither: pulled
            # out at the moment of opening.
            except (OSError, ValueError, termios.error) as error:
                self.counters["port_lost"] += 1
                self._report(False, str(error))
                self._stopping.wait(REOPEN_S)

    def _report(self, up: bool, detail: str) -> None:
        if up != self._up:
            self._up = up
            self._put(BridgeState(self.config.id, up, detail))

    def _turn(self, port: Any) -> None:
        """Wait for bytes, an acknowledgement or a deadline; then everything that is due."""
        deadline = self._end.deadline()
        wait_s = None if deadline is None else max(0.0, self._sleep_s(deadline - self._mono_ms()))
        readable, _, _ = select.select([port, self._wake_in], [], [], wait_s)
        if self._wake_in in readable:
            self._wake_in.recv(READ_BYTES_MAX)
        if port in readable:
            for message in self._end.receive(port.read(READ_BYTES_MAX), self._mono_ms()):
                for item in self._understood(message):
                    self._put(item)
        while self._safe:
            address, source = self._safe.popleft()
            self._end.acknowledge(address, source.boot, source.number)
        if data := self._end.poll(self._mono_ms()):
            port.write(data)

    def _understood(self, message: Any) -> Iterator[Input]:
        """What the core is told of one message of the link."""
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
            yield Reading(  # before its conditions: no trouble goes ahead of an alarm
                terminal,
                kind,
                phase,
                "held",
                Source(message.boot, message.number),
                message.age_ms,
                {EVIDENCE.get(kind, "value"): message.value},
            )
        yield Alive(
            terminal,
            tamper=bool(message.conditions & codes.TAMPER),
            battery_low=bool(message.conditions & codes.BATTERY_LOW),
            sensor_fault=bool(message.conditions & codes.SENSOR_FAULT),
            battery_pct=None if message.battery == codes.BATTERY_UNKNOWN else message.battery,
        )

    def _names(self, message: Any) -> tuple[str, str] | None:
        try:
            kind, phase = codes.KINDS[message.kind], codes.PHASES[message.phase]
        except IndexError:
            kind = phase = ""
        if not kind or not phase:
            self.counters["unknown_kind_or_phase"] += 1
            return None
        return kind, phase
