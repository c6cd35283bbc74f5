"""The demo: an evening in a simulated home, with real processes, a real broker and real harm done to them."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from protocol.words import Told

from .command import INTERRUPTED, add_clock_rate, clean_up_when_told_to_end, exit_code, written
from .evening import Evening
from .locale import language, say
from .scenes import SCENES

RATE: Final = 4  # gas needs four minutes to gather
RATE_MAX: Final = 4  # faster, the machine's own latency becomes part of the story


def main(argv: list[str] | None = None) -> int:
    """0 if the evening ended as it must: raised = receipted, nothing lost or doubled, forgeries refused."""
    args = _parser().parse_args(argv)
    console = Console(highlight=False)
    clean_up_when_told_to_end()
    try:
        if args.json is not None:
            written(args.json, "")  # a file that cannot be written is said now, not after the evening
        with tempfile.TemporaryDirectory(prefix="sixkit-") as folder:
            code = Evening(Path(folder), args.clock_rate, console).play(SCENES, args.json, args.stay)
            if args.keep is not None:
                shutil.copytree(folder, args.keep, dirs_exist_ok=True)
            return code
    except Told as error:
        console.print(error.text(language()), style="bold red", markup=False)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/demo",
        description=say(
            "An evening in a simulated home: every process real, on this machine only, nothing left behind.",
            "模拟家庭的一个傍晚：所有进程均为真实进程，仅在本机运行，不留痕迹。",
        ),
        epilog=say("example: ", "示例：") + "./tools/demo --json out.json --stay",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help=say("write the account to FILE", "将结果写入 FILE"))
    parser.add_argument(
        "--stay", action="store_true", help=say("keep the board open until Ctrl-C", "保持看板打开，直到 Ctrl-C")
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help=say("keep all files of the site in FOLDER", "将站点的全部文件留存到 FOLDER"),
    )
    add_clock_rate(parser, "N times as fast", "加快 N 倍", RATE_MAX, RATE)
    return parser


if __name__ == "__main__":
    sys.exit(main())
