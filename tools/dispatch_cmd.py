"""`sixkit dispatch`: the dispatch centre's receiving end and board."""

from __future__ import annotations

import argparse

from .command import add_clock_rate, add_config, add_journal, missing
from .locale import say


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = say(
        "Verify, commit and receipt what gateways send, and show it on a board, until SIGTERM or Ctrl-C.",
        "验证、入库并回执网关上报的内容，并在看板上显示，直到收到 SIGTERM 或 Ctrl-C。",
    )
    parser.epilog = say("example: ", "示例：") + "sixkit dispatch --config centre/dispatch.toml"
    add_config(parser, "dispatch.toml")
    add_journal(parser)
    add_clock_rate(parser, "simulation only: let time run N times as fast", "仅用于模拟：时间加快 N 倍")


def run(args: argparse.Namespace) -> int:
    try:
        from dispatch import centre
    except ModuleNotFoundError as error:
        raise missing(error, "centre") from error
    return centre.run(args.config, json_output=args.json, clock_rate=args.clock_rate)
