"""Whether this is the copy of the project whose hot modules tools/compiled has compiled."""

from importlib.machinery import EXTENSION_SUFFIXES
from typing import Final

from sim.world import timeline

COMPILED: Final = timeline.__file__.endswith(tuple(EXTENSION_SUFFIXES))
