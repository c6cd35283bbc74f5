"""A modelled disk in memory that loses power, tears, fails, fills up and rots, for the product's own outbox to live on.

`Disk.path` gives the outbox its path, and sim.vfs.connect its connection. Other than real cuts behind a loop device,
where what was handed to the device stays, this disk reorders and tears all that was not synced.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import total_ordering
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple, cast

SECTOR_BYTES: Final = 512  # what a disk writes whole or not at all
SHARES: Final = (0.0, 0.5, 0.9, 1.0)  # of what was not synced, so much survives a cut: one of these, by chance

_numbers: Final = itertools.count(1)


class Cut(BaseException):
    """The power is gone, or the program was killed: nothing in it can catch that and go on."""


class _Change(NamedTuple):
    """A write that is not synced, or a cut to `offset` bytes (no data); and how to take it back."""

    offset: int
    data: bytes | None
    before: bytes  # what was there from `offset` on
    size_before: int


class File:
    """What the program sees of a file, and the changes to it since it was last synced."""

    def __init__(self, data: bytes = b""):
        self.seen = bytearray(data)
        self.unsynced: list[_Change] = []
        self.holder: object = None  # who has it locked

    def put(self, offset: int, data: bytes) -> None:
        size, end = len(self.seen), offset + len(data)
        self.unsynced.append(_Change(offset, data, bytes(self.seen[offset:end]), size))
        if offset > size:
            self.seen.extend(bytes(offset - size))
        self.seen[offset:end] = data

    def resize(self, size: int) -> None:
        self.unsynced.append(_Change(size, None, bytes(self.seen[size:]), len(self.seen)))
        _resize(self.seen, size)

    def tear(self, chance: random.Random, share: float) -> None:
        """Back to what is on the platter, and of each sector written since, perhaps the new content: in any
        combination."""
        changes, self.unsynced = self.unsynced, []
        for change in reversed(changes):
            self.seen[change.offset : change.offset + len(change.before)] = change.before
            _resize(self.seen, change.size_before)
        for offset, data, _, _ in changes if share else ():
            if data is None:
                if chance.random() < share:
                    _resize(self.seen, offset)
                continue
            for start in range(offset - offset % SECTOR_BYTES, offset + len(data), SECTOR_BYTES):
                begin, end = max(start, offset), min(start + SECTOR_BYTES, offset + len(data))
                if chance.random() < share:
                    self.seen.extend(bytes(max(0, begin - len(self.seen))))
                    self.seen[begin:end] = data[begin - offset : end - offset]


def _resize(data: bytearray, size: int) -> None:
    del data[size:]
    data.extend(bytes(size - len(data)))


class Disk:
    """Files in memory and what goes wrong with them, for one program in one thread at a time. The same calls and the
    same `chance` give the same results.

    Names are durable at once: SQLite syncs the folder wherever that matters to it. Operations raise OSError, and Cut.
    """

    def __init__(self, chance: random.Random):
        self.files: dict[str, File] = {}
        self.cut_after: int | None = None  # so many operations on, the power goes in the midst of the next
        self.failing: frozenset[str] = frozenset()  # of read, write and sync: each of these is answered with EIO
        self.read_only = False
        self.room_bytes: int | None = None  # for all files together
        self.bytes_read = 0
        self.bytes_written = 0
        self.syncs = 0
        self.cuts = 0
        self.life = 0  # of the program: what it opened in an earlier one is dead
        self.life_opened = 0  # the one in which a database was last opened
        self.entropy = random.Random(chance.getrandbits(64))  # what programs on it take for random
        self.number = next(_numbers)  # among all disks of this process
        self._chance = chance
        self._used_bytes = 0

    def path(self, name: str) -> Path:
        """A path on this disk, for the product, which takes it for a real one."""
        return cast(Path, DiskPath(self, PurePosixPath("/", name)))

    # --- what goes wrong ---

    def cut(self, share: float | None = None) -> None:
        """The power goes: of what was not synced, `share` survives (None: by chance). The files are then as the next
        start finds them."""
        self.kill()
        self.cuts += 1
        self.cut_after = None
        if share is None:
            share = self._chance.choice(SHARES)
        for file in self.files.values():
            file.tear(self._chance, share)
        self._used_bytes = sum(len(file.seen) for file in self.files.values())

    def kill(self) -> None:
        """The program is killed: what it wrote is there, synced or not, and what it does from now on touches nothing
        and raises Cut."""
        self.life += 1

    def rot(self, path: Path, count: int) -> None:
        """Flip a bit in each of `count` bytes of this file; not in what a program has read of it before."""
        data = self.files[str(path)].seen
        for _ in range(count):
            data[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)

    # --- what a program does; SQLite's operations come here too ---

    def living(self, life: int) -> None:
        """Raises Cut where the program that began in `life` is no more."""
        if life != self.life:
            raise Cut

    def file(self, name: str) -> File:
        """The file of this name, made if there is none."""
        file = self.files.get(name)
        if file is None:
            if self.read_only:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)
            file = self.files[name] = File()
        self._step()
        return file

    def read(self, file: File, amount: int, offset: int) -> bytes:
        self._answer("read")
        self._step()
        self.bytes_read += amount
        return bytes(file.seen[offset : offset + amount])

    def write(self, file: File, data: bytes, offset: int) -> None:
        self._answer("write")
        self._take(offset + len(data) - len(file.seen))
        file.put(offset, data)  # first: a cut may tear this very write
        self.bytes_written += len(data)
        self._step()

    def resize(self, file: File, size: int) -> None:
        self._answer("write")
        self._take(size - len(file.seen))
        self._used_bytes += min(0, size - len(file.seen))
        file.resize(size)
        self._step()

    def sync(self, file: File) -> None:
        self._answer("sync")
        self._step()
        self.syncs += 1
        file.unsynced.clear()

    def rename(self, name: str, new: str) -> None:
        self._answer("write")
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        self._step()
        self._forget(new)
        self.files[new] = self.files.pop(name)

    def unlink(self, name: str) -> None:
        self._answer("write")
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        self._step()
        self._forget(name)

    def _forget(self, name: str) -> None:
        if (file := self.files.pop(name, None)) is not None:
            self._used_bytes -= len(file.seen)

    def _answer(self, operation: str) -> None:
        if operation in self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self.read_only and operation == "write":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def _take(self, more_bytes: int) -> None:
        if more_bytes > 0:
            if self.room_bytes is not None and self._used_bytes + more_bytes > self.room_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._used_bytes += more_bytes

    def _step(self) -> None:
        if self.cut_after is not None:
            if self.cut_after <= 0:
                self.cut()
                raise Cut
            self.cut_after -= 1


class _Stat(NamedTuple):
    st_size: int


@total_ordering
class DiskPath:
    """As much of pathlib.Path as the outbox uses, for a file on a modelled disk. Folders are always there."""

    def __init__(self, disk: Disk, pure: PurePosixPath):
        self.disk = disk
        self._pure = pure

    @property
    def name(self) -> str:
        return self._pure.name

    @property
    def suffix(self) -> str:
        return self._pure.suffix

    @property
    def parent(self) -> DiskPath:
        return DiskPath(self.disk, self._pure.parent)

    def with_name(self, name: str) -> DiskPath:
        return DiskPath(self.disk, self._pure.with_name(name))

    def __truediv__(self, name: str) -> DiskPath:
        return DiskPath(self.disk, self._pure / name)

    def __fspath__(self) -> str:
        return str(self._pure)

    __str__ = __fspath__

    def __repr__(self) -> str:
        return f"DiskPath({str(self)!r})"

    def __hash__(self) -> int:
        return hash(self._pure)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DiskPath) and (self.disk, self._pure) == (other.disk, other._pure)

    def __lt__(self, other: DiskPath) -> bool:
        return self._pure < other._pure

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        pass

    def exists(self) -> bool:
        return str(self) in self.disk.files

    def stat(self) -> _Stat:
        return _Stat(len(self._file().seen))

    def glob(self, pattern: str) -> Iterator[DiskPath]:
        for name in sorted(self.disk.files):
            found = PurePosixPath(name)
            if found.parent == self._pure and fnmatchcase(found.name, pattern):
                yield DiskPath(self.disk, found)

    def replace(self, target: DiskPath) -> DiskPath:
        self.disk.rename(str(self), str(target))
        return target

    def unlink(self, missing_ok: bool = False) -> None:
        if self.exists() or not missing_ok:
            self.disk.unlink(str(self))

    def read_bytes(self) -> bytes:
        file = self._file()
        return self.disk.read(file, len(file.seen), 0)

    def write_bytes(self, data: bytes) -> int:
        file = self.disk.file(str(self))
        self.disk.resize(file, 0)
        self.disk.write(file, bytes(data), 0)
        return len(data)

    def sync(self) -> None:
        """fsync(2) of the file, for what a simulator does in the product's place."""
        self.disk.sync(self._file())

    def _file(self) -> File:
        file = self.disk.files.get(str(self))
        if file is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return file
