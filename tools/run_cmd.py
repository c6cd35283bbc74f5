"""`sixkit run`: the gateway's agent."""

from __future__ import annotations

import argparse
from pathlib import Path

from .locale import say


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "run",
        help=say("run the gateway's agent", "运行网关程序"),
        description=say(
            "Run the gateway's agent until it gets SIGTERM or Ctrl-C.", "运行网关程序,直到收到 SIGTERM 或 Ctrl-C。"
        ),
        epilog=say("example: ", "示例:") + "sixkit run --config /etc/sixkit/gateway.toml",
    )
    parser.add_argument(
        "--config", type=Path, default=Path("gateway.toml"), help=say("default: ./gateway.toml", "默认:./gateway.toml")
    )
    parser.add_argument("--json", action="store_true", help=say("one JSON object a line", "每行一个 JSON 对象"))
    parser.add_argument(
        "--clock-rate",
        type=int,
        default=1,
        metavar="N",
        choices=range(1, 1001),
        help=say("simulation only: let time run N times as fast (1 to 1000)", "仅用于模拟:时间加快 N 倍(1 到 1000)"),
    )


def run(args: argparse.Namespace) -> int:
    from gateway import start

    return start.run(args.config, args.json, args.clock_rate)
