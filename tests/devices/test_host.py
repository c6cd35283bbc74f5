"""A terminal as a real process on a real pty, against the gateway's end of the wire."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.boards.host import LINE_BYTES_MAX, Clock, Stimuli, main
from devices.logic import NO_SAMPLE
from protocol.wire import codes
from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.messages import Event, Heartbeat, Hello

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = 1001
KEY = bytes(range(32))
WAIT_S_MAX = 15  # for what takes well under one on a free machine


class Bench:
    """A terminal's process, the pty it is on, and the gateway's end of the wire at the other side."""

    def __init__(self, folder: Path, kind: str, rate: int = 1):
        self.clock = Clock(rate)
        self.end = GatewayEnd({ADDRESS: KEY}, os.urandom)
        self.messages: list[Any] = []
        self.lines: list[str] = []
        self.acknowledging = True
        self._path = folder / "port"
        self._text = b""
        self.plug()
        (folder / "key").write_text(KEY.hex() + "\n")
        command = f"-m devices.boards.host --kind {kind} --address {ADDRESS} --clock-rate {rate}".split()
        self.process = subprocess.Popen(
            [sys.executable, *command, "--key-file", folder / "key", "--port", self._path],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )

    def plug(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        fresh = self._path.with_suffix(".new")
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self._path)

    def unplug(self) -> None:
        os.close(self._master)
        os.close(self._slave)
        self._master = -1

    def say(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        if self._master >= 0:
            self.unplug()

    def until(self, done: Callable[[], bool]) -> None:
        """Play the gateway until `done`."""
        give_up = time.monotonic() + WAIT_S_MAX
        while not done():
            if time.monotonic() > give_up or self.process.poll() is not None:
                pytest.fail(f"waited in vain; messages {self.messages}, output {self.lines}, {self.end.counters}")
            self._turn()

    def for_ms(self, ms: int) -> None:
        """Play the gateway for `ms` of the terminal's clock."""
        end = self.clock.now_ms() + ms
        self.until(lambda: self.clock.now_ms() >= end)

    def _turn(self) -> None:
        assert self.process.stdout is not None
        watched: list[Any] = [self.process.stdout]
        if self._master >= 0:
            watched.append(self._master)
        readable, _, _ = select.select(watched, [], [], 0.005)
        if self.process.stdout in readable:
            *whole, self._text = (self._text + os.read(self.process.stdout.fileno(), 4096)).split(b"\n")
            self.lines += [line.decode() for line in whole]
        now = self.clock.now_ms()
        if self._master in readable:
            for message in self.end.receive(os.read(self._master, 4096), now):
                self.messages.append(message)
                if isinstance(message, Event) and self.acknowledging:
                    self.end.acknowledge(ADDRESS, message.boot, message.number)
        if (data := self.end.poll(now)) and self._master >= 0:
            os.write(self._master, data)

    def events(self) -> list[tuple[str, str, int]]:
        return [(codes.KINDS[m.kind], codes.PHASES[m.phase], m.value) for m in self.messages if isinstance(m, Event)]

    def conditions(self) -> int:
        """Of the latest event or heartbeat."""
        latest = [m.conditions for m in self.messages if isinstance(m, Event | Heartbeat)]
        return latest[-1] if latest else 0

    def shown(self) -> list[str]:
        return [line.removeprefix("indication ") for line in self.lines if line.startswith("indication ")]

    def linked(self) -> None:
        self.until(lambda: any(isinstance(m, Hello) for m in self.messages))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def make(kind: str, rate: int = 1) -> Bench:
        benches.append(Bench(tmp_path, kind, rate))
        return benches[-1]

    yield make
    for each in benches:
        each.close()


def test_a_press_arrives_is_acknowledged_and_shown(bench: Callable[..., Bench]) -> None:
    button = bench("button")
    button.acknowledging = False
    button.linked()
    button.say("press")
    button.until(lambda: button.shown()[-1:] == ["sending"] and bool(button.events()))
    event = next(m for m in button.messages if isinstance(m, Event))
    button.end.acknowledge(ADDRESS, event.boot, event.number)
    button.acknowledging = True
    button.until(lambda: button.shown()[-1:] == ["received"])
    button.say("press", "press")
    button.until(lambda: len(button.events()) == 3)
    assert button.events() == [("button", "raised", 1), ("button", "raised", 2), ("button", "raised", 3)]


def test_a_smoke_curve_raises_and_later_restores(bench: Callable[..., Bench]) -> None:
    smoke = bench("smoke", rate=50)
    smoke.linked()
    for sample in [0, 40, 120, 200, 300, *[400] * 100]:  # as many as a slow machine may need
        if smoke.shown()[-1:] == ["alarm"]:
            break
        smoke.say(str(sample))
        smoke.for_ms(2000)
    smoke.until(lambda: len(smoke.events()) == 1)
    for _ in range(300):
        if len(smoke.events()) == 2:
            break
        smoke.say("20")
        smoke.for_ms(1000)
    (_, _, raised_at), restored = smoke.events()
    assert raised_at in (300, 400)
    assert restored == ("smoke", "restored", 20)
    smoke.until(lambda: smoke.shown()[-1] == "idle")


