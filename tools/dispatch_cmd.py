"""`sixkit dispatch`: the dispatch centre's receiving end and board."""

from __future__ import annotations

import argparse
from pathlib import Path

from protocol.words import Unavailable

from .locale import say


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "dispatch",
        help=say("run the dispatch centre's receiving end and board", "运行调度中心接收端与看板"),
        description=say(
            "Verify, commit and receipt what gateways send, and show it on a board, until SIGTERM or Ctrl-C.",
            "验证、入库并回执网关上报的内容,并在看板上显示,直到收到 SIGTERM 或 Ctrl-C。",
        ),
        epilog=say("example: ", "示例:") + "sixkit dispatch --config centre/dispatch.toml",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("dispatch.toml"),
        help=say("default: ./dispatch.toml", "默认:./dispatch.toml"),
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
    try:
        from dispatch import centre
    except ModuleNotFoundError as error:  # the base install is the gateway's, which needs no web server
        raise Unavailable(
            f"the module {error.name} is missing; install the centre's: pip install 'sixkit[centre]'",
            f"缺少模块 {error.name};请安装中心组件:pip install 'sixkit[centre]'",
        ) from error
    return centre.run(args.config, json_output=args.json, clock_rate=args.clock_rate)
