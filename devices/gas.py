"""The gas alarm: the concentration of combustible gas in, a `raised` and later a `restored` event out."""

from devices.logic import Logic
from devices.measure import YEAR_MS, Life, Range, Threshold
from protocol.wire.codes import ALARM_STANDING, END_OF_LIFE, KINDS, SENSOR_FAULT, WARMING_UP

# Concentrations are in permille of the lower explosive limit, 0.1 %LEL: the unit of GB/T 26875.3-2011 for them. Alarms
# for homes are sold with a threshold of a tenth of the limit: ten times as much is left, and a whiff does not reach it.
ALARM_PML = 100
CLEAR_PML = 50  # half: gas that wavers about the threshold is one alarm and not many
# GB 15322.2 of 2026: from 15 to 60 s until the alarm. Spirits, a pan, a burner that lights late are gone sooner.
VERIFY_MS = 20000
CLEAR_MS = 60000  # a draught thins the gas for a moment: a minute of clean air before it is over
RANGE_MAX_PML = 1000  # from 100 %LEL on it can explode: a catalytic sensor's range ends there

# A cold sensor reads anything. GB 15322.2-2019 3.3.7 tries the alarm with gas that is there while it warms up: that gas
# must not be lost, so it is raised as soon as this is over.
WARM_UP_MS = 180000
LIFE_MS = 5 * YEAR_MS  # what catalytic and semiconductor sensors are sold for; GB 15322.2-2019 has its end shown


class Gas(Logic):
    """Samples are permille of the LEL, at any rate; `value` is the latest that was in range.

    Keeps its use in ms. Started cold it takes no sample for WARM_UP_MS, and says so.
    """

    KIND = KINDS.index("gas")

    def __init__(self, kept: tuple[int, ...] = (), warm: bool = False) -> None:
        self._threshold = Threshold(ALARM_PML, CLEAR_PML, VERIFY_MS, CLEAR_MS)
        self._range = Range(0, RANGE_MAX_PML)
        self._life = Life(kept[0] if len(kept) == 1 else 0, LIFE_MS)
        self._warm = warm
        self._warm_ms: int | None = None  # when it will be
        self._value = 0

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take one sample; any integer will do. Below zero it is a sensor fault and changes no alarm; beyond
        RANGE_MAX_PML it is a fault *and* gas."""
        self._life.step(now)
        if not self._warm:
            if self._warm_ms is None:
                self._warm_ms = now + WARM_UP_MS
            self._warm = now >= self._warm_ms
        if sample is None or not self._warm:
            return []
        self._range.step(sample, now)
        if sample >= 0:
            self._value = min(sample, RANGE_MAX_PML)
        phase = self._threshold.step(sample, now)
        return [] if phase is None else [(self.KIND, phase, self._value)]

    def conditions(self) -> int:
        """WARMING_UP, SENSOR_FAULT while out of range or too old, ALARM_STANDING from raised to restored."""
        bits = 0 if self._warm else WARMING_UP
        if self._threshold.standing():
            bits |= ALARM_STANDING
        if self._range.faulty():
            bits |= SENSOR_FAULT
        return bits | (SENSOR_FAULT | END_OF_LIFE if self._life.over() else 0)

    def value(self) -> int:
        """The latest concentration, permille of the LEL."""
        return self._value

    def deadline(self) -> int | None:
        """When it will be warm."""
        return None if self._warm else self._warm_ms

    def kept(self) -> tuple[int, ...]:
        return (self._life.used_ms(),)
