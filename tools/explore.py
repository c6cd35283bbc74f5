"""`sixkit sim explore`: seeds run in virtual time, what failed shrunk, one line of counts."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from protocol.words import Told

from .command import GOOD, NOT_SO, USAGE, number, written
from .locale import language, say
from .progress import Bar, progress

if TYPE_CHECKING:
    from sim.world.explore import Broken, Explored, Wish

SEEDS_MAX: Final = 10_000_000
DAYS_MAX: Final = 3650.0
JOBS_MAX: Final = 256
FAILURES_MAX: Final = 3  # shrinking each takes a minute or so; more of the same cause say no more
SAY_EVERY_S: Final = 30.0  # where no bar is shown
_SEED: Final = re.compile("[0-9]{1,15}")

EXAMPLES: Final = """sixkit sim explore --seeds 0:200
  sixkit sim explore --seeds 0:10000 --days 1 --json > found.json
  sixkit sim explore --seeds 0:500 --days 7 --verify
  sixkit sim explore --seeds 17 --html 17.html
  sixkit sim explore --seeds 0:200 --plant acknowledge_before_commit"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seeds",
        type=seeds,
        default=range(100),
        metavar="A:B",
        help=say(
            "from A up to, not including, B; or a single seed (default 0:100)",
            "从 A 到 B（不含 B），或单个种子（默认 0:100）",
        ),
    )
    parser.add_argument(
        "--days",
        type=days,
        default=1.0,
        metavar="D",
        help=say("of each seed, in virtual time (default 1)", "每个种子模拟的天数（默认 1）"),
    )
    parser.add_argument(
        "--verify", action="store_true", help=say("run each seed twice and compare", "每个种子运行两遍并比对")
    )
    parser.add_argument(
        "--jobs",
        type=number(1, JOBS_MAX),
        default=os.cpu_count() or 1,
        metavar="N",
        help=say("processes (default: all cores)", "进程数（默认：全部核心）"),
    )
    parser.add_argument(
        "--only",
        type=numbers,
        metavar="N,N,...",
        help=say(
            "of a seed's plan only these items, as a failure names them", "仅执行该种子计划中的这些项（见失败报告）"
        ),
    )
    parser.add_argument(
        "--plant",
        default="",
        metavar="NAME",
        help=say(
            "plant a defect in the product, to see that it is found; `list` names them",
            "植入一个已命名的缺陷以检验能否发现；list 列出名称",
        ),
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help=say("report of a single seed", "单个种子的报告"))


def seeds(text: str) -> range:
    """The type of --seeds."""
    first, colon, last = text.partition(":")
    if not (_SEED.fullmatch(first) and (_SEED.fullmatch(last) or not colon)):
        raise argparse.ArgumentTypeError(say(f"{text!r} is not like 0:100 or 17", f"{text!r} 不是 0:100 或 17 的形式"))
    found = range(int(first), int(last) if colon else int(first) + 1)
    if not 0 < len(found) <= SEEDS_MAX:
        raise argparse.ArgumentTypeError(
            say(
                f"{text!r} holds {len(found)} seeds; 1 to {SEEDS_MAX} are allowed, A below B",
                f"{text!r} 含 {len(found)} 个种子；允许 1 到 {SEEDS_MAX} 个，且 A 小于 B",
            )
        )
    return found


