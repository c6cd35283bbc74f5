"""A played home on ptys, in real time: the thread that moves bytes between terminals, line and the gateway's ports."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sim.bracelet import Bracelet
from sim.line import Line
from sim.pty_port import READ_BYTES_MAX, PtyPort
from sim.steps import Step
from sim.stimuli import Curve
from sim.stranger import Stranger
from sim.terminals import Played, Promise

TURN_S_MAX: Final = 0.25  # a turn is due this often although nothing asks for one


class Home:
    """Terminals on one line, whose plug is at `port`; and bracelets, each at a port of its own."""

    def __init__(
        self,
        port: Path,
        terminals: Sequence[Played],
        line: Line,
        mono_ms: Callable[[], int],
        rate: float = 1.0,
        bracelets: Mapping[Path, Bracelet] = MappingProxyType({}),
    ):
        self._on_it = list(terminals)
        self.terminals: Mapping[str, Played | Bracelet] = {
            **{terminal.name: terminal for terminal in terminals},
            **{bracelet.name: bracelet for bracelet in bracelets.values()},
        }
        self.line = line
        self._port = PtyPort(port)
        self._worn = [(PtyPort(path), bracelet) for path, bracelet in bracelets.items()]
        self._plugged = False
        self._mono_ms = mono_ms
        self._rate = rate
        self._lock = threading.Lock()
        self._wake_in, self._wake_out = socket.socketpair()
        self._stranger: Stranger | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="home", daemon=True)

    def plug(self) -> None:
        """Puts the ports in place, where nobody speaks yet; anew if they were there."""
        with self._lock:
            self._plugged = True
            for port in self._ports():
                port.plug()

    def start(self) -> None:
        """Lets the terminals speak, and puts the ports in place if they are not."""
        if not self._plugged:
            self.plug()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, if it was started, and unplugs everything."""
        self._stopping = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        for port in self._ports():
            port.unplug()
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
            next(one for one in self._on_it if one.name == name).expose(curve, self._mono_ms())
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

    @property
    def bytes_lost(self) -> int:
        """That the gateway did not take."""
        return sum(port.bytes_lost for port in self._ports())

    def _on_line(self, step: Step) -> None:
        if step.action == "unplug":
            self._port.unplug()
        elif step.action == "plug":
            self._port.plug()
        else:
            self.line.do(step.action, step.values)

    def _ports(self) -> list[PtyPort]:
        return [self._port, *(port for port, _ in self._worn)]

    def _wake(self) -> None:
        self._wake_out.send(b"\0")

    def _run(self) -> None:
        while not self._stopping:
            with self._lock:
                wait_s = self._turn()
                waiting = [self._wake_in.fileno(), *(fd for port in self._ports() for fd in port.waits())]
            with contextlib.suppress(OSError, ValueError):  # unplugged while we waited
                readable, _, _ = select.select(waiting, [], [], wait_s)
                if waiting[0] in readable:
                    self._wake_in.recv(READ_BYTES_MAX)

    def _turn(self) -> float:
        """Everything that is due; then how long nothing is, in real s."""
        now = self._mono_ms()
        down = self.line.down.carry(self._port.read(), now)
        up = b"".join(terminal.step(down, now) for terminal in self._on_it)
        for port, bracelet in self._worn:
            port.write(bracelet.step(port.read(), now))
        due = [terminal.deadline(now) for terminal in self.terminals.values()]
        if self._stranger:
            up += self._stranger.step(now)
            due.append(self._stranger.deadline())
        self._port.write(self.line.up.carry(up, now))
        due.append(self.line.deadline())
        next_ms = min((at for at in due if at is not None), default=now + 1000)
        return min(TURN_S_MAX, max(0.0, (next_ms - self._mono_ms()) / 1000 / self._rate))
