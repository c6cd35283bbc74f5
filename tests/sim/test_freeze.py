"""A process that is stopped does nothing any more, and one that is gone is said to be."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.words import Unavailable
from sim.freeze import freeze, until_at_disk

# Two threads that write to a file, and one that waits.
BUSY = """
import os, sys, threading, time
def write(name):
    file = os.open(name, os.O_CREAT | os.O_WRONLY)
    while True:
        os.pwrite(file, str(time.monotonic_ns()).encode(), 0)
        os.fdatasync(file)
for name in sys.argv[1:]:
    threading.Thread(target=write, args=(name,), daemon=True).start()
time.sleep(100)
"""


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", BUSY, str(tmp_path / "a"), str(tmp_path / "b")]
    with subprocess.Popen(command, start_new_session=True) as process:
        end_s = time.monotonic() + 10
        while not ((tmp_path / "a").exists() and (tmp_path / "b").exists()) and time.monotonic() < end_s:
            time.sleep(0.01)
        yield process
        process.kill()


def test_nothing_is_written_by_a_frozen_process(busy: subprocess.Popen[bytes], tmp_path: Path) -> None:
    for _ in range(10):
        freeze(busy.pid)
        before = [(tmp_path / name).read_bytes() for name in "ab"]
        time.sleep(0.02)
        assert [(tmp_path / name).read_bytes() for name in "ab"] == before
        busy.send_signal(signal.SIGCONT)
        time.sleep(0.02)
        assert [(tmp_path / name).read_bytes() for name in "ab"] != before


def test_a_process_that_is_gone_is_told(busy: subprocess.Popen[bytes]) -> None:
    busy.kill()
    busy.wait()
    with pytest.raises(Unavailable):
        freeze(busy.pid)
    until_at_disk(busy.pid, 0.1)


def test_waiting_for_the_disk_ends_in_time_where_nobody_uses_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"]) as idle:
        began_s = time.monotonic()
        until_at_disk(idle.pid, 0.1)
        idle.kill()
        assert time.monotonic() - began_s < 5
