"""Processes of the played site: watched, stopped, killed, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from protocol.words import Unavailable
from sim.process import LAST_LINES_MAX, STOP_S_MAX, Process

READY = 'print(\'{"what": "ready", "port": 7}\', flush=True); '
WAIT = "import time; time.sleep(60)"


def started(tmp_path: Path, program: str) -> Process:
    return Process("thing", [sys.executable, "-c", program], tmp_path)


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    end_s = time.monotonic() + seconds
    while not true() and time.monotonic() < end_s:
        time.sleep(0.02)
    return true()


def test_its_journal_is_read_and_other_output_is_kept_for_errors(tmp_path: Path) -> None:
    process = started(tmp_path, f"print('hello'); {READY}{WAIT}")
    try:
        line = process.wait_for("ready", 10)
        assert line.fields["port"] == 7
        assert process.last_lines().startswith("hello")
    finally:
        process.kill()
    assert not process.running()


def test_one_that_ends_early_is_told_with_its_last_lines(tmp_path: Path) -> None:
    process = started(tmp_path, "import sys; [print('line', n) for n in range(99)]; sys.exit(3)")
    with pytest.raises(Unavailable) as told:
        process.wait_for("ready", 10)
    process.kill()
    assert "thing ended (exit code 3)" in told.value.en
    assert told.value.en.splitlines()[1:] == [f"line {n}" for n in range(99 - LAST_LINES_MAX, 99)]


def test_one_that_is_never_ready_is_told(tmp_path: Path) -> None:
    process = started(tmp_path, WAIT)
    with pytest.raises(Unavailable, match=r'said no "ready" within 0\.2 s'):
        process.wait_for("ready", 0.2)
    process.kill()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be started"):
        Process("thing", [sys.executable, "-c", ""], tmp_path / "nowhere")


def test_stop_is_graceful_and_kill_is_not(tmp_path: Path) -> None:
    graceful = (
        'import signal, sys; signal.signal(signal.SIGTERM, lambda *a: (print(\'{"what": "bye"}\'), sys.exit(0))); '
    )
    for end, farewell in ((Process.stop, True), (Process.kill, False)):
        process = started(tmp_path, graceful + READY + WAIT)
        process.wait_for("ready", 10)
        end(process)
        assert (process.find("bye") is not None) is farewell
        assert gone(process.pid)


def test_one_that_is_paused_stands_still_until_it_is_resumed_and_can_be_stopped_all_the_same(tmp_path: Path) -> None:
    process = started(tmp_path, READY + "import time\nwhile True: time.sleep(0.01); print('x', flush=True)")
    process.wait_for("ready", 10)
    stat = Path(f"/proc/{process.pid}/stat")
    process.pause()
    assert until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
    process.resume()
    assert until(lambda: stat.read_text().rpartition(")")[2].split()[0] in "SR")
    process.pause()
    began_s = time.monotonic()
    process.stop()
    assert gone(process.pid)
    assert time.monotonic() - began_s < STOP_S_MAX


def test_children_of_the_process_go_with_it(tmp_path: Path) -> None:
    child = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', '{WAIT}']); "
    process = started(tmp_path, child + 'print(\'{"what": "ready", "child": %d}\' % p.pid, flush=True); p.wait()')
    pid = process.wait_for("ready", 10).fields["child"]
    process.kill()
    assert until(lambda: gone(pid))


def test_it_dies_with_us_even_when_we_are_killed(tmp_path: Path) -> None:
    ours = (
        "import sys, pathlib, time; from sim.process import Process; "
        f"p = Process('thing', [sys.executable, '-c', {READY + WAIT!r}], pathlib.Path({str(tmp_path)!r})); "
        "p.wait_for('ready', 10); print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", ours], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    assert until(lambda: gone(pid))
