"""`sixkit bench`: figures from real processes on this machine, each beside what it is compared with in the same run."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from .command import GOOD, NOT_SO, clean_up_when_told_to_end, missing, number
from .locale import say

SAMPLES: Final = 300  # p99 is then the third worst
SAMPLES_MIN: Final = 20  # fewer say nothing about p99
SAMPLES_MAX: Final = 5000  # a quarter of an hour
DAYS: Final = 30
DAYS_MAX: Final = 3650


Benches: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = say("example: ", "示例：") + "sixkit bench path --json"
    benches = parser.add_subparsers(dest="bench", required=True, metavar=say("WHAT", "项目"))
    for add in (_add_path, _add_sim, _add_disk, _add_faults):
        one = add(benches)
        one.add_argument("--json", action="store_true", help=say("the figures as JSON", "以 JSON 输出"))


def _add_path(benches: Benches) -> argparse.ArgumentParser:
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
    return path


def _add_sim(benches: Benches) -> argparse.ArgumentParser:
    sim = benches.add_parser(
        "sim",
        help=say("virtual time", "虚拟时间"),
        description=say(
            "A home-month through link, core and outbox in virtual time: six terminals with a heartbeat a minute, "
            "three of them read every 10 s, faults on the line; beside a bare event queue in the same run, and where "
            "its time goes.",
            "在虚拟时间中让一个家庭运行一个月（链路、核心、发件箱）：六个终端每分钟一次心跳，其中三个每 10 秒采样，"
            "线路带故障；与同一次运行中的裸事件队列对比，并给出时间去向。",
        ),
    )
    sim.add_argument(
        "--days",
        type=number(1, DAYS_MAX),
        default=DAYS,
        metavar="N",
        help=say(f"simulated (1 to {DAYS_MAX}, default {DAYS})", f"模拟天数（1 到 {DAYS_MAX}，默认 {DAYS}）"),
    )
    return sim


def _add_disk(benches: Benches) -> argparse.ArgumentParser:
    disk = benches.add_parser(
        "disk",
        help=say("bytes written", "写入量"),
        description=say(
            "Bytes that the gateway writes for an alarm's event alone, in a burst, and on a quiet simulated day, "
            "beside what bare SQLite writes for rows of that size in the same run; exit code 1 where a limit is "
            "passed.",
            "网关为单个报警事件、同时发生的事件以及模拟的平静一天写入的字节数，"
            "并与同一次运行中裸 SQLite 写入同样大小的行对比；超出上限时退出码为 1。",
        ),
    )
    disk.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()),
        metavar="DIR",
        help=say("where to write on a real file system too (default: {})", "同时写入的真实文件系统（默认：{}）").format(
            tempfile.gettempdir()
        ),
    )
    return disk


def _add_faults(benches: Benches) -> argparse.ArgumentParser:
    faults = benches.add_parser(
        "faults",
        help=say("faults of sensors", "传感器故障"),
        description=say(
            "Each fault of the library at five strengths, in simulated and recorded signals, through the real firmware "
            "and core: which the home notices and how soon, beside plain three-sigma rules in the same run; and what "
            "it takes for a fault in 1,000 simulated terminal-months in order. Exit code 1 where a limit is passed.",
            "把故障库中的每种故障以五种强度注入模拟和录制的信号，经过真实的固件与核心：哪些被发现、多久发现，"
            "并与同一次运行中的三西格玛规则对比；以及 1000 个正常的模拟终端月中的误报。超出上限时退出码为 1。",
        ),
    )
    faults.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("SIXKIT_DATA"),
        metavar="DIR",
        help=say("the folder of recordings (default: SIXKIT_DATA)", "录制数据的文件夹（默认：SIXKIT_DATA）"),
    )
    faults.add_argument("--quick", action="store_true", help=say("a sample, in a minute", "抽样，一分钟内"))
    return faults


def run(args: argparse.Namespace) -> int:
    clean_up_when_told_to_end()
    try:
        found, show = _measured(args)
    except ModuleNotFoundError as error:
        raise missing(error, "sim") from error
    if args.json:
        print(json.dumps(found))
    else:
        show(found)
    return GOOD if found.get("within_limits", True) else NOT_SO


def _measured(args: argparse.Namespace) -> tuple[dict[str, Any], Callable[[dict[str, Any]], None]]:
    """The figures asked for, and how to show them to a person."""
    if args.bench == "sim":
        from . import bench_sim

        return bench_sim.measure(args.days), bench_sim.show
    if args.bench == "disk":
        from . import bench_disk

        return bench_disk.measure(args.folder), bench_disk.show
    if args.bench == "faults":
        from . import bench_faults

        return bench_faults.measure(args.data, args.quick), bench_faults.show
    from . import bench_path

    return bench_path.measure(args.samples), bench_path.show
