"""The gateway's clocks in virtual time: since boot, and a wall clock that drifts, steps, is lost and is set."""

from __future__ import annotations

from typing import Final

from gateway.clock import Clock
from sim.world.timeline import Timeline

BEGUN_WALL_MS: Final = 1_800_000_000_000  # true time at the beginning of every run: 2027-01-15 08:00 UTC
UNSET_MS: Final = {"1970": 0, "2000": 946_684_800_000}  # what a machine without a clock battery begins with


class MachineClock(Clock):
    """The real clock's rules on a simulated machine; survives the processes that read it, and not a power cut.

    `drift_ppm` is of the wall clock's crystal (a Raspberry Pi's is within 50 ppm).
    """

    def __init__(self, timeline: Timeline):
        self._timeline = timeline
        self._booted_ms = 0
        self._set_ms = 0  # when the wall clock was last set, true time
        self._set_wall_ms = BEGUN_WALL_MS
        self._drift_ppm = 0
        self.ntp = False  # whether the kernel is kept right by somebody
        super().__init__()

    def boot(self, unset: str = "") -> None:
        """The machine starts; with `unset` ("1970", "2000") it has lost its wall clock."""
        self._booted_ms = self._timeline.now
        self.ntp = False
        if unset:
            self.unset(unset)
        self.fresh()

    def unset(self, year: str) -> None:
        """The wall clock falls back to what it begins with in "1970" or "2000"."""
        self.set(UNSET_MS[year])

    def fresh(self) -> None:
        """A process starts: what the one before it learned is gone with it."""
        super().__init__()

    def set(self, wall_ms: int) -> None:
        """Somebody sets the wall clock."""
        self._set_ms, self._set_wall_ms = self._timeline.now, wall_ms

    def step(self, ms: int) -> None:
        """Somebody steps the wall clock: a person, a wrong NTP server, daylight saving in a clock of local time."""
        self.set(self._wall_ms() + ms)

    def drift(self, ppm: int) -> None:
        self.set(self._wall_ms())
        self._drift_ppm = ppm

    def true_wall_ms(self) -> int:
        """What a right clock would say."""
        return BEGUN_WALL_MS + self._timeline.now

    def true_ms(self, mono_ms: int) -> int:
        """True time at the moment `mono_ms` of this boot."""
        return self._booted_ms + mono_ms

    def boot_ns(self) -> int:
        return (self._timeline.now - self._booted_ms) * 1_000_000

    def wall_ns(self) -> int:
        return self._wall_ms() * 1_000_000

    def kernel_is_sure(self) -> bool:
        return self.ntp

    def _wall_ms(self) -> int:
        passed_ms = self._timeline.now - self._set_ms
        return self._set_wall_ms + passed_ms + passed_ms * self._drift_ppm // 1_000_000
