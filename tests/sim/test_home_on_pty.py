"""A played home on a real pty: its bytes reach whoever opens the port, and the port can be unplugged and plugged."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.messages import Event
from sim.home import Home
from sim.line import CLEAN, Faults, Line
from sim.steps import Step
from sim.terminals import Played

KEY = bytes(range(32))


def mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "line", [Played("button-1", "button", 1001, KEY, 1, mono_ms())], Line(1), mono_ms)
    made.start()
    yield made
    made.stop()


class Gateway:
    """The other side of the port."""

    def __init__(self) -> None:
        self.end = GatewayEnd({1001: KEY}, os.urandom)
        self.events: list[Event] = []

    def run(self, path: Path, home: Home, events: int, seconds: float = 5.0) -> None:
        """Until so many events have been acknowledged."""
        end_s = time.monotonic() + seconds
        with serial.Serial(str(path), timeout=0.02) as port:
            while (len(self.events) < events or home.pending() or not home.online()) and time.monotonic() < end_s:
                for message in self.end.receive(port.read(4096), mono_ms()):
                    if isinstance(message, Event):
                        self.events.append(message)
                        self.end.acknowledge(message.address, message.boot, message.number)
                port.write(self.end.poll(mono_ms()))


def test_a_press_reaches_whoever_opens_the_port(home: Home, tmp_path: Path) -> None:
    gateway = Gateway()
    home.do(Step(0, "button-1", "press"))
    gateway.run(tmp_path / "line", home, events=1)
    assert [event.number for event in gateway.events] == [1]
    assert home.pending() == 0
    assert [promise.acknowledged_ms is not None for promise in home.promises()] == [True]


def test_an_unplugged_port_is_gone_and_comes_back_under_its_name(home: Home, tmp_path: Path) -> None:
    gateway = Gateway()
    gateway.run(tmp_path / "line", home, events=0)
    home.do(Step(0, "line", "unplug"))
    assert not os.path.lexists(tmp_path / "line")
    home.do(Step(0, "button-1", "press"))
    time.sleep(0.3)
    home.do(Step(0, "line", "plug"))
    gateway.run(tmp_path / "line", home, events=1)
    assert [event.number for event in gateway.events] == [1]


def test_what_nobody_reads_is_lost_and_blocks_nothing(home: Home, tmp_path: Path) -> None:
    home.line.set_faults(Faults(noise=5000.0))
    home.do(Step(0, "button-1", "press"))  # wakes it
    end_s = time.monotonic() + 10
    while not home.bytes_lost and time.monotonic() < end_s:
        time.sleep(0.05)
    assert home.bytes_lost
    home.line.set_faults(CLEAN)
    gateway = Gateway()
    gateway.run(tmp_path / "line", home, events=1)
    assert len(gateway.events) == 1