def days(text: str) -> float:
    """The type of --days."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= DAYS_MAX:
        raise argparse.ArgumentTypeError(
            say(
                f"{text!r} is not a number of days above 0 and up to {DAYS_MAX:g}",
                f"{text!r} 不是大于 0 且不超过 {DAYS_MAX:g} 的天数",
            )
        )
    return found


def numbers(text: str) -> frozenset[int]:
    """The type of --only."""
    if text == "none":
        return frozenset()
    if not all(part.isdigit() for part in text.split(",")):
        raise argparse.ArgumentTypeError(say(f"{text!r} is not like 3,17", f"{text!r} 不是 3,17 的形式"))
    return frozenset(map(int, text.split(",")))


def run(args: argparse.Namespace) -> int:
    """Explore; 0 if every invariant held and every seed repeated, 1 if not. Raises Told."""
    from sim.world.defects import DEFECTS, check_plantable
    from sim.world.explore import Wish, explore

    if args.plant == "list" or args.plant not in ("", *DEFECTS):
        for name, (about, _) in DEFECTS.items():
            print(f"{name:28} {about}")
        return GOOD if args.plant == "list" else _unknown(args.plant)
    check_plantable(args.plant)
    wish = Wish(args.days, args.verify, args.plant, args.only)
    if args.only is not None and len(args.seeds) != 1:
        raise Told("--only is of a single seed's plan: --seeds 17", "--only 只用于单个种子：--seeds 17")
    if args.html:
        return _report(args.seeds, wish, args.html)
    watch = Watch(len(args.seeds))
    try:
        with progress(len(args.seeds)) as show:
            watch.show = show
            found = explore(args.seeds, wish, args.jobs, FAILURES_MAX, watch.at)
    except KeyboardInterrupt:
        print(say(f"stopped: {watch.said}", f"已停止：{watch.said}"), file=sys.stderr)
        raise
    if args.json:
        print(json.dumps(found.as_json(), ensure_ascii=False))
    else:
        print(as_text(found))
    return GOOD if found.good else NOT_SO


def _report(wanted: range, wish: Wish, path: Path) -> int:
    """Run one seed and write its page."""
    from sim.report import html
    from sim.world.defects import planted
    from sim.world.explore import command_of, planned
    from sim.world.retelling import story_of
    from sim.world.run import run as run_plan

    if len(wanted) != 1:
        raise Told("--html is the report of a single seed: --seeds 17", "--html 只用于单个种子：--seeds 17")
    plan = planned(wanted[0], wish)
    with planted(wish.defect):
        found = run_plan(plan, keep=True)
    title = say(f"Seed {plan.seed}, {wish.days:g} days", f"种子 {plan.seed}，{wish.days:g} 天")
    written(path, html(story_of(plan, found, title, command_of(plan.seed, wish)), language()))
    verdict = say("every invariant held", "未违反任何不变量")
    if found.failure:
        verdict = f"{found.failure.name}: {found.failure.told.text(language())}"
    print(say(f"seed {plan.seed}: {verdict}; see {path}", f"种子 {plan.seed}：{verdict}；见 {path}"))
    return NOT_SO if found.failure else GOOD


def _unknown(name: str) -> int:
    print(say(f"no defect is called {name}", f"没有名为 {name} 的缺陷"), file=sys.stderr)
    return USAGE


class Watch:
    """How far it has come, for a bar or, where there is none, for a line now and then."""

    def __init__(self, of: int):
        self.said = say("nothing yet", "尚无结果")
        self.show = Bar(of)
        self._of = of
        self._printed_s = time.monotonic()

    def at(self, done: int, found: Explored) -> None:
        doing = say(
            f"{found.days:.1f} days, {len(found.broken)} broken", f"{found.days:.1f} 天，{len(found.broken)} 处违反"
        )
        self.said = f"{done}/{self._of}  {doing}"
        self.show.at(done, doing)
        if not sys.stderr.isatty() and time.monotonic() - self._printed_s > SAY_EVERY_S:
            self._printed_s = time.monotonic()
            print(self.said, file=sys.stderr, flush=True)


def as_text(found: Explored) -> str:
    """The account, in this person's language; its last line holds the counts."""
    lines: list[str] = []
    for broken in found.broken:
        lines += _failure(broken)
    if found.unlike:
        some = ", ".join(map(str, found.unlike[:10]))
        lines.append(
            say(f"NOT REPEATED: two runs of these seeds differ: {some}", f"不可重复：以下种子两次运行不同：{some}")
        )
    if never := found.never():
        lines.append(say("Never reached: ", "从未到达：") + ", ".join(f"{table} {row}" for table, row in never))
    lines.append(_faults(found))
    lines.append(_counts(found))
    return "\n".join(lines)


def _failure(broken: Broken) -> list[str]:
    failure = broken.failure
    where = say(
        f"seed {broken.seed}, step {failure.step}, {failure.t_ms / 1000:.3f} s: {failure.name}",
        f"种子 {broken.seed}，第 {failure.step} 步，{failure.t_ms / 1000:.3f} 秒：{failure.name}",
    )
    return [
        f"{say('BROKEN', '违反不变量')}  {where}",
        f"    {failure.told.text(language())}",
        say(
            f"    the shortest plan that still fails ({broken.tries} runs):",
            f"    仍会失败的最短计划（{broken.tries} 次运行）：",
        ),
        *(f"      {about}" for about in broken.about),
        f"    {broken.command}",
    ]


def _faults(found: Explored) -> str:
    faults = ", ".join(f"{name} {count}" for name, count in sorted(found.faults.items()))
    return say("Faults: ", "故障：") + faults


def _counts(found: Explored) -> str:
    rows, pairs = found.rows(), found.pairs()
    return say(
        f"{found.seeds} seeds, {found.days:.1f} simulated days, {found.events} steps, "
        f"{found.counts['offered']} events of terminals, {found.counts['committed']} at the centre, "
        f"{found.faults.total()} faults of {len(found.faults)} kinds, transitions {rows[0]}/{rows[1]} "
        f"(under each kind of fault {pairs[0]}/{pairs[1]}), {found.seconds:.0f} s, "
        f"{len(found.broken)} broken, {len(found.unlike)} not repeated",
        f"{found.seeds} 个种子，模拟 {found.days:.1f} 天，{found.events} 步，终端事件 {found.counts['offered']} 个，"
        f"中心 {found.counts['committed']} 条，故障 {found.faults.total()} 次共 {len(found.faults)} 类，"
        f"状态转移 {rows[0]}/{rows[1]}（各类故障下 {pairs[0]}/{pairs[1]}），用时 {found.seconds:.0f} 秒，"
        f"违反 {len(found.broken)} 处，不可重复 {len(found.unlike)} 个",
    )
