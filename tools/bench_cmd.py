"""`sixkit bench`: figures from real processes on this machine, each beside what it is compared with in the same run."""

from __future__ import annotations

import argparse
import json
from typing import Final

from .command import GOOD, clean_up_when_told_to_end, missing, number
from .locale import say

SAMPLES: Final = 300  # p99 is then the third worst
SAMPLES_MIN: Final = 20  # fewer say nothing about p99
SAMPLES_MAX: Final = 5000  # a quarter of an hour


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = say("example: ", "示例：") + "sixkit bench path --json"
    benches = parser.add_subparsers(dest="bench", required=True, metavar=say("WHAT", "项目"))
    path = benches.add_parser(
        "path",
        help=say("the way of an alarm", "报警路径"),
        description=say(
            "Real agent, broker and centre on this machine: the agent's memory and start, and the time from the wire "
            "to the desk beside the floor of the same run (two synced commits and one synced broker round trip).",
            "在本机运行真实的网关程序、消息服务器与中心：测量内存、启动时间，以及从线路到调度台的延迟，"
            "并与同一次运行的下限（两次同步提交加一次同步消息往返）对比。",
        ),
    )
    path.add_argument(
        "--samples",
        type=number(SAMPLES_MIN, SAMPLES_MAX),
        default=SAMPLES,
        metavar="N",
        help=say(
            f"{SAMPLES_MIN} to {SAMPLES_MAX}, default {SAMPLES}", f"{SAMPLES_MIN} 到 {SAMPLES_MAX}，默认 {SAMPLES}"
        ),
    )
    path.add_argument("--json", action="store_true", help=say("the figures as JSON", "以 JSON 输出"))


def run(args: argparse.Namespace) -> int:
    clean_up_when_told_to_end()
    try:
        from . import bench_path
    except ModuleNotFoundError as error:
        raise missing(error, "sim") from error
    found = bench_path.measure(args.samples)
    if args.json:
        print(json.dumps(found))
    else:
        bench_path.show(found)
    return GOOD
