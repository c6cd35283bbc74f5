"""Power cuts on a real file system, where there is root and a loop device: nothing lost, and a planted loss is seen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.words import Told
from sim.power import COUNTS, Found
from sixkit_tools.powercut import as_text

# In a process of its own: it takes mounts of its own for good.
TRY = """
import pathlib, sys, tempfile
from protocol.words import Told
from sim.card import Card, be_alone
try:
    be_alone()
    with tempfile.TemporaryDirectory() as name, Card(pathlib.Path(name, "card"), pathlib.Path(name, "data")) as card:
        card.cut()
        card.power_up()
except Told as error:
    sys.exit(error.en)
"""


def powercut(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sixkit_tools.powercut", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "SIXKIT_LANG": "en", **environment},
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def power() -> None:
    """Skips where power cannot be cut, and says why."""
    tried = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, timeout=60, check=False)
    if tried.returncode:
        pytest.skip(tried.stderr.strip().splitlines()[-1])


@pytest.fixture
def folder() -> Iterator[Path]:
    """For temporary files, with a short name: a Unix socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="cut-") as name:
        yield Path(name)


def left_behind(folder: Path) -> list[str]:
    """Mounts in `folder`, and loop devices for files there."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    loops = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # detached meanwhile
            loops.append(path.read_text().strip())
    return [one for one in mounts + loops if str(folder) in one]


# --- with power to cut ---


def test_what_was_synced_outlives_a_cut_and_what_was_not_is_gone(power: None, folder: Path) -> None:
    code = """
import os, pathlib, sys
from sim.card import Boots, Card, be_alone
be_alone()
name = pathlib.Path(sys.argv[1])
boots = []
with Boots(name / "boot") as boot, Card(name / "card", name / "data") as card:
    for number in range(10):
        with open(name / "data" / f"synced-{number}", "wb") as file:
            file.write(b"s" * 5000)
            file.flush()
            os.fsync(file.fileno())
        (name / "data" / f"loose-{number}").write_bytes(b"l" * 5000)
        card.bear_witness()
        card.cut()
        assert card.power_up()
        boots.append(pathlib.Path("/proc/sys/kernel/random/boot_id").read_text())
        boot.next()
    kept = sorted(p.name for p in (name / "data").iterdir() if p.is_file() and p.stat().st_size == 5000)
assert kept == [f"synced-{number}" for number in range(10)], kept
assert len(set(boots)) == 10
assert not list((name / "data").iterdir())
"""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text()
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path("/proc/sys/kernel/random/boot_id").read_text() == boot_id
    assert left_behind(folder) == []


def counts(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.night
@pytest.mark.timeout(600)
def test_cuts_lose_and_double_nothing(power: None, folder: Path) -> None:
    done = powercut("--cuts", "20", "--seed", "11", "--json", TMPDIR=str(folder))
    found = counts(done)
    assert (done.returncode, found["differences"]) == (0, [])
    assert (found["cuts"], found["alone"], found["took"]) == (20, 16, 20)
    assert found["at_stake"] > 10
    assert found["committed"] == found["acknowledged"] > 100
    assert found["bound_95"] == 3 / found["at_stake"]
    assert left_behind(folder) == []


@pytest.mark.night
@pytest.mark.timeout(600)
def test_a_weaker_setting_is_seen_to_lose(power: None, folder: Path) -> None:
    done = powercut("--cuts", "20", "--seed", "12", "--synchronous", "NORMAL", "--json", TMPDIR=str(folder))
    found = counts(done)
    assert done.returncode == 1
    assert found["lost"] > 10
    assert found["losing_cuts"] > 5
    assert found["bound_95"] is None
    assert left_behind(folder) == []


@pytest.mark.night
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_whatever_ends_it_nothing_stays_mounted(power: None, folder: Path, number: int, code: int) -> None:
    command = [sys.executable, "-m", "sixkit_tools.powercut", "--cuts", "1000"]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder)}, stderr=subprocess.PIPE) as running:
        end_s = time.monotonic() + 30
        while len(list(folder.glob("sixkit-*/card"))) < 2 and time.monotonic() < end_s:
            time.sleep(0.05)
        time.sleep(1)
        running.send_signal(number)
        assert running.wait(30) == code
    end_s = time.monotonic() + 10  # after a kill -9 the kernel ends the children and their mounts in its own time
    while left_behind(folder) and time.monotonic() < end_s:
        time.sleep(0.1)
    assert left_behind(folder) == []
    assert number == signal.SIGKILL or list(folder.iterdir()) == []


# --- anywhere ---


def test_a_machine_that_cannot_says_what_is_missing_and_exits_3(tmp_path: Path) -> None:
    done = powercut("--cuts", "1", PATH=str(tmp_path))
    assert done.returncode == 3
    assert "no mke2fs on the PATH" in done.stderr or "needs root" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cuts", "0"], "--cuts"),
        (["--jobs", "99"], "--jobs"),
        (["--synchronous", "EXTRA"], "--synchronous"),
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], said: str) -> None:
    done = powercut(*arguments)
    assert (done.returncode, said in done.stderr) == (2, True)


def found(differences: list[Told], **values: int) -> Found:
    return Found(Counter(dict.fromkeys(COUNTS, 0) | values), differences, 7, "", 50.0)


def test_the_account_names_the_bound() -> None:
    text = as_text(found([], cuts=5000, at_stake=5000))
    assert "5000 cuts in 50 s, 100.0 a second (seed 7)" in text
    assert "0 lost, 0 doubled; with 95 % confidence fewer than 0.060% of cuts lose anything (3/5000)" in text


def test_the_account_names_what_was_lost_and_no_bound() -> None:
    told = [Told(f"button-{n} was lost", f"button-{n} 丢失") for n in range(30)]
    text = as_text(found(told, cuts=100, at_stake=90, lost=30, losing_cuts=4))
    assert "button-19 was lost\n... and 10 more; --json has all" in text
    assert "30 lost, 0 doubled; 4 cuts lost something" in text
    assert "confidence" not in text
