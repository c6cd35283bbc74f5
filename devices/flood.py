"""The flood alarm: the conductance between two electrodes in, a `raised` and later a `restored` event out."""

from devices.logic import Logic
from devices.measure import Range, Threshold
from protocol.wire.codes import ALARM_STANDING, KINDS, SENSOR_FAULT

# Tap water has 100 to 2500 uS/cm (Directive (EU) 2020/2184 allows no more); electrodes a centimetre apart and as wide
# read about that, in uS. A film of condensation stays below 10.
WET_US = 20
DRY_US = 10
WET_MS = 3000  # a drop that falls and runs off, a wet cloth passed over
DRY_MS = 60000  # what drips again and again is one flood and not many
# A resistor of 220 kOhm joins the electrodes at their far end, 4 to 5 uS: with less, the cable is broken.
OPEN_US = 2
SHORT_US = 20000  # below 50 Ohm is metal, or the sea
DIFFER_MS = 10000  # water arrives between two samples; electrodes that conduct one way only are fouled


class Flood(Logic):
    """Samples are uS, at any rate; the board drives the electrodes in the direction of `polarity` for the next one.

    The current goes either way by turns, so that it eats up neither electrode; both ways must agree.
    """

    KIND = KINDS.index("flood")

    def __init__(self, kept: tuple[int, ...] = (), warm: bool = False) -> None:
        self.polarity = 1  # of the next sample: 1 or -1
        self._threshold = Threshold(WET_US, DRY_US, WET_MS, DRY_MS)
        self._range = Range(OPEN_US, SHORT_US)
        self._latest: dict[int, int] = {}  # by polarity
        self._differ_ms: int | None = None  # since when one way is wet and the other dry
        self._fouled = False
        self._value = 0

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take one sample in uS, of `polarity`; any integer will do. Below OPEN_US the electrodes are cut off, which is
        a sensor fault and changes no alarm; above SHORT_US they touch, or all but: a fault *and* water."""
        if sample is None:
            return []
        self._range.step(sample, now)
        self._latest[self.polarity] = sample
        self.polarity = -self.polarity
        if sample >= OPEN_US:
            self._value = min(sample, SHORT_US)
        phase = self._threshold.step(self._level(now), now)
        return [] if phase is None else [(self.KIND, phase, self._value)]

    def _level(self, now: int) -> int:
        """What both ways say together: the lower of two that are wet, the higher of two that are dry, else -1.

        One way wet and the other not, for DIFFER_MS, is a fault *and* water.
        """
        least, most = min(self._latest.values()), max(self._latest.values())
        if len(self._latest) < 2:
            return -1
        if least < DRY_US and most >= WET_US:
            if self._differ_ms is None:
                self._differ_ms = now
            self._fouled = now - self._differ_ms >= DIFFER_MS
            return most if self._fouled else -1
        self._differ_ms, self._fouled = None, False
        if least < OPEN_US:
            return -1
        return least if least >= WET_US else most

    def conditions(self) -> int:
        """SENSOR_FAULT while the electrodes are cut off, short or fouled; ALARM_STANDING from raised to restored."""
        fault = self._range.faulty() or self._fouled
        return (SENSOR_FAULT if fault else 0) | (ALARM_STANDING if self._threshold.standing() else 0)

    def value(self) -> int:
        """The latest conductance, uS."""
        return self._value
