"""The command that runs `sixkit` with the simulator's hot modules compiled by mypyc: the same steps in less time."""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from protocol.words import Told, Unavailable

from .command import GOOD, INTERRUPTED, USAGE, clean_up_when_told_to_end, exit_code, missing
from .locale import language, say

ROOT: Final = Path(__file__).resolve().parent.parent
WORK: Final = ROOT / "build" / "compiled"
KEPT_MAX: Final = 6  # copies of 10 MB each; runs of older versions of the code may still be under way
LOG_LINES: Final = 12  # of what mypyc said, where it could not compile
SETTINGS: Final = "setup.cfg"  # mypy's are in it

# The project's folders, and what each is called as a package.
PACKAGES: Final = {
    **{name: name for name in ("protocol", "devices", "gateway", "dispatch", "sim")},
    "tools": "sixkit_tools",
}
# Where a simulated day spends its time, and what gains by it.
MODULES: Final = (
    "protocol/wire/*.py",
    *("protocol/record.py", "protocol/topic.py", "protocol/words.py"),
    "devices/*.py",
    "gateway/home/*.py",
    *("gateway/agent.py", "gateway/clock.py", "gateway/delivery.py", "gateway/inventory.py", "gateway/sending.py"),
    *("gateway/unwritten.py", "gateway/urgency.py", "gateway/bridges/native_link.py"),
    *("dispatch/desk.py", "dispatch/intake.py"),
    *("sim/chance.py", "sim/line.py", "sim/sensors.py", "sim/terminals.py"),
    *("sim/world/clock.py", "sim/world/gateway.py", "sim/world/network.py", "sim/world/patrol.py"),
    *("sim/world/pieces.py", "sim/world/timeline.py", "sim/world/trace.py", "sim/world/watch.py"),
)
# Their tables are replaced while they run (sim/world/coverage), which compiled code would not see of a Final.
INTERPRETED: Final = ("gateway/home/fence.py", "gateway/home/lifecycle.py", "gateway/home/stillness.py")


def main(argv: list[str] | None = None) -> int:
    """Becomes `sixkit` with these arguments; 2 where there are none, 3 where nothing can be compiled."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return GOOD if arguments else USAGE
    clean_up_when_told_to_end()
    try:
        copy = compiled(ROOT, WORK)
    except Told as error:
        print(error.text(language()), file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    os.execve(sys.executable, [sys.executable, "-m", "sixkit_tools", *arguments], environment(copy))


def environment(copy: Path) -> dict[str, str]:
    """In which every Python, a worker's too, finds the copy first, and nothing in the folder that it starts in."""
    paths = [str(copy), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}


def _usage() -> str:
    return say(
        "usage: tools/compiled COMMAND...\n\n"
        "Runs `sixkit COMMAND...` with the simulator's hot modules compiled (with mypyc, once for each version of the\n"
        "code; a C compiler is needed). The same seed takes the same steps as without; defects cannot be planted.\n\n"
        "examples:",
        "用法：tools/compiled COMMAND...\n\n"
        "以编译后的模拟器热点模块运行 `sixkit COMMAND...`（用 mypyc，每个代码版本编译一次；需要 C 编译器）。\n"
        "同一种子的步骤与未编译时相同；不能植入缺陷。\n\n"
        "示例：",
    ) + ("\n  tools/compiled sim explore --seeds 0:100 --days 1\n  tools/compiled bench sim")


def compiled(root: Path, work: Path) -> Path:
    """The folder of a copy of the project at `root` with MODULES compiled: made in `work`, unless it is there.

    Raises Unavailable.
    """
    try:
        copy = work / fingerprint(root)
        if not copy.is_dir():
            _check_compiler()
            _make(root, copy)
        os.utime(copy)
        _forget_the_oldest(work)
    except OSError as error:
        raise Unavailable(
            f"{work}: no compiled copy can be made: {error}", f"{work}：无法生成编译副本：{error}"
        ) from error
    return copy


def fingerprint(root: Path) -> str:
    """Names what comes of compiling: the project's files, this Python, its mypy and its machine. Raises Unavailable."""
    try:
        mypy = version("mypy")
    except ModuleNotFoundError as error:
        raise missing(error, "dev") from error
    digest = hashlib.sha256(repr((sys.version, sysconfig.get_config_var("EXT_SUFFIX"), mypy)).encode())
    for path in _sources(root):
        data = path.read_bytes()
        digest.update(f"\n{path.relative_to(root)} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:16]


def _sources(root: Path) -> Iterator[Path]:
    yield root / SETTINGS
    for folder in PACKAGES:
        yield from sorted(path for path in (root / folder).rglob("*") if path.is_file() and _is_source(path))


def _is_source(path: Path) -> bool:
    return "__pycache__" not in path.parts and path.suffix != ".so"


def _check_compiler() -> None:
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        raise Unavailable(
            f"compiling needs a C compiler, and there is no {compiler}. On Debian or Raspberry Pi OS: apt install gcc",
            f"编译需要 C 编译器，但未找到 {compiler}。Debian 或 Raspberry Pi OS 上：apt install gcc",
        )
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.exists():
        raise Unavailable(
            f"compiling needs Python's headers, and there is no {header}. "
            "On Debian or Raspberry Pi OS: apt install python3-dev",
            f"编译需要 Python 头文件，但未找到 {header}。Debian 或 Raspberry Pi OS 上：apt install python3-dev",
        )


def _make(root: Path, copy: Path) -> None:
    """In a folder of its own, put in place whole: somebody else may be making the same."""
    print(
        say("Compiling (once for this version of the code; minutes) ...", "正在编译（每个代码版本一次，需数分钟）……"),
        file=sys.stderr,
        flush=True,
    )
    copy.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=copy.parent, prefix="new-") as folder:
        new = Path(folder) / copy.name
        _lay_out(root, new)
        _compile(new)
        try:
            new.rename(copy)
        except OSError:
            if not copy.is_dir():  # nobody was faster
                raise


def _lay_out(root: Path, new: Path) -> None:
    for folder, package in PACKAGES.items():
        shutil.copytree(root / folder, new / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(root / SETTINGS, encoding="utf-8")
    for section in settings.sections():  # what is meant for setuptools would be taken by mypyc's own use of it
        if not section.startswith("mypy"):
            settings.remove_section(section)
    with (new / "mypy.ini").open("w", encoding="utf-8") as file:
        settings.write(file)


def _compile(new: Path) -> None:
    modules = sorted({str(path.relative_to(new)) for pattern in MODULES for path in new.glob(pattern)} - {*INTERPRETED})
    command = [sys.executable, "-P", "-m", "mypyc", *modules]
    # Without debug symbols, and at a level that takes half as long as mypyc's own.
    settings = {"MYPYC_OPT_LEVEL": "1", "MYPYC_DEBUG_LEVEL": "0"}
    done = subprocess.run(
        command, cwd=new, env={**os.environ, **settings}, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()
        said = "\n".join(([line for line in lines if "error" in line.lower()] or lines)[:LOG_LINES])
        raise Unavailable(f"mypyc could not compile:\n{said}", f"mypyc 无法编译：\n{said}")
    for left in ("build", ".mypy_cache"):
        shutil.rmtree(new / left, ignore_errors=True)


def _forget_the_oldest(work: Path) -> None:
    """By their last use; what a compilation that was killed has left is among them."""
    used: dict[Path, float] = {}
    for path in work.iterdir():
        with contextlib.suppress(FileNotFoundError):  # somebody else has just removed it
            used[path] = path.stat().st_mtime
    for path in sorted(used, key=lambda path: used[path])[:-KEPT_MAX]:
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
