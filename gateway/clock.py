"""The gateway's clock: wall time and its quality, time since boot, and what a receipt teaches of the first."""

from __future__ import annotations

import ctypes
import time
from typing import Final, NamedTuple

from protocol.record import Now

BUILT_MS: Final = 1_767_225_600_000  # 2026-01-01: a clock before this program was made has not been set
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01: a clock after it has not been set either
ROUND_TRIP_MS_MAX: Final = 10_000  # a slower answer tells the time too badly; commits may take 2 s each way
OFF_MS_MAX: Final = 2_000  # less is not worth a step: receipts themselves are as uncertain on a slow link
LEARNED_MS_MAX: Final = 6 * 3_600_000  # a crystal drifts less than 2 s in so long; then it is holdover again

_TIME_ERROR: Final = 5  # adjtimex(2): the kernel's clock is not synchronised
_adjtimex = ctypes.CDLL(None).adjtimex
_TIMEX_BYTES_MAX: Final = 512  # struct timex has 208 at most; all zero asks and changes nothing


class _Learned(NamedTuple):
    """What the centre's signed answer said: this wall time was at this time since boot."""

    wall_ms: int
    mono_ms: int


class Clock:
    """Readings of CLOCK_REALTIME and CLOCK_BOOTTIME; both run `rate` times as fast in simulation.

    Wall time then runs from `anchor_ms` (ms since 1970 UTC; 0: the moment of making), so that processes agree on it.
    `now` and `mono_ms` may be called by any thread, `learn` by one.

    `boot_ns`, `wall_ns` and `kernel_is_sure` are all that is read of the machine; a simulated one gives its own.

    The system's clock is never touched. Wall time may step back: when the system's clock is set, and when a receipt
    proves it wrong by more than OFF_MS_MAX. Nothing is ordered or timed by it, so the truth is worth more than its
    rising; smaller errors never make it step.
    """

    def __init__(self, rate: int = 1, anchor_ms: int = 0):
        self._rate = rate
        self._anchor_ns = anchor_ms * 1_000_000 or self.wall_ns()
        self._learned: _Learned | None = None  # the wall clock, while the system's is wrong
        self._sure_ms: int | None = None  # mono ms at which a receipt last agreed with the wall clock

    def now(self) -> Now:
        """The time now."""
        mono_ms = self.mono_ms()
        system_ms = self._system_ms()
        learned, sure_ms = self._learned, self._sure_ms
        if _is_set(system_ms) and self.kernel_is_sure():
            return Now(system_ms, mono_ms, "synchronised")
        wall_ms = system_ms if learned is None else learned.wall_ms + mono_ms - learned.mono_ms
        if not _is_set(wall_ms):
            return Now(wall_ms, mono_ms, "unset")
        sure = sure_ms is not None and mono_ms - sure_ms <= LEARNED_MS_MAX * self._rate
        return Now(wall_ms, mono_ms, "synchronised" if sure else "holdover")

    def mono_ms(self) -> int:
        """The same as `now` has it, without asking the kernel how sure it is of the rest."""
        return self.boot_ns() * self._rate // 1_000_000

    def learn(self, wall_ms: int, sent_mono_ms: int, received_mono_ms: int) -> bool:
        """A signed and fresh answer said that it was `wall_ms` between these two moments; True where wall time steps.

        The kernel's own synchronisation is believed before it.
        """
        round_trip_ms = received_mono_ms - sent_mono_ms
        if not 0 <= round_trip_ms <= ROUND_TRIP_MS_MAX * self._rate or not _is_set(wall_ms):
            return False
        system_ms = self._system_ms()
        if _is_set(system_ms) and self.kernel_is_sure():
            self._learned = None
            return False
        now = self.now()
        true_ms = wall_ms + round_trip_ms // 2 + now.mono_ms - received_mono_ms
        self._sure_ms = now.mono_ms
        if abs(true_ms - now.wall_ms) <= max(OFF_MS_MAX * self._rate, round_trip_ms):
            return False
        right = abs(true_ms - system_ms) <= OFF_MS_MAX * self._rate  # somebody has set the system's clock meanwhile
        self._learned = None if right else _Learned(true_ms, now.mono_ms)
        return True

    def sleep_s(self, ms: int) -> float:
        """How long to wait, in real seconds, for `ms` of this clock to pass."""
        return max(0, ms) / 1000 / self._rate

    def _system_ms(self) -> int:
        return max(0, (self._anchor_ns + (self.wall_ns() - self._anchor_ns) * self._rate) // 1_000_000)

    def boot_ns(self) -> int:
        """Time since the machine's boot, suspended time included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall_ns(self) -> int:
        """The machine's wall clock, since 1970 UTC."""
        return time.time_ns()

    def kernel_is_sure(self) -> bool:
        """Whether the kernel says that something (NTP, PTP) keeps its clock right; False where it may not be asked."""
        state: int = _adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES_MAX))
        return 0 <= state < _TIME_ERROR


def _is_set(wall_ms: int) -> bool:
    return BUILT_MS <= wall_ms < LATEST_MS
