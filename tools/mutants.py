"""The command that judges the tests: it changes the code bit by bit and counts the changes that no test notices."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from protocol.words import Told

from .command import GOOD, INTERRUPTED, NOT_SO, clean_up_when_told_to_end, exit_code, number
from .locale import language, say
from .mutation import AREAS, KILLED, OUTCOMES, STOPPED, SURVIVED, UNTESTED, Choice, Result, run
from .progress import progress

ROOT: Final = Path(__file__).resolve().parent.parent
WORK: Final = ROOT / "build" / "mutants"
SAMPLE_MAX: Final = 100_000  # more than there are
SEED_MAX: Final = 2**32 - 1
MINUTES_MAX: Final = 24 * 60
JOBS_MAX: Final = 16
SAY_EVERY: Final = 50  # mutants, where no bar is shown


def main(argv: list[str] | None = None) -> int:
    """0 if each area kills its part, 1 if one does not, 3 where mutmut is not installed or the tests fail anyway."""
    args = _parser().parse_args(argv)
    clean_up_when_told_to_end()
    try:
        results = {name: _run(name, args) for name in args.area or AREAS}
    except Told as error:
        print(error.text(language()), file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    print(json.dumps(as_json(results), ensure_ascii=False) if args.json else as_text(results))
    return GOOD if all(result.good for result in results.values()) else NOT_SO


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/mutants",
        description=say(
            "Makes mutants of the code (with mutmut): one small change each. Runs each against the tests of its area, "
            "and prints those that no test noticed. Its work folder is build/mutants.",
            "用 mutmut 生成代码变异体：每个仅有一处小改动。对每个变异体运行所属部分的测试，"
            "列出未被任何测试发现的变异体。工作目录为 build/mutants。",
        ),
        epilog=say("examples:", "示例：")
        + "\n  tools/mutants home envelope"
        + "\n  tools/mutants outbox --sample 60 --seed 7 --minutes 10"
        + "\n  tools/mutants home --only '*Held*' --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "area",
        nargs="*",
        type=_area,
        metavar="AREA",
        help=", ".join(AREAS) + say(" (default: all)", "（默认：全部）"),
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="PATTERN",
        help=say(
            "only mutants with such names, like '*Held*'; may be given again",
            "仅名称匹配的变异体，如 '*Held*'；可重复给出",
        ),
    )
    parser.add_argument(
        "--sample",
        type=number(1, SAMPLE_MAX),
        metavar="N",
        help=say("so many of each area, drawn at random", "每个部分随机抽取 N 个"),
    )
    parser.add_argument(
        "--seed",
        type=number(0, SEED_MAX),
        default=1,
        metavar="N",
        help=say("of the sample; default 1", "抽样种子，默认 1"),
    )
    parser.add_argument(
        "--minutes",
        type=number(1, MINUTES_MAX),
        metavar="N",
        help=say("for each area; what is not done by then is left out", "每个部分的时限；未及运行的不计入"),
    )
    parser.add_argument(
        "--jobs",
        type=number(1, JOBS_MAX),
        default=1,
        metavar="N",
        help=say(f"mutants at a time (1 to {JOBS_MAX}, default 1)", f"同时运行的变异体数（1 到 {JOBS_MAX}，默认 1）"),
    )
    parser.add_argument("--json", action="store_true", help=say("report as one JSON object", "以 JSON 输出"))
    return parser


def _area(text: str) -> str:
    if text not in AREAS:
        areas = ", ".join(AREAS)
        raise argparse.ArgumentTypeError(
            say(f"no area {text!r}; there are: {areas}", f"没有名为 {text!r} 的部分；可选：{areas}")
        )
    return text


def _run(name: str, args: argparse.Namespace) -> Result:
    seconds = None if args.minutes is None else args.minutes * 60.0
    choice = Choice(tuple(args.only or "*"), args.sample, args.seed, seconds)
    with progress(1) as show:
        said = 0

        def watch(done: int, of: int) -> None:
            nonlocal said
            show.at(done, name, of)
            if done >= said + SAY_EVERY and not sys.stderr.isatty():
                said = done
                show.print(f"{name}: {done}/{of}")

        return run(ROOT, WORK / name, AREAS[name], choice, args.jobs, watch)


def as_json(results: dict[str, Result]) -> dict[str, Any]:
    """The account of each area: the counts of its files, and the survivors as diffs."""
    return {
        name: {
            "score_pct": round(result.score_pct, 2),
            "target_pct": result.area.target_pct,
            "good": result.good,
            "made": result.made,
            "run": len(result.outcomes),
            "killed": result.killed,
            "seconds": round(result.seconds, 1),
            "files": {file: dict(counts) for file, counts in _by_file(result).items()},
            "survivors": [
                {"name": one.name, "file": one.file, "outcome": result.outcomes[one], "diff": one.diff}
                for one in result.unnoticed
            ],
        }
        for name, result in results.items()
    }


def as_text(results: dict[str, Result]) -> str:
    """The same for a person, in their language; the survivors first, the sum last."""
    lines = []
    for result in results.values():
        for one in result.unnoticed:
            lines += [f"# {one.name}: {_word(result.outcomes[one])}", one.diff, ""]
    for name, result in results.items():
        lines.append(
            say(
                f"{name}: {result.killed} of {len(result.outcomes)} killed, {result.score_pct:.1f} % "
                f"(at least {result.area.target_pct} %), in {result.seconds:.0f} s; {result.made} can be made",
                f"{name}：{len(result.outcomes)} 个中杀死 {result.killed} 个，{result.score_pct:.1f}%"
                f"（要求至少 {result.area.target_pct}%），用时 {result.seconds:.0f} 秒；共可生成 {result.made} 个",
            )
        )
        for file, counts in _by_file(result).items():
            lines.append(f"  {file}: " + ", ".join(f"{_word(one)} {counts[one]}" for one in OUTCOMES if counts[one]))
    return "\n".join(lines)


def _by_file(result: Result) -> dict[str, Counter[str]]:
    files: dict[str, Counter[str]] = {}
    for one, outcome in result.outcomes.items():
        files.setdefault(one.file, Counter())[outcome] += 1
    return files


def _word(outcome: str) -> str:
    return {
        KILLED: say("killed", "杀死"),
        STOPPED: say("stopped", "中止"),
        SURVIVED: say("survived", "存活"),
        UNTESTED: say("untested", "无测试"),
    }[outcome]


if __name__ == "__main__":
    sys.exit(main())
