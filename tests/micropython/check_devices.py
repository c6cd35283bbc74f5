"""Plays fixed samples through the devices and prints what came of it: the same under CPython and MicroPython."""

from binascii import hexlify

from devices.button import Button
from devices.door import Door
from devices.flood import Flood
from devices.gas import Gas
from devices.logic import Logic
from devices.motion import Motion
from devices.smoke import Smoke
from devices.sounder import Sounder
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


def gas_samples(dice: Dice) -> list[int | None]:
    """Warming up, clean air, a leak, waves, a broken sensor, clean air."""
    samples: list[int | None] = [dice.below(1200) for _ in range(100)] + [dice.below(40) for _ in range(60)]
    samples += [level + dice.below(30) for level in range(0, 400, 5)]
    samples += [dice.below(200) for _ in range(200)]
    samples += [(-1, 1001, 2**70, -(2**70))[dice.below(4)] for _ in range(20)]
    return samples + [dice.below(40) for _ in range(100)]


def flood_samples(dice: Dice) -> list[int | None]:
    """Dry, rising water, splashes, broken electrodes, dry."""
    samples: list[int | None] = [dice.below(8) for _ in range(60)]
    samples += list(range(5, 400, 5))
    samples += [(5, 400, 12)[dice.below(3)] for _ in range(200)]
    samples += [(-1, 0, 30000, 2**70)[dice.below(4)] for _ in range(20)]
    return samples + [4 + dice.below(3) for _ in range(100)]


def pin_samples(dice: Dice) -> list[int | None]:
    """Moves, then a long rest, then a pin that is stuck."""
    samples: list[int | None] = [(0, 1, None, None, None)[dice.below(5)] for _ in range(400)]
    return samples + [0] + [None] * 40 + [1] + [None] * 200 + [0, None]


def play(name: str, logic: Logic, samples: list[int | None], dice: Dice, wait_ms: int) -> None:
    """Over a bad line to a gateway: one turn in eight, noise comes instead of what was sent."""
    key = dice.bytes(32)
    gateway = GatewayEnd({ADDRESS: key}, dice.bytes)
    end = TerminalEnd(ADDRESS, logic.KIND, key, dice.bytes, 0)
    terminal = Terminal(end, logic)
    sounder = Sounder(logic.KIND)
    now = 0
    received = b""
    for turn, sample in enumerate(samples):
        now += 1 + dice.below(wait_ms)
        if not dice.below(60) and sounder.press(now):
            terminal.test(now)
        sent = terminal.step(received, sample, dice.below(4), dice.below(101), now)
        sounder.show(terminal.standing, terminal.indication, logic.value(), now)
        said = gateway.receive(sent if dice.below(8) else dice.bytes(9), now)
        for message in said:
            if isinstance(message, Event):
                gateway.acknowledge(ADDRESS, message.boot, message.number)
        received = gateway.poll(now)
        state = (terminal.indication, terminal.deadline(), end.pending(), logic.conditions(), logic.value())
        heard = (sounder.buzzes(now), sounder.lit(now), sounder.deadline(now), logic.kept())
        print(name, turn, now, hexlify(sent).decode(), state, heard, [tuple(message) for message in said])


dice = Dice(20517)
play("smoke", Smoke(), smoke_samples(dice), dice, 4000)
play("button", Button(), button_samples(dice), dice, 600)
play("gas", Gas(), gas_samples(dice), dice, 4000)
play("flood", Flood(), flood_samples(dice), dice, 4000)
play("motion", Motion(), pin_samples(dice), dice, 40000)
play("door", Door(), pin_samples(dice), dice, 40000)
