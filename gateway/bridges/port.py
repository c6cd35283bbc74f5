"""A serial port with terminals on it, read and written by a thread of its own, whatever link they speak."""

from __future__ import annotations

import contextlib
import select
import socket
import termios
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import serial

from gateway.config import BridgeConfig
from protocol.record import Source

READ_BYTES_MAX: Final = 4096  # one read; a tty's own buffer holds as much
REOPEN_S: Final = 1.0  # an unplugged adapter is looked for this often
WRITE_TIMEOUT_S: Final = 1.0  # a port that takes no bytes for this long is opened anew
STOP_S_MAX: Final = 3.0  # how long `stop` waits for the thread, which may hang in a driver or before a full inbox


@dataclass(frozen=True, slots=True)
class BridgeState:
    """A bridge's port was opened or lost."""

    bridge: str
    up: bool
    detail: str


class Link(Protocol):
    """What is spoken on a port, without the port. Only `acknowledge` is called from any thread."""

    @property
    def counters(self) -> Mapping[str, int]: ...
    def receive(self, data: bytes, now_ms: int) -> Sequence[object]: ...
    def acknowledge(self, terminal: str, source: Source) -> None: ...
    def poll(self, now_ms: int) -> bytes: ...
    def deadline(self) -> int | None: ...
    def serves(self, terminal: str) -> bool: ...


def refused_of(counters: Mapping[str, int]) -> int:
    """How many messages of a link nobody vouched for, or were said before."""
    return counters.get("bad_tag", 0) + counters.get("replays", 0)


class PortBridge:
    """Runs one port until stopped. `put` takes what comes in (what the link understands, and BridgeState) from its
    thread; `mono_ms` is the gateway's monotonic clock."""

    def __init__(
        self,
        config: BridgeConfig,
        link: Link,
        put: Callable[[object], None],
        mono_ms: Callable[[], int],
        sleep_s: Callable[[int], float],
    ):
        self.config = config
        self.counters: Counter[str] = Counter()  # of this thread
        self._put = put
        self._mono_ms = mono_ms
        self._sleep_s = sleep_s
        self._link = link
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
        self._link.acknowledge(terminal, source)
        self._wake()

    def serves(self, terminal: str) -> bool:
        return self._link.serves(terminal)

    def refused(self) -> int:
        """How many messages were not vouched for, or were said before."""
        return refused_of(self._link.counters)

    def up(self) -> bool:
        return bool(self._up)

    def all_counters(self) -> Counter[str]:
        """What was refused or lost here, by reason, with the bridge's name in front."""
        prefix = f"{self.config.id}."
        return Counter({prefix + name: n for name, n in {**self._link.counters, **self.counters}.items() if n})

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
        deadline = self._link.deadline()
        wait_s = None if deadline is None else max(0.0, self._sleep_s(deadline - self._mono_ms()))
        readable, _, _ = select.select([port, self._wake_in], [], [], wait_s)
        if self._wake_in in readable:
            self._wake_in.recv(READ_BYTES_MAX)
        if port in readable:
            for item in self._link.receive(port.read(READ_BYTES_MAX), self._mono_ms()):
                self._put(item)
        if data := self._link.poll(self._mono_ms()):
            port.write(data)
