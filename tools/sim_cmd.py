"""`sixkit sim`: plays cases, recorded fires and soaks against the real agent, broker and centre; explores seeds."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from . import explore
from .command import GOOD, NOT_SO, add_clock_rate, clean_up_when_told_to_end, missing, number
from .locale import language, say
from .progress import progress
from .sim_reports import Reports, add_reports

if TYPE_CHECKING:
    from sim.replay import Replayed
    from sim.replay_nmea import Replayed as ReplayedNmea
    from sim.result import Result
    from sim.soak import Soaked

FIRE_RATE_MAX: Final = 100  # the chamber is sampled every 10 ms of real time then
JOBS_DEFAULT: Final = 2  # each is four processes that mostly wait
JOBS_MAX: Final = 16
KILLS_MAX: Final = 100_000  # two days
SEED_MAX: Final = 2**32 - 1


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = say(
        "Plays a home on a pty against the real agent, broker and centre, as processes of this machine; nothing "
        "is left behind.",
        "在伪终端上模拟一个家，并运行真实的网关程序、消息服务器与中心进程；结束后不留痕迹。",
    )
    what = parser.add_subparsers(dest="what", required=True, metavar=say("WHAT", "内容"))
    _add_run(what)
    _add_replay(what)
    _add_soak(what)
    _add_explore(what)


def run(args: argparse.Namespace) -> int:
    """Plays what was asked for; 0 if it came out as it must, 1 if not. Raises Told."""
    clean_up_when_told_to_end()
    try:
        return {"run": _run, "replay": _replay, "soak": _soak, "explore": explore.run}[args.what](args)
    except ModuleNotFoundError as error:
        raise missing(error, "sim") from error


def _add_run(what: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _subparser(
        what,
        "run",
        say("play cases and compare what came out", "运行用例并比对结果"),
        "sixkit sim run --html report.html tests/cases/broker_down.toml\n"
        "  sixkit sim run --jobs 4 --html reports --junit junit.xml tests/cases/*.toml\n"
        "  sixkit sim run --virtual tests/cases/*.toml",
    )
    parser.add_argument("cases", nargs="+", type=Path, metavar="CASE.toml", help=say("case files", "用例文件"))
    parser.add_argument(
        "--jobs",
        type=number(1, JOBS_MAX),
        default=JOBS_DEFAULT,
        metavar="N",
        help=say(
            f"how many at a time (1 to {JOBS_MAX}, default {JOBS_DEFAULT}); with --virtual always one",
            f"同时运行数（1 到 {JOBS_MAX}，默认 {JOBS_DEFAULT}）；使用 --virtual 时始终为 1",
        ),
    )
    parser.add_argument(
        "--virtual",
        action="store_true",
        help=say(
            "in virtual time instead of against real processes: seconds become milliseconds, and network, clock, disk "
            "and power can fail",
            "使用虚拟时间而不启动真实进程：数秒只需几毫秒，且可模拟网络、时钟、磁盘与电源故障",
        ),
    )
    add_reports(parser)


def _add_replay(what: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _subparser(
        what,
        "replay",
        say(
            "play a recorded fire into the smoke terminal, or a recorded receiver into the bracelet",
            "向烟雾终端回放火灾记录，或向手环回放接收机记录",
        ),
        "sixkit sim replay --smoke NIST_Smoke_Alarms_SDC02.csv.gz --column SMA_1 --clock-rate 10\n"
        "  sixkit sim replay --nmea quectel-l76k-nmea.log --clock-rate 10",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--nmea",
        type=Path,
        metavar="FILE",
        help=say(
            "a receiver's log; positions are compared with gpsd's where FILE.chk or FILE.chk.gz is beside it",
            "接收机记录；若旁有 FILE.chk 或 FILE.chk.gz，则与 gpsd 的位置比对",
        ),
    )
    which.add_argument(
        "--smoke",
        type=Path,
        metavar="FILE",
        help=say("NIST TN 1455, .csv or .csv.gz", "NIST TN 1455 记录，.csv 或 .csv.gz"),
    )
    parser.add_argument(
        "--column", default="SMA_1", metavar="NAME", help=say("its smoke column, default SMA_1", "烟雾列，默认 SMA_1")
    )
    add_clock_rate(parser, "N times as fast as it was", "以 N 倍速回放", FIRE_RATE_MAX)


def _add_soak(what: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _subparser(
        what,
        "soak",
        say("kill the agent again and again under load", "在负载下反复强杀网关程序"),
        "sixkit sim soak --kills 200 --seed 7",
    )
    parser.add_argument(
        "--kills", type=number(1, KILLS_MAX), default=20, metavar="N", help=say("default 20", "默认 20")
    )
    parser.add_argument("--seed", type=number(0, SEED_MAX), default=1, metavar="N", help=say("default 1", "默认 1"))


def _add_explore(what: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    about = say(
        "draw homes, people, faults and crashes from seeds, in virtual time",
        "由种子生成家庭、人物、故障与崩溃，在虚拟时间中检验",
    )
    explore.add_options(_subparser(what, "explore", about, explore.EXAMPLES))


def _subparser(
    what: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str, examples: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = what.add_parser(
        name,
        help=about,
        description=about,
        epilog=say("examples:", "示例：") + "\n  " + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help=say("report as one JSON object", "以 JSON 输出"))
    return parser


# --- run ---


def _run(args: argparse.Namespace) -> int:
    from sim import case, play
    from sim.world import play as virtual

    cases = [case.load(path) for path in args.cases]  # all of them are read before the first is played
    if not args.virtual:
        for path, one in zip(args.cases, cases, strict=True):
            play.refuse_virtual(one, str(path))
    reports = Reports(args.html, args.junit, args.cases)
    began_s = time.monotonic()
    done: list[Result] = []
    with progress(len(cases)) as show:

        def watch(number: int, result: Result | None) -> None:
            if result is not None:
                done.append(result)
                show.print(_verdict(args.cases[number], result))
            show.at(len(done), cases[number].title)

        if args.virtual:
            results = virtual.play_all(cases, watch, keep=args.html is not None)
        else:
            results = play.play_all(cases, args.jobs, watch)
    written = reports.write(results, args.virtual)
    bad = sum(not result.good for result in results)
    if args.json:
        print(json.dumps({"good": not bad, "cases": [result.as_json() for result in results]}, ensure_ascii=False))
    else:
        seconds = time.monotonic() - began_s
        print(
            say(
                f"{len(results)} cases, {bad} not as they must be, {seconds:.0f} s",
                f"{len(results)} 个用例，{bad} 个不符，用时 {seconds:.0f} 秒",
            )
        )
        for path in written:
            print(path)
    return NOT_SO if bad else GOOD


def _verdict(path: Path, result: Result) -> str:
    head = (
        f"{say('good', '通过') if result.good else say('NOT SO', '不符')}  {result.seconds:6.2f} s  {result.case.title}"
    )
    lines = [f"    {found.text(language())}" for found in result.differences]
    if lines:
        lines += [f"    {path}"]
    return "\n".join([head, *lines])


# --- replay ---


def _replay(args: argparse.Namespace) -> int:
    return _replay_nmea(args) if args.nmea else _replay_smoke(args)


def _replay_nmea(args: argparse.Namespace) -> int:
    from sim.gnss_log import read_checked, read_log
    from sim.replay_nmea import replay

    log, checked = read_log(args.nmea), read_checked(args.nmea)
    with progress(len(log)) as show:
        found = replay(log, checked, args.clock_rate, lambda played, presses: show.at(played, f"SOS {presses}"))
    print(json.dumps(found.as_json(), ensure_ascii=False) if args.json else _replay_nmea_text(found))
    return GOOD if found.good else NOT_SO


def _replay_nmea_text(found: ReplayedNmea) -> str:
    counted = ", ".join(f"{name} {n}" for name, n in found.counters.items()) or "-"
    lines = [
        say(
            f"{found.pieces} s of a receiver; the key was pressed {len(found.presses)} times.",
            f"接收机记录 {found.pieces} 秒；求救键按下 {len(found.presses)} 次。",
        ),
        say(
            f"{found.compared} positions at the centre compared with gpsd's: {found.differing} differ.",
            f"中心的 {found.compared} 个位置与 gpsd 比对：{found.differing} 个不符。",
        )
        if found.compared
        else say("No output of gpsd beside the file to compare with.", "该文件旁没有可供比对的 gpsd 输出。"),
        say(f"Sentences not used or refused: {counted}", f"未使用或拒收的语句：{counted}"),
    ]
    if not found.sound:
        lines.append(say("Events were lost, doubled or out of order.", "有事件丢失、重复或乱序。"))
    return "\n".join(lines)


def _replay_smoke(args: argparse.Namespace) -> int:
    from sim.recording import activations_beside, read_activations, read_fire
    from sim.replay import replay

    fire = read_fire(args.smoke, args.column)
    beside = activations_beside(args.smoke)
    real = read_activations(beside, fire.name) if beside else {}
    with progress(round(fire.seconds)) as show:
        result = replay(fire, real, args.clock_rate, lambda s, mdb_m: show.at(round(s), f"{mdb_m / 1000:.2f} dB/m"))
    print(json.dumps(result.as_json(), ensure_ascii=False) if args.json else _replay_text(result, args.clock_rate))
    return GOOD if result.good else NOT_SO


def _replay_text(result: Replayed, rate: int) -> str:
    from devices.smoke import ALARM_MDB_M, VERIFY_MS
    from sim.recording import SOURCE

    fire = result.fire
    lines = [
        say(
            f"Fire {fire.name}, column {fire.column}: {len(fire.points)} points over {fire.seconds:.0f} s, "
            f"{fire.skipped} rows skipped. Threshold {ALARM_MDB_M / 1000} dB/m for {VERIFY_MS / 1000:g} s.",
            f"火灾 {fire.name}，列 {fire.column}：{fire.seconds:.0f} 秒内 {len(fire.points)} 个点，"
            f"跳过 {fire.skipped} 行。"
            f"阈值 {ALARM_MDB_M / 1000} dB/m，持续 {VERIFY_MS / 1000:g} 秒。",
        )
    ]
    if result.alarm_s is None or result.centre_s is None:
        lines.append(say("No alarm reached the centre.", "没有报警到达中心。"))
    else:
        took_ms = (result.centre_s - result.alarm_s) * 1000 / rate
        lines.append(
            say(
                f"Alarm at {result.alarm_s:.1f} s after ignition; at the centre at {result.centre_s:.1f} s "
                f"({took_ms:.0f} ms of real time on the way).",
                f"点火后 {result.alarm_s:.1f} 秒报警；{result.centre_s:.1f} 秒到达中心"
                f"（途中实际用时 {took_ms:.0f} 毫秒）。",
            )
        )
    lines += _real_alarms(result.real, place=fire.column[2:3])
    return "\n".join([*lines, say("Data: ", "数据：") + SOURCE])


def _real_alarms(real: Mapping[str, int], place: str) -> Iterator[str]:
    """The real alarms of the same fire: those in the room of the column, and all of them."""
    if not real:
        yield say("No activation times beside the file.", "该文件旁没有报警时刻记录。")
        return
    kinds = {"Ion": say("ionisation", "离子"), "Pho": say("photoelectric", "光电")}
    for prefix, kind in kinds.items():
        times = [s for name, s in real.items() if name.startswith(prefix)]
        here = [f"{name} {s} s" for name, s in real.items() if name.startswith(prefix) and name.endswith(place)]
        if times:
            yield say(
                f"The real {kind} alarms sounded at {min(times)} to {max(times)} s, "
                f"median {statistics.median(times):g} s; at place {place}: {', '.join(here) or 'none'}",
                f"真实的{kind}报警器在 {min(times)} 至 {max(times)} 秒响起，中位数 {statistics.median(times):g} 秒；"
                f"位置 {place}：{'、'.join(here) or '无'}",
            )


# --- soak ---


def _soak(args: argparse.Namespace) -> int:
    from sim.soak import soak

    with progress(args.kills) as show:
        found = soak(args.kills, args.seed, lambda done, of, doing: show.at(done, doing))
    print(json.dumps(found.as_json(), ensure_ascii=False) if args.json else _soak_text(found))
    return GOOD if found.good else NOT_SO


def _soak_text(found: Soaked) -> str:
    lines = [one.text(language()) for one in found.differences]
    if not found.sync_ms:
        lines.append(say("No C compiler here: the disk was as fast as it is.", "本机无 C 编译器：磁盘未减速。"))
    lines.append(
        say(
            f"{found.kills} kills in {found.seconds:.0f} s (seed {found.seed}): {found.offered} events offered, "
            f"{found.acknowledged} acknowledged, {found.held} still held, {found.crowded} crowded out of a full queue; "
            f"{found.committed} at the centre, {found.repeats_absorbed} repeats absorbed, "
            f"{len(found.differences)} lost, doubled or out of order",
            f"{found.kills} 次强杀，用时 {found.seconds:.0f} 秒（种子 {found.seed}）：产生 {found.offered} 个事件，"
            f"已确认 {found.acknowledged}，仍保留 {found.held}，因队列已满让位 {found.crowded}；"
            f"中心共 {found.committed} 条，吸收重复 {found.repeats_absorbed} 次，"
            f"丢失、重复或乱序 {len(found.differences)} 个",
        )
    )
    return "\n".join(lines)
