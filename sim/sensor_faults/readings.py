"""Faults of single readings: outliers, spikes, stuck values, noise, rails, chatter, contacts worn or held.

Sources, by the names used below. Ni et al.: "Sensor network data fault types", ACM Transactions on Sensor Networks
5(3), 2009. Sharma et al.: "Sensor faults: detection methods and prevalence in real-world datasets", the same, 6(3),
2010. They define the kinds; the figures of the strengths are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sim.sensor_faults.fault import Chance, Fault, Signal


@dataclass(frozen=True)
class Outlier(Fault):
    """Single readings far from the rest, either way: y = x + s m in a share of slots, s = +1 or -1 by chance.

    Source: Ni et al. (outlier).
    """

    magnitude: float  # m
    share: float  # of slots, 0 to 1
    slot_ms: int  # how long one lasts: about one sample

    def spoil(self, signal: Signal, random: Random) -> Signal:
        hits, signs = Chance(random), Chance(random)

        def value(t_ms: int) -> float:
            slot = t_ms // self.slot_ms
            return signal(t_ms) + (self.magnitude * signs.sign(slot) if hits.share(slot) < self.share else 0.0)

        return value


@dataclass(frozen=True)
class Spike(Fault):
    """A rise over several readings and back, much faster than what is measured can move: y = x + h (1 - |2 u / l - 1|)
    for u from 0 to l after the spike's beginning, which lies anywhere in each period.

    Source: Ni et al. (spike); Sharma et al. (SHORT, where it is one reading).
    """

    height: float  # h; below zero it is a dip
    lasts_ms: int  # l
    every_ms: int  # the period, one spike in each

    def spoil(self, signal: Signal, random: Random) -> Signal:
        begins = Chance(random)

        def value(t_ms: int) -> float:
            period = t_ms // self.every_ms
            since_ms = t_ms - period * self.every_ms - begins.share(period) * (self.every_ms - self.lasts_ms)
            return signal(t_ms) + self.height * max(0.0, 1 - abs(2 * since_ms / self.lasts_ms - 1))

        return value


@dataclass(frozen=True)
class StuckAt(Fault):
    """The reading stays what it was when the fault began: y(t) = x(0).

    Source: Ni et al. (stuck-at); Sharma et al. (CONSTANT).
    """

    lasts_ms: int | None  # None: for ever

    def spoil(self, signal: Signal, random: Random) -> Signal:
        stuck = signal(0)
        return lambda t_ms: stuck if self.lasts_ms is None or t_ms < self.lasts_ms else signal(t_ms)

    def ends_ms(self) -> int | None:
        return self.lasts_ms


@dataclass(frozen=True)
class HighNoise(Fault):
    """White noise on top: y = x + sigma n(t), n normal, anew for each ms.

    Source: Ni et al. (high noise or variance); Sharma et al. (NOISE).
    """

    sigma: float

    def spoil(self, signal: Signal, random: Random) -> Signal:
        noise = Chance(random)
        return lambda t_ms: signal(t_ms) + self.sigma * noise.normal(t_ms)


@dataclass(frozen=True)
class Clipping(Fault):
    """The converter or amplifier ends before the signal does: y = x, but never above `ceiling`.

    Source: Ni et al. (clipping, among the calibration and saturation faults).
    """

    ceiling: float

    def spoil(self, signal: Signal, random: Random) -> Signal:
        return lambda t_ms: min(self.ceiling, signal(t_ms))


@dataclass(frozen=True)
class OutOfRange(Fault):
    """Readings that the sensor cannot give, as from a broken wire or a sensor that does not answer: y = `reading` in a
    share of slots. The only fault that the sensor's limits do not hold.

    Source: Ni et al. (connection or hardware faults).
    """

    reading: float
    share: float  # of slots, 0 to 1
    slot_ms: int

    def apply(self, signal: Signal, random: Random) -> Signal:
        return _from_zero(signal, self.spoil(signal, random))

    def spoil(self, signal: Signal, random: Random) -> Signal:
        hits = Chance(random)
        return lambda t_ms: self.reading if hits.share(t_ms // self.slot_ms) < self.share else signal(t_ms)


@dataclass(frozen=True)
class Chatter(Fault):
    """A value that wavers, as about a threshold: y = x + s a, s = +1 or -1 by chance for each slot.

    Source: what a comparator without hysteresis makes of a value near its threshold.
    """

    amplitude: float  # a
    slot_ms: int

    def spoil(self, signal: Signal, random: Random) -> Signal:
        signs = Chance(random)
        return lambda t_ms: signal(t_ms) + self.amplitude * signs.sign(t_ms // self.slot_ms)


@dataclass(frozen=True)
class WornContact(Fault):
    """A contact that opens for a moment, again and again, while it is held closed: y = 0 in a share of slots.

    Source: devices/button.py on how long contacts bounce.
    """

    share: float  # of slots, 0 to 1
    slot_ms: int

    def spoil(self, signal: Signal, random: Random) -> Signal:
        hits = Chance(random)
        return lambda t_ms: 0.0 if hits.share(t_ms // self.slot_ms) < self.share else signal(t_ms)

    def moves_ms(self, t_ms: int) -> int | None:
        return (t_ms // self.slot_ms + 1) * self.slot_ms


@dataclass(frozen=True)
class StuckButton(Fault):
    """A contact that is held down: jammed, or something lies on it: y = 1.

    Source: Ni et al. (stuck-at), of a contact.
    """

    lasts_ms: int | None  # None: for ever

    def spoil(self, signal: Signal, random: Random) -> Signal:
        return lambda t_ms: 1.0 if self.lasts_ms is None or t_ms < self.lasts_ms else signal(t_ms)

    def ends_ms(self) -> int | None:
        return self.lasts_ms

    def moves_ms(self, t_ms: int) -> int | None:
        return self.lasts_ms if self.lasts_ms is not None and t_ms < self.lasts_ms else None


def _from_zero(signal: Signal, spoiled: Signal) -> Signal:
    return lambda t_ms: signal(t_ms) if t_ms < 0 else spoiled(t_ms)
