"""Power cuts for real: the agent on a file system that loses what was not flushed, and the verdict on many cuts."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from types import FrameType
from typing import Final

from protocol.words import Told
from sim import card
from sim.power import Found, power_cuts

from .command import GOOD, INTERRUPTED, NOT_SO, exit_code, number
from .locale import language, say
from .progress import progress

CUTS_DEFAULT: Final = 100  # under a minute
CUTS_MAX: Final = 1_000_000  # three days
JOBS_DEFAULT: Final = 2
JOBS_MAX: Final = 16
SEED_MAX: Final = 2**32 - 1
WEAKER: Final = ("NORMAL", "OFF")
SAY_EVERY: Final = 100  # cuts, where no bar is shown
SHOWN_MAX: Final = 20  # differences as text; all of them are in the JSON


def main(argv: list[str] | None = None) -> int:
    """0 if nothing was lost or doubled, 1 if something was, 3 where this machine cannot cut its power."""
    args = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        card.be_alone()
        found = _cut(args)
    except Told as error:
        print(error.text(language()), file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    print(json.dumps(found.as_json(), ensure_ascii=False) if args.json else as_text(found))
    return GOOD if found.good else NOT_SO


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/powercut",
        description=say(
            "Runs the real agent under load with its data on a card (ext4 behind a loop device), cuts the card's "
            "power again and again, starts the agent anew, and compares what terminals got acknowledged with what the "
            "centre has. Needs root and mke2fs; leaves nothing behind.",
            "让真实的网关程序在负载下运行，数据存于一张卡（loop 设备上的 ext4），反复切断其电源并重新启动，"
            "最后比对终端得到的确认与中心的记录。需要 root 权限和 mke2fs；结束后不留痕迹。",
        ),
        epilog=say("examples:", "示例：")
        + "\n  sudo tools/powercut --cuts 5000 --json\n  sudo tools/powercut --synchronous NORMAL",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--cuts",
        type=number(1, CUTS_MAX),
        default=CUTS_DEFAULT,
        metavar="N",
        help=say(f"default {CUTS_DEFAULT}", f"默认 {CUTS_DEFAULT}"),
    )
    parser.add_argument("--seed", type=number(0, SEED_MAX), default=1, metavar="N", help=say("default 1", "默认 1"))
    parser.add_argument(
        "--jobs",
        type=number(1, JOBS_MAX),
        default=JOBS_DEFAULT,
        metavar="N",
        help=say(
            f"homes at a time (1 to {JOBS_MAX}, default {JOBS_DEFAULT})",
            f"同时模拟的家庭数（1 到 {JOBS_MAX}，默认 {JOBS_DEFAULT}）",
        ),
    )
    parser.add_argument(
        "--synchronous",
        choices=WEAKER,
        default="",
        help=say(
            "plant a weakness, to see that it is found: SQLite's setting in place of the product's FULL",
            "植入缺陷以检验本工具能否发现：用此设置替换产品中 SQLite 的 FULL",
        ),
    )
    parser.add_argument("--json", action="store_true", help=say("report as one JSON object", "以 JSON 输出"))
    return parser


def _cut(args: argparse.Namespace) -> Found:
    with progress(args.cuts) as show:

        def watch(done: int, of: int, doing: str) -> None:
            show.at(done, doing)
            if done and done % SAY_EVERY == 0 and not sys.stderr.isatty():
                show.print(f"{done}/{of}  {doing}")

        return power_cuts(args.cuts, args.seed, args.jobs, args.synchronous, watch)


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def as_text(found: Found) -> str:
    """The account, in this person's language."""
    counts = found.counts
    lines = [one.text(language()) for one in found.differences[:SHOWN_MAX]]
    if (left := len(found.differences) - SHOWN_MAX) > 0:
        lines.append(say(f"... and {left} more; --json has all", f"……另有 {left} 条；--json 列出全部"))
    lines += [
        say(
            f"{counts['cuts']} cuts in {found.seconds:.0f} s, {found.cuts_per_s:.1f} a second (seed {found.seed}"
            + (f", synchronous={found.synchronous} planted)" if found.synchronous else ")"),
            f"{counts['cuts']} 次断电，用时 {found.seconds:.0f} 秒，每秒 {found.cuts_per_s:.1f} 次（种子 {found.seed}"
            + (f"，已植入 synchronous={found.synchronous}）" if found.synchronous else "）"),
        ),
        say(
            f"  {counts['alone']} of them without a broker; {counts['aimed_commit']} aimed at a commit, "
            f"{counts['aimed_start']} at the start; {counts['at_disk']} hit a sync inside the kernel; "
            f"what was not synced was gone after {counts['took']}",
            f"  其中 {counts['alone']} 次无消息服务器；{counts['aimed_commit']} 次瞄准提交，"
            f"{counts['aimed_start']} 次瞄准启动；{counts['at_disk']} 次命中内核中的同步；"
            f"{counts['took']} 次后未同步的数据确已消失",
        ),
        say(
            f"  before {counts['at_stake']} of them, acknowledged events rested on the card alone "
            f"(before {counts['fresh']}, some of that very life)",
            f"  {counts['at_stake']} 次断电前有已确认的事件仅存于卡上（{counts['fresh']} 次含本次运行中新确认的）",
        ),
        say(
            f"  {counts['offered']} events of terminals: {counts['acknowledged']} acknowledged, {counts['held']} still "
            f"held, {counts['crowded']} crowded out of a full queue; {counts['committed']} at the centre, "
            f"{counts['repeats_absorbed']} repeats absorbed",
            f"  终端事件 {counts['offered']} 个：已确认 {counts['acknowledged']}，仍保留 {counts['held']}，"
            f"因队列已满让位 {counts['crowded']}；中心共 {counts['committed']} 条，"
            f"吸收重复 {counts['repeats_absorbed']} 次",
        ),
        _verdict(found),
    ]
    return "\n".join(lines)


def _verdict(found: Found) -> str:
    counts = found.counts
    text = say(
        f"{counts['lost']} lost, {counts['doubled']} doubled", f"丢失 {counts['lost']}，重复 {counts['doubled']}"
    )
    if counts["losing_cuts"]:
        return text + say(f"; {counts['losing_cuts']} cuts lost something", f"；{counts['losing_cuts']} 次断电造成丢失")
    if found.bound is None:
        return text
    return text + say(
        f"; with 95 % confidence fewer than {found.bound:.3%} of cuts lose anything (3/{counts['at_stake']})",
        f"；在 95% 置信度下，造成丢失的断电少于 {found.bound:.3%}（3/{counts['at_stake']}）",
    )


if __name__ == "__main__":
    sys.exit(main())
