"""A pty under a name of its own: a serial port that can be unplugged and plugged in again."""

from __future__ import annotations

import contextlib
import os
import tty
from pathlib import Path
from typing import Final

READ_BYTES_MAX: Final = 4096


class PtyPort:
    """`path` is a symbolic link to the pty, gone while unplugged."""

    def __init__(self, path: Path):
        self.path = path
        self.bytes_lost = 0  # that nobody took
        self._fds: tuple[int, int] | None = None

    def plug(self) -> None:
        """A new pty behind the port's name. Its other end stays open here too: a gateway that dies is no hang-up."""
        self.unplug()
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._fds = master, slave
        self.path.symlink_to(os.ttyname(slave))

    def unplug(self) -> None:
        self.path.unlink(missing_ok=True)
        fds, self._fds = self._fds, None
        for fd in fds or ():
            os.close(fd)

    def waits(self) -> list[int]:
        """What to wait for with `select`: nothing while it is unplugged."""
        return [self._fds[0]] if self._fds else []

    def read(self) -> bytes:
        if self._fds is None:
            return b""
        try:
            return os.read(self._fds[0], READ_BYTES_MAX)
        except (BlockingIOError, OSError):
            return b""

    def write(self, data: bytes) -> None:
        """A line does not wait: what nobody takes is lost, as on a real one."""
        written = 0
        if data and self._fds is not None:
            with contextlib.suppress(BlockingIOError):
                written = os.write(self._fds[0], data)
        self.bytes_lost += len(data) - written
