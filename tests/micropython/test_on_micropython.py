"""The board's files under real MicroPython and mpy-cross, beside what they give under CPython."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
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
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, cwd=HERE)


def under_cpython(*arguments: str | Path) -> str:
    """What Python printed, with this repository's packages and the checks importable."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=HERE,
        env={"PYTHONPATH": f"{ROOT}:{HERE}", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def under_micropython(check: Path, *data: Path) -> str:
    """What the check printed; skips with the reason where Node or MicroPython is absent."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine: install Node 20 or later to run the board's files under MicroPython")
    done = run(node, HERE / "run.mjs", check, *data)
    if done.returncode == NOT_INSTALLED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_vectors_hold_under_cpython() -> None:
    assert under_cpython(HERE / "check_wire.py").startswith("wire: ")


def test_the_vectors_hold_under_micropython() -> None:
    assert under_micropython(HERE / "check_wire.py", HERE / "vectors.json").startswith("wire: ")


def test_a_check_that_fails_under_micropython_is_seen(tmp_path: Path) -> None:
    under_micropython(HERE / "check_wire.py", HERE / "vectors.json")  # skips where there is nothing to see
    wrong = tmp_path / "vectors.json"
    wrong.write_text('[[["encodes", "00"], "ffff"]]')
    done = run("node", HERE / "run.mjs", HERE / "check_wire.py", wrong)
    assert done.returncode == 1
    assert "step 0" in done.stderr


def test_the_vectors_are_what_the_recorder_writes() -> None:
    script = "import record_vectors, sys; sys.stdout.write(record_vectors.text())"
    assert under_cpython("-c", script) == (HERE / "vectors.json").read_text()


def test_the_devices_give_the_same_under_micropython() -> None:
    expected = under_cpython(HERE / "check_devices.py").splitlines()
    assert len(expected) > 1000
    assert under_micropython(HERE / "check_devices.py").splitlines() == expected


@pytest.mark.parametrize("file", BOARD_FILES)
def test_compiles_for_boards(file: str, tmp_path: Path) -> None:
    done = run(sys.executable, "-m", "mpy_cross", "-o", tmp_path / "out.mpy", ROOT / file)
    assert done.returncode == 0, done.stdout + done.stderr
