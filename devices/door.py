"""The door contact: the level of a pin in, whether the door stands open and since when out, and no alarm."""

from devices.contact import Contact
from devices.logic import Logic
from devices.motion import NEVER
from protocol.wire.codes import ACTIVE, KINDS

DEBOUNCE_MS = 50  # a reed contact bounces for 1 ms, a door that falls shut trembles for some ten


class Door(Logic):
    """Samples are 1 (open) or 0; `value` is the whole s since it was moved, or NEVER."""

    KIND = KINDS.index("door")
    TEST_KIND = KINDS.index("inactivity")  # the alarm that it is there for

    def __init__(self, kept: tuple[int, ...] = (), warm: bool = False) -> None:
        self._contact = Contact(DEBOUNCE_MS, None)
        self._moved_ms: int | None = None
        self._now = 0

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take the pin's level (None: unchanged). There are no events: what it sees is in `conditions` and `value`."""
        self._now = now
        if self._contact.step(sample, now):
            self._moved_ms = now
        return []

    def conditions(self) -> int:
        """ACTIVE while it stands open."""
        return ACTIVE if self._contact.level == 1 else 0

    def value(self) -> int:
        """Whole s since it was opened or closed, or NEVER."""
        return NEVER if self._moved_ms is None else (self._now - self._moved_ms) // 1000

    def deadline(self) -> int | None:
        """When the bouncing will be over."""
        return self._contact.deadline()
