"""A bridge on a real pty: native terminals' own code at the other end, unplugged and plugged in again."""

from __future__ import annotations

import errno
import os
import queue
import termios
import threading
import time
import tty

import pytest

from gateway.bridges import port
from gateway.bridges.bracelet_link import BraceletLink
from gateway.bridges.native_link import NativeLink
from gateway.bridges.port import BridgeState, PortBridge
from gateway.config import BridgeConfig, TerminalConfig
from gateway.home.messages import Alive, Doubt, Reading
from protocol import nmea
from protocol.record import Now, Source
from protocol.wire import codes, frame, messages
from protocol.wire.terminal_end import TerminalEnd

KEY = bytes(range(32))
SMOKE, BUTTON = codes.KINDS.index("smoke"), codes.KINDS.index("button")
RAISED = codes.PHASES.index("raised")


def mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Line:
    """A pty under a name of its own, and terminals that are moved by hand."""

    def __init__(self, path):
        self.path = path
        self.inbox: queue.Queue[object] = queue.Queue()
        self.ends = [
            TerminalEnd(1001, SMOKE, KEY, os.urandom, mono_ms()),
            TerminalEnd(1002, BUTTON, KEY, os.urandom, mono_ms()),
        ]
        self.plug()
        terminals = [
            TerminalConfig("smoke-1", "smoke", "kitchen", "native", 1001, KEY, 200),
            TerminalConfig("button-1", "button", "bedroom", "native", 1002, KEY, 200),
        ]
        config = BridgeConfig("native", str(path), 115200)
        self.bridge = PortBridge(
            config, NativeLink(terminals, os.urandom), self.inbox.put, mono_ms, lambda ms: ms / 1000
        )
        self.bridge.start()

    def plug(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self.slave))

    def unplug(self):
        os.close(self.master)
        os.close(self.slave)
        self.path.unlink(missing_ok=True)

    def turn(self):
        try:
            data = os.read(self.master, 4096)
        except BlockingIOError:
            data = b""
        for end in self.ends:
            end.receive(data, mono_ms())
            if out := end.poll(mono_ms()):
                os.write(self.master, out)
        time.sleep(0.005)

    def next(self, kind, timeout_s=8.0):
        """The next message of this kind, with the terminals turning meanwhile."""
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            self.turn()
            try:
                message = self.inbox.get_nowait()
            except queue.Empty:
                continue
            if isinstance(message, kind):
                return message
        raise AssertionError(f"no {kind.__name__} within {timeout_s} s")

    def turn_until(self, done, timeout_s=8.0):
        until_s = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < until_s
            self.turn()


@pytest.fixture
def line(tmp_path):
    found = Line(tmp_path / "port")
    yield found
    found.bridge.stop()
    found.unplug()


def test_an_event_arrives_with_its_conditions_and_is_repeated_until_acknowledged(line):
    smoke = line.ends[0]
    line.turn_until(smoke.online)
    smoke.conditions(codes.TAMPER | codes.BATTERY_LOW, 12, 321)
    number = smoke.offer(SMOKE, RAISED, 321, mono_ms())
    reading = line.next(Reading)
    alive = line.next(Alive)
    assert (reading.terminal, reading.kind, reading.phase, reading.link) == ("smoke-1", "smoke", "raised", "held")
    assert reading.source == Source(smoke.boot, number)
    assert reading.evidence == {"obscuration_mdb_m": 321}
    assert (alive.tamper, alive.battery_low, alive.battery_pct) == (True, True, 12)
    assert smoke.pending() == 1
    line.bridge.acknowledge("smoke-1", reading.source)
    line.turn_until(lambda: smoke.pending() == 0)


def test_several_terminals_share_the_port(line):
    for end, kind in zip(line.ends, (SMOKE, BUTTON), strict=True):
        line.turn_until(end.online)
        end.offer(kind, RAISED, 1, mono_ms())
    assert {line.next(Reading).terminal, line.next(Reading).terminal} == {"smoke-1", "button-1"}


