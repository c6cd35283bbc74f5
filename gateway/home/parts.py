"""The parts of the core's state as they are stored: a key such as alarm/smoke-1/smoke, and integers in CBOR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import cbor2

from protocol.record import INT_MAX

ALARM: Final = "alarm"  # alarm/<terminal>/<kind>: an alarm that stands
SOURCE: Final = "source"  # source/<terminal>: its last event that was taken; only ever stored beside that event
SILENCE: Final = "silence"  # silence/<terminal>: how long it had been silent when this was stored
DOUBT: Final = "doubt"  # doubt/<terminal>: when it last raised an unverified alarm
HEALTH: Final = "health"  # health/<terminal>: what was found to be wrong with its sensor
STILL: Final = "still"  # still/<gateway>: how long there had been no sign of life when this was stored

LENGTHS: Final = {ALARM: 3, SOURCE: 2, SILENCE: 2, DOUBT: 2, HEALTH: 2, STILL: 2}  # words of a key, by its first
PART_BYTES_MAX: Final = 64  # five integers are at most 46


def stored(numbers: tuple[int, ...] | None, *key: str) -> Mapping[str, bytes | None]:
    """One part to store, or to delete where there is nothing."""
    return {"/".join(key): None if numbers is None else cbor2.dumps(list(numbers))}


def words(key: str) -> tuple[str, ...] | None:
    """The words of a key of ours; None for a foreign one."""
    found = tuple(key.split("/"))
    return found if LENGTHS.get(found[0]) == len(found) else None


def numbers(data: bytes) -> tuple[int, ...] | None:
    """The integers in a stored part; None if these bytes hold anything else."""
    if len(data) > PART_BYTES_MAX:
        return None
    try:
        item = cbor2.loads(data)
    except Exception:  # noqa: BLE001  a broken database may hold any bytes; cbor2 raises many things
        return None
    if type(item) is not list or not all(type(number) is int and abs(number) <= INT_MAX for number in item):
        return None
    return tuple(item)
