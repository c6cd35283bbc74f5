"""The board's files under real MicroPython and mpy-cross, and the wire's recorded vectors under CPython."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECKS = ROOT / "tests" / "micropython"
BOARD_FOLDERS = ("protocol/wire", "devices", "devices/boards")
CPYTHON_ONLY = ("devices/boards/host.py",)  # runs a terminal on a computer
NOT_INSTALLED = 3  # the exit code of run.mjs where npm has not fetched MicroPython

BOARD_FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in BOARD_FOLDERS
    for path in (ROOT / folder).glob("*.py")
    if path.relative_to(ROOT).as_posix() not in CPYTHON_ONLY
)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, cwd=CHECKS)


def under_micropython(check: Path, *data: Path) -> str:
    """What the check printed; skips with the reason where Node or MicroPython is absent."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine: install Node 20 or later to run the board's files under MicroPython")
    done = run(node, CHECKS / "run.mjs", check, *data)
    if done.returncode == NOT_INSTALLED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_vectors_hold_under_cpython() -> None:
    done = subprocess.run(
        [sys.executable, CHECKS / "check_wire.py"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=CHECKS,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("wire: ")


def test_the_vectors_hold_under_micropython() -> None:
    assert under_micropython(CHECKS / "check_wire.py", CHECKS / "vectors.json").startswith("wire: ")


def test_a_check_that_fails_under_micropython_is_seen(tmp_path: Path) -> None:
    under_micropython(CHECKS / "check_wire.py", CHECKS / "vectors.json")  # skips where there is nothing to see
    wrong = tmp_path / "vectors.json"
    wrong.write_text('[[["encodes", "00"], "ffff"]]')
    done = run("node", CHECKS / "run.mjs", CHECKS / "check_wire.py", wrong)
    assert done.returncode == 1
    assert "step 0" in done.stderr


def test_the_vectors_are_what_the_recorder_writes() -> None:
    script = "import record_vectors, sys; sys.stdout.write(record_vectors.text())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=CHECKS,
        env={"PYTHONPATH": f"{ROOT}:{CHECKS}", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (CHECKS / "vectors.json").read_text()


@pytest.mark.parametrize("file", BOARD_FILES)
def test_compiles_for_boards(file: str, tmp_path: Path) -> None:
    done = run(sys.executable, "-m", "mpy_cross", "-o", tmp_path / "out.mpy", ROOT / file)
    assert done.returncode == 0, done.stdout + done.stderr
