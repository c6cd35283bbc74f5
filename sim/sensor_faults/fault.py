"""What a sensor fault is: a signal in, a spoiled signal out, whose value at any moment depends on that moment alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from statistics import NormalDist
from typing import Final

# What a sensor reads at `t_ms`, in its own unit. Asked in any order, at any rate and as often as one likes, it answers
# the same: terminals sample at rates of their own, and a replay must match.
Signal = Callable[[int], float]

SIGMAS_MAX: Final = 4.0  # of noise: so that what is spoiled stays bounded; 1 sample in 16,000 is beyond

_KEY_BYTES: Final = 16
_NORMAL: Final = NormalDist()


class Chance:
    """Chance without memory: the same number always draws the same, in whatever order they are asked for."""

    def __init__(self, random: Random):
        self._key = random.randbytes(_KEY_BYTES)

    def share(self, number: int) -> float:
        """Evenly from 0 to 1, both excluded."""
        digest = hashlib.blake2b(str(number).encode(), digest_size=6, key=self._key).digest()
        return (int.from_bytes(digest, "big") + 0.5) / 2**48

    def normal(self, number: int) -> float:
        """With mean 0 and deviation 1, within SIGMAS_MAX."""
        return max(-SIGMAS_MAX, min(SIGMAS_MAX, _NORMAL.inv_cdf(self.share(number))))

    def sign(self, number: int) -> int:
        """+1 or -1."""
        return 1 if self.share(number) < 0.5 else -1


@dataclass(frozen=True)
class Sensor:
    """What the strengths of faults are measured by."""

    unit: str
    span: float  # how much matters: of an alarm, its threshold
    least: float  # what it can report
    most: float
    contact: bool = False  # it knows but 0 and 1


@dataclass(frozen=True)
class Fault:
    """The fault that is none. Values are in the signal's own unit; times count from the fault's beginning."""

    least: float = field(default=-math.inf, kw_only=True)  # what the sensor can report
    most: float = field(default=math.inf, kw_only=True)

    def apply(self, signal: Signal, random: Random) -> Signal:
        """`signal` as this fault makes it from t_ms = 0 on, within `least` and `most`; before that as it is. All
        chance comes from `random`, now."""
        spoiled = self.spoil(signal, random)

        def value(t_ms: int) -> float:
            return signal(t_ms) if t_ms < 0 else max(self.least, min(self.most, spoiled(t_ms)))

        return value

    def spoil(self, signal: Signal, random: Random) -> Signal:
        """The model itself, for t_ms >= 0."""
        return signal

    def ends_ms(self) -> int | None:
        """When it is over by itself; None: never."""
        return None

    def moves_ms(self, t_ms: int) -> int | None:
        """When after `t_ms` a contact may next be moved by the fault alone; None: not again."""
        return None


def ramp(t_ms: int, over_ms: int) -> float:
    """From 0 at the beginning to 1 after `over_ms`, and 1 from then on."""
    return min(1.0, t_ms / over_ms)