def test_an_event_outlives_a_port_that_vanishes_and_comes_back(bench: Callable[..., Bench]) -> None:
    button = bench("button", rate=5)
    button.linked()
    button.unplug()
    button.until(lambda: any(line.startswith("port lost") for line in button.lines))
    button.say("press")
    button.until(lambda: button.shown()[-1:] == ["sending"])
    button.plug()
    button.until(lambda: button.shown()[-1:] == ["received"])
    assert button.events() == [("button", "raised", 1)]
    assert sum(line.startswith("port lost") for line in button.lines) == 1


def test_a_terminal_waits_for_a_port_that_is_not_there_yet(bench: Callable[..., Bench]) -> None:
    button = bench("button", rate=5)
    button.unplug()
    button.until(lambda: any(line.startswith("port lost") for line in button.lines))
    button.plug()
    button.linked()


def test_tamper_battery_and_a_dead_sensor_are_told(bench: Callable[..., Bench]) -> None:
    smoke = bench("smoke", rate=200)
    smoke.linked()
    for line, bits in (
        ("tamper on", codes.TAMPER),
        ("battery 9", codes.TAMPER | codes.BATTERY_LOW),
        ("tamper off", codes.BATTERY_LOW),
        (str(NO_SAMPLE), codes.BATTERY_LOW | codes.SENSOR_FAULT),
        ("battery 80", codes.SENSOR_FAULT),
    ):
        smoke.say(line)
        smoke.until(lambda bits=bits: smoke.conditions() == bits)  # type: ignore[misc]
    smoke.until(lambda: smoke.shown()[-1] == "fault")


def test_a_gas_alarm_warms_up_sounds_and_is_tested(bench: Callable[..., Bench]) -> None:
    gas = bench("gas", rate=200)
    gas.linked()
    gas.until(lambda: gas.shown()[-1:] == ["warming"])
    gas.say("test")
    gas.until(lambda: gas.events() == [("gas", "test", 0)] and "sound temporal-4" in gas.lines)
    gas.until(lambda: gas.lines.count("sound none") == 2)
    gas.until(lambda: gas.shown()[-2:] == ["warming", "idle"])
    for _ in range(300):
        if len(gas.events()) == 2:
            break
        gas.say("300")
        gas.for_ms(2000)
    gas.until(lambda: gas.events()[1:] == [("gas", "raised", 300)] and gas.lines.count("sound temporal-4") == 2)


def test_a_motion_sensor_tells_of_life_with_its_heartbeats(bench: Callable[..., Bench]) -> None:
    motion = bench("motion", rate=200)
    motion.linked()
    motion.until(lambda: motion.conditions() == 0 and motion.shown()[-1:] == ["idle"])  # it is warm
    motion.say("1", "0")
    motion.until(lambda: motion.conditions() == codes.ACTIVE)
    motion.until(lambda: motion.conditions() == 0)
    last = [message for message in motion.messages if isinstance(message, Heartbeat)][-1]
    assert last.value >= 60
    assert motion.events() == []


def test_lines_that_mean_nothing_are_named_and_change_nothing(bench: Callable[..., Bench]) -> None:
    smoke = bench("smoke")
    smoke.linked()
    smoke.say("press", "battery 101", "99999999999", "x" * 5000, "", "tamper on" + " " * 5000)
    smoke.until(lambda: sum(line.startswith("not understood") for line in smoke.lines) == 5)
    assert max(map(len, smoke.lines)) < LINE_BYTES_MAX + 100
    assert (smoke.events(), smoke.conditions(), smoke.shown()) == ([], 0, ["idle"])


def test_input_cut_anywhere_means_the_same() -> None:
    text = b"press\ntamper on\nbattery 7\n1\n0\n"
    whole = Stimuli("button")
    whole.feed(text)
    pieces = Stimuli("button")
    for byte in text:
        assert pieces.feed(bytes([byte])) == []
    taken = [[s.sample(now) for now in range(0, 1000, 100)] for s in (whole, pieces)]
    assert taken[0] == taken[1] == [1, 0, 1, 0, None, None, None, None, None, None]
    assert whole.conditions == pieces.conditions == codes.TAMPER | codes.BATTERY_LOW


@pytest.mark.parametrize("content", [None, "", "not a key", "ab" * 31, "é" * 64])
def test_a_bad_key_file_gets_a_sentence_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    path = tmp_path / "k.key"
    if content is not None:
        path.write_text(content)
    assert main(["--kind", "smoke", "--address", "1", "--key-file", str(path), "--port", "/dev/null"]) == 2
    told = capsys.readouterr().err
    assert str(path) in told
    assert "密钥" in told


def test_help_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "example:" in capsys.readouterr().out
