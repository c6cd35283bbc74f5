"""Signs of life: when each terminal that watches for them last had one, and how the doors stand.

Nothing here is stored: a terminal tells the age of its last sign with every heartbeat, so a restart knows it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.home.messages import Sign

AGE_MS_MAX: Final = 400 * 86_400_000  # more than a year without a sign is none


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one terminal's signs; `last_ms` is monotonic, perhaps before this start."""

    last_ms: int | None = None
    open: bool | None = None


class Signs:
    """By terminal."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def take(self, sign: Sign, now_ms: int) -> None:
        """A terminal says what it last sensed. Its restart, which forgets that, takes nothing back; nor does an age
        that is rounded."""
        before = self.of(sign.terminal).last_ms
        told = None if sign.age_ms is None or sign.age_ms > AGE_MS_MAX else now_ms - max(0, sign.age_ms)
        times = [at_ms for at_ms in (before, told) if at_ms is not None]
        self._known[sign.terminal] = Known(max(times, default=None), sign.open)

    def of(self, terminal: str) -> Known:
        """What is known of `terminal`."""
        return self._known.get(terminal, Known())
