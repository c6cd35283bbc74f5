"""Chance by number: what is drawn for the n-th frame depends on (seed, name, n) alone, so what is not asked for costs
nothing, and a fault that is left out reshuffles no other."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Final

LANES: Final = 8  # sources of chance that share a name, each with a number of its own
ODDS: Final = 1 << 64  # the numbers are below this

_LANES: Final = Struct(f"<{LANES}Q")


class Chance:
    """As many sources of chance as there are lanes."""

    def __init__(self, seed: int, name: str):
        self._begun = blake2b(f"{seed}/{name}".encode(), digest_size=_LANES.size)

    def draw(self, number: int) -> tuple[int, ...]:
        """A number from 0 to below ODDS for each lane, independent of the others' and of those for any other number."""
        drawn = self._begun.copy()
        drawn.update(b"/%d" % number)
        return _LANES.unpack(drawn.digest())
