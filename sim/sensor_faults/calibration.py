"""Faults that bend every reading: offset, gain, drift, slow response, a sagging battery, a chamber that gets dirty.

Sources, by the names used below. Ni et al. and Sharma et al.: see readings.py. De Bruijn et al.: "Benchmark datasets
for fault detection and classification in sensor data", SENSORNETS 2016. They define the kinds; the figures of the
strengths are this project's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Final

from sim.sensor_faults.fault import Chance, Fault, Signal, ramp

DAY_MS: Final = 24 * 3_600_000
LAG_STEPS: Final = 40  # of the lag's memory, 8 for each tau: five tau hold 99.3 % of it
LAG_STEPS_A_TAU: Final = 8


@dataclass(frozen=True)
class Offset(Fault):
    """A constant error: y = x + c.

    Source: Ni et al. (calibration: offset).
    """

    offset: float  # c

    def spoil(self, signal: Signal, random: Random) -> Signal:
        return lambda t_ms: signal(t_ms) + self.offset


@dataclass(frozen=True)
class Gain(Fault):
    """A wrong sensitivity: y = g x.

    Source: Ni et al. (calibration: gain).
    """

    factor: float  # g

    def spoil(self, signal: Signal, random: Random) -> Signal:
        return lambda t_ms: signal(t_ms) * self.factor


@dataclass(frozen=True)
class DriftLinear(Fault):
    """An error that grows evenly: y = x + r t, up to `total`, where it stays.

    Source: Ni et al. (calibration: drift).
    """

    per_day: float  # r
    total: float  # of the same sign as per_day

    def spoil(self, signal: Signal, random: Random) -> Signal:
        over_ms = max(1, round(abs(self.total / self.per_day) * DAY_MS))
        return lambda t_ms: signal(t_ms) + self.total * ramp(t_ms, over_ms)


@dataclass(frozen=True)
class DriftPolynomial(Fault):
    """An error that grows along a curve, with noise: y = x + d (a1 u + a2 u^2 + a3 u^3) + sigma n(t), u = t / T up to
    1, the a by chance and of sum 1, so that d is where it ends.

    Source: de Bruijn et al. (polynomial drift, drift with noise).
    """

    total: float  # d
    over_ms: int  # T
    sigma: float

    def spoil(self, signal: Signal, random: Random) -> Signal:
        weights = [random.random() for _ in range(3)]
        shape = [self.total * weight / sum(weights) for weight in weights]
        noise = Chance(random)

        def value(t_ms: int) -> float:
            u = ramp(t_ms, self.over_ms)
            drift = sum(part * u**power for power, part in enumerate(shape, 1))
            return signal(t_ms) + drift + self.sigma * noise.normal(t_ms)

        return value


@dataclass(frozen=True)
class SlowResponse(Fault):
    """A first-order lag, as of a blocked inlet: y follows x with time constant tau. y is the mean of x(t - j tau/8) for
    j = 0 to 40 with weights e^(-j/8): the lag's impulse response, cut off at five tau.

    Source: the step response of a first-order system; smoke entry into a chamber is modelled so since Heskestad (1977).
    """

    tau_ms: int

    def spoil(self, signal: Signal, random: Random) -> Signal:
        weights = [math.exp(-step / LAG_STEPS_A_TAU) for step in range(LAG_STEPS + 1)]
        whole = sum(weights)

        def value(t_ms: int) -> float:
            past = (signal(t_ms - step * self.tau_ms // LAG_STEPS_A_TAU) for step in range(LAG_STEPS + 1))
            return sum(weight * seen for weight, seen in zip(weights, past, strict=True)) / whole

        return value


@dataclass(frozen=True)
class LowBatterySag(Fault):
    """The supply sags, readings with it, and they get noisy: y = x (1 - s u) + sigma u n(t), u = t / T up to 1.

    Source: Ni et al. and Sharma et al. (low battery: readings that fall off or scatter).
    """

    sag: float  # s, 0 to 1: the share of the reading that is lost in the end
    over_ms: int  # T
    sigma: float

    def spoil(self, signal: Signal, random: Random) -> Signal:
        noise = Chance(random)

        def value(t_ms: int) -> float:
            u = ramp(t_ms, self.over_ms)
            return signal(t_ms) * (1 - self.sag * u) + self.sigma * u * noise.normal(t_ms)

        return value


@dataclass(frozen=True)
class Contamination(Fault):
    """Dust in an optical smoke chamber: it scatters light in clean air, so that the baseline creeps towards the alarm,
    and adds to what smoke scatters: y = x (1 + k u) + b u, u = t / T up to 1.

    Source: why smoke alarms compensate for drift, and why standards (EN 54-7 on slowly developing fires; EN 14604 and
    UL 217 for homes) limit how far they may; shape and figures are this project's.
    """

    baseline: float  # b: the reading of clean air in the end
    sensitivity: float  # k, 0 and more: how much more smoke counts in the end
    over_ms: int  # T

    def spoil(self, signal: Signal, random: Random) -> Signal:
        def value(t_ms: int) -> float:
            u = ramp(t_ms, self.over_ms)
            return signal(t_ms) * (1 + self.sensitivity * u) + self.baseline * u

        return value
