"""Plays fixed samples through the devices and prints what came of it: the same under CPython and MicroPython."""

from binascii import hexlify

from devices.button import Button
from devices.logic import Logic
from devices.smoke import Smoke
from devices.terminal import Terminal
from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.messages import Event
from protocol.wire.terminal_end import TerminalEnd

ADDRESS = 7


class Dice:
    """The same numbers on every Python (MINSTD, Park and Miller 1988)."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, most: int) -> int:
        self._state = self._state * 48271 % 2147483647
        return self._state % most

    def bytes(self, count: int) -> bytes:
        return bytes([self.below(256) for _ in range(count)])


def smoke_samples(dice: Dice) -> list[int | None]:
    """Clean air, a rising fire, waves, a broken sensor, clean air."""
    samples: list[int | None] = [dice.below(90) for _ in range(400)]
    samples += [level + dice.below(60) for level in range(0, 600, 7)]
    samples += [dice.below(400) for _ in range(200)]
    samples += [(-1, 31000, 2**70, -(2**70))[dice.below(4)] for _ in range(20)]
    return samples + [dice.below(90) for _ in range(200)]


def button_samples(dice: Dice) -> list[int | None]:
    """Bouncing, pressing, then a button that is stuck."""
    return [(0, 1, 1, None)[dice.below(4)] for _ in range(600)] + [1] * 60 + [0, None]


def play(name: str, logic: Logic, samples: list[int | None], dice: Dice, wait_ms: int) -> None:
    """Over a bad line to a gateway: one turn in eight, noise comes instead of what was sent."""
    key = dice.bytes(32)
    gateway = GatewayEnd({ADDRESS: key}, dice.bytes)
    end = TerminalEnd(ADDRESS, logic.KIND, key, dice.bytes, 0)
    terminal = Terminal(end, logic)
    now = 0
    received = b""
    for turn, sample in enumerate(samples):
        now += 1 + dice.below(wait_ms)
        sent = terminal.step(received, sample, dice.below(4), dice.below(101), now)
        said = gateway.receive(sent if dice.below(8) else dice.bytes(9), now)
        for message in said:
            if isinstance(message, Event):
                gateway.acknowledge(ADDRESS, message.boot, message.number)
        received = gateway.poll(now)
        state = (terminal.indication, terminal.deadline(), end.pending(), logic.conditions(), logic.value())
        print(name, turn, now, hexlify(sent).decode(), state, [tuple(message) for message in said])


dice = Dice(20517)
play("smoke", Smoke(), smoke_samples(dice), dice, 4000)
play("button", Button(), button_samples(dice), dice, 600)
