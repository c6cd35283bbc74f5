"""A played home on the real board, to look at: a fire, a call, a flood and a bracelet's SOS, all invented."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from protocol.geo import E7
from protocol.words import Told
from sim.case import TerminalSpec
from sim.stage import Stage
from sim.steps import Step
from sim.walk import HOME

from .browser import Browser
from .command import GOOD, INTERRUPTED, clean_up_when_told_to_end, exit_code, number, written
from .locale import language, say

SEED: Final = 41
RATE: Final = 8  # the evening takes 50 s
FENCE_M: Final = 100
# What happens: s after the start, to whom, what.
EVENING: Final[tuple[tuple[int, str, str, dict[str, int]], ...]] = (
    (1, "bracelet-1", "go_out", {"distance_m": 500}),
    (20, "button-2", "tamper", {}),
    (40, "flood-1", "burst", {}),
    (90, "smoke-1", "smouldering", {}),
    (150, "button-1", "press", {"presses": 3, "every_ms": 8_000}),
    (200, "bracelet-1", "sos", {}),
)
EVENING_S: Final = 390  # the call has been followed for three minutes
SIZE: Final = (320, 3840)  # px, either way


def main(argv: list[str] | None = None) -> int:
    """0 when the evening has been played and, where that was asked for, its picture taken."""
    args = _parser().parse_args(argv)
    clean_up_when_told_to_end()
    try:
        with contextlib.ExitStack() as stack:
            # A browser that is not there is said now, not after the evening.
            size = args.width, args.height
            browser = stack.enter_context(Browser(language(), size)) if args.picture else None
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sixkit-"))
            stage = stack.enter_context(_stage(Path(folder) / "site"))
            _play(stage)
            print(say("The board: ", "看板：") + stage.site.address, flush=True)
            if browser is not None:
                written(args.picture, _taken(browser, stage.site.address))
            else:
                _stay()
        return GOOD
    except Told as error:
        print(error.text(language()), file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/board",
        description=say(
            f"A played home on the real board, {RATE} times as fast, until Ctrl-C or for a picture.",
            f"在真实看板上演示一户模拟家庭（{RATE} 倍速），直到 Ctrl-C 或截图完成。",
        ),
        epilog=say("example: ", "示例：") + "SIXKIT_LANG=zh ./tools/board --picture docs/board.png",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help=say("take a picture (PNG) with Chromium, which is not part of this", "用 Chromium（需自备）截图为 PNG"),
    )
    parser.add_argument("--width", type=number(*SIZE), default=1240, metavar="PX", help=say("its width", "图宽"))
    parser.add_argument("--height", type=number(*SIZE), default=840, metavar="PX", help=say("its height", "图高"))
    return parser


def _stage(folder: Path) -> Stage:
    """The home, named and placed at the centre as an operator does it: by an edit of gateways.toml."""
    terminals = (
        TerminalSpec("button-1", "button", say("bedroom", "卧室")),
        TerminalSpec("button-2", "button", say("bathroom", "卫生间")),
        TerminalSpec("smoke-1", "smoke", say("kitchen", "厨房")),
        TerminalSpec("flood-1", "flood", say("kitchen", "厨房")),
        TerminalSpec("bracelet-1", "bracelet", "", fence_m=FENCE_M),
    )
    stage = Stage(folder, terminals, SEED, RATE)
    path = folder / "centre" / "gateways.toml"
    latitude, longitude = (degrees / E7 for degrees in HOME)
    name = say("Lane 3, No. 12 (invented)", "幸福里 3 号楼 2 单元 501（虚构）")
    place = f"place = {{ latitude = {latitude}, longitude = {longitude}, fence_m = {FENCE_M} }}"
    text = re.sub(r"(?m)^home = .*$", f'home = "{name}"\n{place}', path.read_text("utf-8"))
    path.write_text(text, "utf-8")
    return stage


def _play(stage: Stage) -> None:
    begun_ms = stage.mono_ms()
    for at_s, target, action, values in EVENING:
        _wait(stage, begun_ms + at_s * 1000)
        stage.home.do(Step(0, target, action, values))
    _wait(stage, begun_ms + EVENING_S * 1000)


def _wait(stage: Stage, until_ms: int) -> None:
    time.sleep(max(0, until_ms - stage.mono_ms()) / 1000 / RATE)


def _stay() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)


def _taken(browser: Browser, address: str) -> bytes:
    """A picture of the board at `address`. Raises Unavailable."""
    browser.open(address)
    browser.until("document.querySelector('#home_body .pieces') !== null")
    return browser.picture()


if __name__ == "__main__":
    sys.exit(main())
