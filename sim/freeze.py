"""Stopping a process where it stands: which of its threads run, and which wait inside the kernel for the disk."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

from protocol.words import Unavailable

FREEZE_S_MAX: Final = 10.0  # it takes less than a millisecond, on a busy machine some more
LOOK_S: Final = 0.0002
STAT_BYTES: Final = 128  # the state is among the first 30

_AT_DISK: Final = b"D"  # uninterruptible, as proc(5) has it: in practice a sync that is under way
_STOPPED: Final = b"T"


def freeze(pid: int) -> bool:
    """Stops the process group and waits until no thread of `pid` can run code of its own any more; whether one of them
    was caught inside the kernel at the disk, where it stops before it returns. Raises Unavailable where it is gone."""
    try:
        os.killpg(pid, signal.SIGSTOP)
        end_s = time.monotonic() + FREEZE_S_MAX
        while time.monotonic() < end_s:
            states = _states(pid)
            # Where one has stopped, all others have been told to: one at the disk will, before it is back.
            if states[0] == _STOPPED and set(states) <= {_STOPPED, _AT_DISK}:
                return _AT_DISK in states
            time.sleep(LOOK_S)
    except OSError as error:
        raise Unavailable(f"process {pid} has ended by itself", f"进程 {pid} 已自行退出") from error
    raise Unavailable(f"process {pid} does not stop", f"进程 {pid} 无法暂停")


def until_at_disk(pid: int, most_s: float) -> None:
    """Returns when a thread of `pid` waits for the disk, or after `most_s`."""
    end_s = time.monotonic() + most_s
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        threads = [stack.enter_context((path / "stat").open("rb", buffering=0)) for path in _threads(pid)]
        numbers = [thread.fileno() for thread in threads]
        # A sync takes a fraction of a millisecond: whoever sleeps between two looks, or opens files, misses it.
        while time.monotonic() < end_s:
            for number in numbers:
                if _state(os.pread(number, STAT_BYTES, 0)) == _AT_DISK:
                    return


def _threads(pid: int) -> list[Path]:
    """Of `pid`, the main one first."""
    return sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda thread: thread.name != str(pid))


def _states(pid: int) -> list[bytes]:
    """Of all threads, the main one first."""
    found = []
    for number, thread in enumerate(_threads(pid)):
        try:
            found.append(_state((thread / "stat").read_bytes()))
        except OSError:
            if number == 0:
                raise
    return found


def _state(stat: bytes) -> bytes:
    """Field 3 of proc(5)'s stat; the name before it may hold anything."""
    return stat.rpartition(b") ")[2][:1]
