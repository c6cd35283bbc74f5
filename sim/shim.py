"""Faults for real processes: builds shim.c, says how to load it into a process, and controls it while that runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from protocol.words import Unavailable

SOURCE: Final = Path(__file__).with_name("shim.c")
COMPILE_S_MAX: Final = 60.0  # it takes a fraction of a second; a minute on the slowest board


def build() -> Path:
    """The compiled library, made once for each version of its source. Raises Unavailable where that cannot be done."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sixkit"
    library = cache / f"shim-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not library.exists():
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise Unavailable(
                "faults of disk and clock need a C compiler, and there is no cc, gcc or clang on the PATH; install one",
                "模拟磁盘和时钟故障需要 C 编译器，但 PATH 中没有 cc、gcc 或 clang；请先安装",
            )
        _compile(compiler, library)
    return library


def _compile(compiler: str, library: Path) -> None:
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:  # two builds at once must not share a file
            made = Path(folder) / "shim.so"
            command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o", str(made), str(SOURCE), "-ldl"]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=COMPILE_S_MAX)
            made.replace(library)
    except subprocess.CalledProcessError as error:
        raise Unavailable(
            f"{compiler} cannot compile {SOURCE}: {error.stderr.strip()[-500:]}",
            f"{compiler} 无法编译 {SOURCE}：{error.stderr.strip()[-500:]}",
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(
            f"{library}: the fault library cannot be built: {error}; check the folder, or set XDG_CACHE_HOME",
            f"{library}：无法生成故障库：{error}；请检查该文件夹，或设置 XDG_CACHE_HOME",
        ) from error


def environment(control: Path, folder: Path | None = None, wall_offset_s: int = 0) -> dict[str, str]:
    """What to add to a process's environment, so that `control` governs its disk and its wall clock is shifted.

    Syncs and writes are touched in `folder` alone; without one, syncs of any regular file, and no writes.
    """
    return {
        "LD_PRELOAD": str(build()),
        "SIXKIT_SHIM_CONTROL": str(control.absolute()),
        "SIXKIT_SHIM_FOLDER": "" if folder is None else str(folder.absolute()),
        "SIXKIT_SHIM_WALL_OFFSET_S": str(wall_offset_s),
    }


class Control:
    """The control file of one or more processes: each method replaces the fault that was there before."""

    def __init__(self, path: Path):
        self.path = path

    def hold(self) -> None:
        """Syncs wait until released."""
        self._say("hold")

    def delay(self, ms: int) -> None:
        """Each sync takes so much longer."""
        self._say(f"delay {ms}")

    def eio(self) -> None:
        """Syncs fail with EIO."""
        self._say("eio")

    def enospc(self) -> None:
        """Writes in the folder fail: the disk is full."""
        self._say("enospc")

    def release(self) -> None:
        """No fault any more."""
        self._say("")

    def _say(self, text: str) -> None:
        new = self.path.with_name(self.path.name + ".new")
        new.write_text(text)
        new.replace(self.path)