def test_a_port_that_is_unplugged_is_said_and_found_again_when_it_is_back(line):
    assert line.next(BridgeState).up
    line.turn_until(line.ends[0].online)
    line.unplug()
    until_s = time.monotonic() + 5
    while not isinstance(message := line.inbox.get(timeout=5), BridgeState):
        assert time.monotonic() < until_s
    assert not message.up
    assert message.detail
    line.plug()
    assert line.next(BridgeState).up
    line.ends[1].offer(BUTTON, RAISED, 1, mono_ms())
    assert line.next(Reading).terminal == "button-1"


def test_a_port_that_was_never_there_is_said(tmp_path):
    inbox: queue.Queue[object] = queue.Queue()
    config = BridgeConfig("native", str(tmp_path / "nowhere"), 9600)
    bridge = PortBridge(config, NativeLink([], os.urandom), inbox.put, mono_ms, lambda ms: ms / 1000)
    bridge.start()
    message = inbox.get(timeout=5)
    assert isinstance(message, BridgeState)
    assert not message.up
    assert "nowhere" in message.detail
    bridge.stop()


def test_a_bracelets_link_runs_on_a_port_as_well(tmp_path):
    inbox: queue.Queue[object] = queue.Queue()
    master, slave = os.openpty()
    tty.setraw(slave)
    config = BridgeConfig("worn", os.ttyname(slave), 9600, "bracelet")
    link = BraceletLink("bracelet-1", lambda: Now(0, mono_ms(), "unset"))
    bridge = PortBridge(config, link, inbox.put, mono_ms, lambda ms: ms / 1000)
    bridge.start()
    assert isinstance(inbox.get(timeout=5), BridgeState)  # what was said before it was open is gone
    os.write(master, nmea.sentence("PSXK,SOS,65537") + b"$PSXK,SOS,9*00\r\n")
    reading, alive = (inbox.get(timeout=5) for _ in range(2))
    assert isinstance(reading, Reading)
    assert isinstance(alive, Alive)
    bridge.acknowledge("bracelet-1", reading.source)
    assert os.read(master, 100) == nmea.acknowledgement(65537)
    assert bridge.all_counters() == {"worn.bad_checksum": 1}
    bridge.stop()
    os.close(master)
    os.close(slave)


def test_noise_raises_nothing_and_is_counted(line):
    line.turn_until(line.ends[0].online)
    for _ in range(20):
        os.write(line.master, os.urandom(200) + b"\0")
        line.turn()
    line.ends[1].offer(BUTTON, RAISED, 1, mono_ms())
    assert line.next(Reading).terminal == "button-1"
    assert sum(line.bridge.all_counters().values()) > 0


def test_an_event_that_nobody_can_verify_is_a_doubt(line):
    line.turn_until(line.ends[0].online)
    forger = TerminalEnd(1001, SMOKE, KEY, os.urandom, mono_ms())
    body = (forger.boot, 7, SMOKE, RAISED, 0, 500, 0, 255)
    sealed = messages.seal(bytes(32), messages.EVENT, 1001, 99, body)
    os.write(line.master, frame.wrap(sealed))
    doubt = line.next(Doubt)
    assert (doubt.terminal, doubt.kind, doubt.phase) == ("smoke-1", "smoke", "raised")


def test_a_port_pulled_out_at_the_moment_of_opening_is_looked_for_again(line, monkeypatch):
    def gone(*_):
        monkeypatch.undo()
        raise termios.error(errno.EIO, "Input/output error")

    assert line.next(BridgeState).up
    line.unplug()
    while not isinstance(message := line.inbox.get(timeout=5), BridgeState):
        pass
    assert not message.up
    monkeypatch.setattr(termios, "tcflush", gone)
    line.plug()
    assert line.next(BridgeState).up
    assert line.bridge.counters["port_lost"] >= 2


def test_stopping_does_not_wait_for_a_thread_that_hangs(line, monkeypatch):
    monkeypatch.setattr(port, "STOP_S_MAX", 0.1)
    release = threading.Event()
    monkeypatch.setattr(line.bridge, "_put", lambda message: release.wait(10))
    line.ends[0].offer(SMOKE, RAISED, 1, mono_ms())
    for _ in range(100):
        line.turn()
    began_s = time.monotonic()
    line.bridge.stop()
    assert time.monotonic() - began_s < 2
    release.set()
    monkeypatch.undo()  # the fixture stops it once more, now that it can
