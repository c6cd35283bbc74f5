"""A played home on a pty, in real time: the thread that moves bytes between terminals, line and the gateway's port."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import tty
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sim.line import Line
from sim.steps import Step
from sim.stimuli import Curve
from sim.stranger import Stranger
from sim.terminals import Played, Promise

READ_BYTES_MAX: Final = 4096
TURN_S_MAX: Final = 0.25  # a turn is due this often although nothing asks for one


class Home:
    """Terminals on one line, and the line's plug: `port` is a symbolic link to the pty, gone while unplugged."""

    def __init__(
        self, port: Path, terminals: Sequence[Played], line: Line, mono_ms: Callable[[], int], rate: float = 1.0
    ):
        self.terminals: Mapping[str, Played] = {terminal.name: terminal for terminal in terminals}
        self.line = line
        self.counters: Counter[str] = Counter()
        self._port = port
        self._mono_ms = mono_ms
        self._rate = rate
        self._lock = threading.Lock()
        self._fds: tuple[int, int] | None = None
        self._wake_in, self._wake_out = socket.socketpair()
        self._stranger: Stranger | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="home", daemon=True)

    def plug(self) -> None:
        """Puts the port in place, where nobody speaks yet; anew if it was there."""
        with self._lock:
            self._plug()

    def start(self) -> None:
        """Lets the terminals speak, and puts the port in place if it is not."""
        if self._fds is None:
            self.plug()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, if it was started, and unplugs the line."""
        self._stopping = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        self._unplug()
        self._wake_in.close()
        self._wake_out.close()

    def do(self, step: Step) -> None:
        """One step of a case whose target is the line or one of the terminals."""
        with self._lock:
            if step.target == "line":
                self._on_line(step)
            else:
                values = {name: int(value) for name, value in step.values.items()}
                self.terminals[step.target].do(step.action, self._mono_ms(), **values)
        self._wake()

    def expose(self, name: str, curve: Curve) -> None:
        """From now on the chamber of the smoke terminal `name` sees `curve`."""
        with self._lock:
            self.terminals[name].expose(curve, self._mono_ms())
        self._wake()

    def invite(self, stranger: Stranger | None) -> None:
        """Puts a talker on the line whom the gateway does not know; None: it goes."""
        with self._lock:
            self._stranger = stranger
        self._wake()

    def watch(self) -> None:
        """From now on what the sensors see is kept."""
        with self._lock:
            for terminal in self.terminals.values():
                terminal.watch()

    def samples(self) -> dict[str, list[tuple[int, int]]]:
        """What each sensor has seen since `watch`: (mono ms, value)."""
        with self._lock:
            return {name: list(terminal.samples) for name, terminal in self.terminals.items()}

    def promises(self) -> list[Promise]:
        """What all terminals took upon themselves to deliver, each terminal's in order."""
        with self._lock:
            return [promise for terminal in self.terminals.values() for promise in terminal.promises()]

    def pending(self) -> int:
        """Events that terminals still hold."""
        with self._lock:
            return sum(terminal.pending() for terminal in self.terminals.values())

    def resting(self) -> bool:
        """Whether every press that was asked for is over."""
        with self._lock:
            return all(terminal.resting() for terminal in self.terminals.values())

    def online(self) -> bool:
        """Whether every terminal that is alive has a session."""
        with self._lock:
            return all(terminal.online() for terminal in self.terminals.values() if terminal.alive)

    def _on_line(self, step: Step) -> None:
        if step.action == "unplug":
            self._unplug()
        elif step.action == "plug":
            self._plug()
        else:
            self.line.do(step.action, step.values)

    def _plug(self) -> None:
        """A new pty behind the port's name. Its other end stays open here too: a gateway that dies is no hang-up."""
        self._unplug()
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._fds = master, slave
        self._port.symlink_to(os.ttyname(slave))

    def _unplug(self) -> None:
        self._port.unlink(missing_ok=True)
        fds, self._fds = self._fds, None
        for fd in fds or ():
            os.close(fd)

    def _wake(self) -> None:
        self._wake_out.send(b"\0")

    def _run(self) -> None:
        while not self._stopping:
            with self._lock:
                wait_s = self._turn()
                waiting = [self._wake_in.fileno(), *([self._fds[0]] if self._fds else [])]
            with contextlib.suppress(OSError, ValueError):  # unplugged while we waited
                readable, _, _ = select.select(waiting, [], [], wait_s)
                if waiting[0] in readable:
                    self._wake_in.recv(READ_BYTES_MAX)

    def _turn(self) -> float:
        """Everything that is due; then how long nothing is, in real s."""
        now = self._mono_ms()
        down = self.line.down.carry(self._read(), now)
        up = b"".join(terminal.step(down, now) for terminal in self.terminals.values())
        due = [terminal.deadline(now) for terminal in self.terminals.values()]
        if self._stranger:
            up += self._stranger.step(now)
            due.append(self._stranger.deadline())
        self._write(self.line.up.carry(up, now))
        due.append(self.line.deadline())
        next_ms = min((at for at in due if at is not None), default=now + 1000)
        return min(TURN_S_MAX, max(0.0, (next_ms - self._mono_ms()) / 1000 / self._rate))

    def _read(self) -> bytes:
        if self._fds is None:
            return b""
        try:
            return os.read(self._fds[0], READ_BYTES_MAX)
        except (BlockingIOError, OSError):
            return b""

    def _write(self, data: bytes) -> None:
        """A line does not wait: what nobody takes is lost, as on a real one."""
        written = 0
        if data and self._fds is not None:
            with contextlib.suppress(BlockingIOError):
                written = os.write(self._fds[0], data)
        self.counters["bytes_lost"] += len(data) - written
