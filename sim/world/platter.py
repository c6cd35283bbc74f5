"""What a power cut at this very moment would leave of an outbox: asked of a copy of the disk."""

from __future__ import annotations

from random import Random
from typing import Final

from protocol.record import Sent, Source, decode
from sim.disk import Disk, File
from sim.vfs import connect

_RECORDS: Final = "SELECT record FROM event ORDER BY number DESC"


def platter_holds(disk: Disk, path: str, terminal: str, source: Source) -> bool:
    """Whether the event that `terminal` calls `source` is in the outbox at `path`, with all that is not synced gone."""
    copy = Disk(Random(0))
    for name, file in disk.files.items():
        copied = copy.files[name] = File(bytes(file.seen))
        copied.unsynced = list(file.unsynced)
    copy.cut(share=0.0)
    place = copy.path(path)
    if not place.exists():
        return False
    connection = connect(place)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # its log's index is in memory then
        return any(_is(bytes(row[0]), source, terminal) for row in connection.execute(_RECORDS))
    finally:
        connection.close()


def _is(record: bytes, source: Source, terminal: str) -> bool:
    found = decode(record)
    return isinstance(found, Sent) and (found.event.source, found.event.terminal) == (source, terminal)
