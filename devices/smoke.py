"""The smoke alarm: optical obscuration in, a `raised` and later a `restored` event out; dust is not smoke."""

from devices.logic import Logic
from devices.measure import YEAR_MS, Life, Range, Threshold
from protocol.wire.codes import ALARM_STANDING, END_OF_LIFE, KINDS, PHASES, SENSOR_FAULT

# The response threshold of a point optical detector: GB 4715-2024 5.7 lets none that cannot be adjusted respond below
# 0.15 dB/m, and none at all below 0.05 dB/m, where cooking and dust would sound it. Lower is earlier: so 0.15.
ALARM_MDB_M = 150
CLEAR_MDB_M = 100  # two thirds: smoke that wavers about the threshold is one alarm and not many
VERIFY_MS = 3000  # a spike of one sample (an insect, static) is no smoke; at one sample a second four must agree
CLEAR_MS = 60000  # smoke comes in waves: a minute of clean air before it is over
RANGE_MAX_MDB_M = 30000  # 30 dB/m leaves 0.1 % of the light after a metre: no chamber measures beyond

# Dust in the chamber reads like thin smoke that never goes. EN 54-7:2001 4.8 allows to compensate for it, as long as a
# fire that develops slowly is not compensated away: so both are bounded, how fast and how far.
BASELINE_STEP_MS = 4 * 3600000  # 1 mdB/m in so long: a fire that takes a day to the threshold is seen 4 % later
BASELINE_MAX_MDB_M = 90  # 0.6 thresholds: whatever rises however slowly alarms at 1.6 thresholds
BASELINE_CLEAN_MDB_M = 75  # dust that has reached the limit is a fault until somebody cleans the chamber
LIFE_MS = 10 * YEAR_MS  # NFPA 72 has smoke alarms of homes replaced ten years after their making

_FAULT = KINDS.index("sensor_fault")
_RAISED = PHASES.index("raised")


class Baseline:
    """What clean air reads in this chamber: the least of each undisturbed BASELINE_STEP_MS, approached slowly from
    below and at once from above, which only makes the alarm more sensitive."""

    def __init__(self, level: int) -> None:
        self.level = min(max(0, level), BASELINE_MAX_MDB_M)
        self._begun: int | None = None
        self._least = 0

    def step(self, sample: int, clean: bool, now: int) -> None:
        """Take one reading in mdB/m; `clean` is whether it may be of clean air."""
        if not clean:
            self._begun = None
            return
        if self._begun is None:
            self._begun = now
            self._least = sample
        self._least = min(self._least, sample)
        if now - self._begun >= BASELINE_STEP_MS:
            self.level = min(self._least, self.level + 1, BASELINE_MAX_MDB_M)
            self._begun = None


class Smoke(Logic):
    """Samples are obscuration in mdB/m (0.001 dB/m), at any rate; `value` is the latest beyond clean air's.

    Keeps its use in ms and the baseline.
    """

    KIND = KINDS.index("smoke")

    def __init__(self, kept: tuple[int, ...] = (), warm: bool = False) -> None:
        used_ms, baseline = kept if len(kept) == 2 else (0, 0)
        self._threshold = Threshold(ALARM_MDB_M, CLEAR_MDB_M, VERIFY_MS, CLEAR_MS)
        self._range = Range(0, RANGE_MAX_MDB_M)
        self._baseline = Baseline(baseline)
        self._life = Life(used_ms, LIFE_MS)
        self._dirty = False
        self._value = 0

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take one sample in mdB/m; any integer will do.

        Below zero it is a sensor fault and changes no alarm; beyond RANGE_MAX_MDB_M it is a fault *and* smoke,
        because a suspect sensor must not silence a fire.
        """
        self._life.step(now)
        if sample is None:
            return []
        self._range.step(sample, now)
        level = sample
        if sample >= 0:
            level = self._value = max(0, min(sample, RANGE_MAX_MDB_M) - self._baseline.level)
        phase = self._threshold.step(level, now)
        self._baseline.step(sample, self._threshold.quiet() and not self._range.faulty(), now)
        events = [] if phase is None else [(self.KIND, phase, self._value)]
        return events + self._contamination()

    def _contamination(self) -> list[tuple[int, int, int]]:
        """The fault itself with the baseline, which the bit in the heartbeats cannot tell; its end they tell alone."""
        baseline = self._baseline.level
        before, self._dirty = self._dirty, baseline > (BASELINE_CLEAN_MDB_M if self._dirty else BASELINE_MAX_MDB_M - 1)
        return [(_FAULT, _RAISED, baseline)] if self._dirty and not before else []

    def conditions(self) -> int:
        """SENSOR_FAULT while out of range, full of dust or too old; ALARM_STANDING from raised to restored."""
        bits = ALARM_STANDING if self._threshold.standing() else 0
        if self._range.faulty() or self._dirty:
            bits |= SENSOR_FAULT
        return bits | (SENSOR_FAULT | END_OF_LIFE if self._life.over() else 0)

    def value(self) -> int:
        """The latest obscuration beyond that of clean air, mdB/m."""
        return self._value

    def kept(self) -> tuple[int, ...]:
        return self._life.used_ms(), self._baseline.level
