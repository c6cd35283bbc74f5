"""What the commands share: exit codes, options, and what is said where an extra is not installed."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from protocol.words import Told, Unavailable

from .locale import say

# The exit codes that scripts can trust.
GOOD: Final = 0
NOT_SO: Final = 1  # what was checked is not so
USAGE: Final = 2  # of the command, or in the configuration
ENVIRONMENT: Final = 3  # something that this machine lacks or refuses
INTERRUPTED: Final = 130  # by Ctrl-C, as shells have it

CLOCK_RATE_MAX: Final = 1000  # beyond it the processes' own latency is minutes of simulated time


def clean_up_when_told_to_end() -> None:
    """SIGTERM and a closed terminal window end the program as Ctrl-C does: with its folders and processes gone."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)


def exit_code(error: Told) -> int:
    """The exit code of a command that ends with `error`."""
    return ENVIRONMENT if isinstance(error, Unavailable) else USAGE


def add_config(parser: argparse.ArgumentParser, name: str) -> None:
    """--config, by default the file called `name` in this folder."""
    parser.add_argument("--config", type=Path, default=Path(name), help=say(f"default: ./{name}", f"默认：./{name}"))


def add_journal(parser: argparse.ArgumentParser) -> None:
    """--json, of a command that runs until it is stopped."""
    parser.add_argument("--json", action="store_true", help=say("one JSON object a line", "每行一个 JSON 对象"))


def add_clock_rate(
    parser: argparse.ArgumentParser, en: str, zh: str, most: int = CLOCK_RATE_MAX, default: int = 1
) -> None:
    """--clock-rate, from 1 to `most`; `en` and `zh` say what it does."""
    limits = say(f" (1 to {most}, default {default})", f"（1 到 {most}，默认 {default}）")
    parser.add_argument("--clock-rate", type=number(1, most), default=default, metavar="N", help=say(en, zh) + limits)


def number(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that is a whole number within these limits; `choices` would list a thousand of them."""

    def parsed(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:10]) <= most):
            raise argparse.ArgumentTypeError(
                say(f"{text!r} is not a whole number from {least} to {most}", f"{text!r} 不是 {least} 到 {most} 的整数")
            )
        return int(text)

    return parsed


def made_folder(folder: Path) -> None:
    """Makes `folder` and those above it, if they are missing. Raises Told where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Told(
            f"{folder}: cannot be made a folder: {error.strerror}", f"{folder}：无法创建文件夹：{error.strerror}"
        ) from error


def written(path: Path, content: str | bytes) -> None:
    """Writes `content` to the file `path`. Raises Unavailable."""
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise Unavailable(
            f"{path}: cannot be written: {error.strerror}", f"{path}：无法写入：{error.strerror}"
        ) from error


def missing(error: ModuleNotFoundError, extra: str) -> Unavailable:
    """The error of a command that needs an extra which is not installed: the base install is the gateway's."""
    return Unavailable(
        f"the module {error.name} is missing; install it with: pip install 'sixkit[{extra}]'",
        f"缺少模块 {error.name}；请安装：pip install 'sixkit[{extra}]'",
    )
