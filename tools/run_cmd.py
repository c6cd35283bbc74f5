"""`sixkit run`: the gateway's agent."""

from __future__ import annotations

import argparse

from .command import add_clock_rate, add_config, add_journal
from .locale import say


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = say(
        "Run the gateway's agent until it gets SIGTERM or Ctrl-C.", "运行网关程序，直到收到 SIGTERM 或 Ctrl-C。"
    )
    parser.epilog = say("example: ", "示例：") + "sixkit run --config /etc/sixkit/gateway.toml"
    add_config(parser, "gateway.toml")
    add_journal(parser)
    add_clock_rate(parser, "simulation only: let time run N times as fast", "仅用于模拟：时间加快 N 倍")


def run(args: argparse.Namespace) -> int:
    from gateway import start

    return start.run(args.config, args.json, args.clock_rate)
