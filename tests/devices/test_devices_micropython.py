"""The devices give the same under real MicroPython as under CPython."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = "@micropython/micropython-webassembly-pyscript"
VECTORS = HERE / "device_vectors.py"


def output(*command: str | Path) -> list[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_the_devices_give_the_same_under_micropython() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine to run MicroPython's WebAssembly build")
    if not (ROOT / "node_modules" / PACKAGE).is_dir():
        pytest.skip(f"MicroPython is not here; npm install --no-save {PACKAGE}@1.27.0")
    expected = output(sys.executable, VECTORS)
    assert len(expected) > 1000
    assert output(node, HERE / "micropython.mjs", ROOT, VECTORS) == expected
