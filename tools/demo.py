"""The demo: an evening in a simulated home, with real processes, a real broker and real harm done to them."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from protocol.words import Told
from sim.case import TerminalSpec
from sim.stage import Stage
from sim.steps import Step

from . import tally
from .command import GOOD, INTERRUPTED, NOT_SO, add_clock_rate, clean_up_when_told_to_end, exit_code, written
from .locale import language, say
from .timeline import GATEWAY, HOME, TROUBLE, Timeline

SEED: Final = 1
RATE_MAX: Final = 4  # faster, the machine's own latency becomes part of the story
FORGERIES: Final = 3
SCENE_S_MAX: Final = 60.0  # for what a scene waits for; it comes within a second or two
CUT_S: Final = 33.0  # of the demo's clock: long enough for the resident to be told, after 30 s, to phone
LOOK_S: Final = 0.02
SETTLE_S: Final = 0.1  # the journals' last lines are a few ms behind the status


def main(argv: list[str] | None = None) -> int:
    """0 if the evening ended as it must: raised = receipted, nothing lost or doubled, forgeries refused."""
    args = _parser().parse_args(argv)
    console = Console(highlight=False)
    clean_up_when_told_to_end()
    try:
        if args.json is not None:
            written(args.json, "")  # a file that cannot be written is said now, not after the evening
        with tempfile.TemporaryDirectory(prefix="sixkit-") as folder:
            code = Evening(Path(folder), args.clock_rate, console).play(args.json, args.stay)
            if args.keep is not None:
                shutil.copytree(folder, args.keep, dirs_exist_ok=True)
            return code
    except Told as error:
        console.print(error.text(language()), style="bold red", markup=False)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/demo",
        description=say(
            "An evening in a simulated home: every process real, on this machine only, nothing left behind.",
            "模拟家庭的一个傍晚：所有进程均为真实进程，仅在本机运行，不留痕迹。",
        ),
        epilog=say("example: ", "示例：") + "./tools/demo --json out.json --stay",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help=say("write the account to FILE", "将结果写入 FILE"))
    parser.add_argument(
        "--stay", action="store_true", help=say("keep the board open until Ctrl-C", "保持看板打开，直到 Ctrl-C")
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help=say("keep all files of the site in FOLDER", "将站点的全部文件留存到 FOLDER"),
    )
    add_clock_rate(parser, "N times as fast", "加快 N 倍", RATE_MAX)
    return parser


class Evening:
    """One evening: the home, its gateway, the broker, the centre, and those who do harm."""

    def __init__(self, folder: Path, rate: int, console: Console):
        self._console = console
        self._rate = rate
        terminals = (
            TerminalSpec("button-1", "button", say("bedroom", "卧室")),
            TerminalSpec("button-2", "button", say("bathroom", "卫生间")),
            TerminalSpec("smoke-1", "smoke", say("kitchen", "厨房")),
        )
        self._stage = Stage(folder / "site", terminals, SEED, rate)
        self._site = self._stage.site
        self._home = self._stage.home
        self._timeline = Timeline(console, self._stage.mono_ms)
        self._replayed = self._replays_refused = 0

    def play(self, out: Path | None, stay: bool) -> int:
        self._timeline.scene(
            "The parts start: broker, centre, agent, and a home on a pty",
            "启动：消息服务器、中心、网关程序，以及伪终端上的家",
        )
        if self._rate != 1:
            text = say("times faster; all times are of the faster clock", "倍速；所有时间均以加速后的时钟为准")
            self._console.print(f"{self._rate} {text}", style="dim")
        with self._stage:
            self._timeline.follow(self._site.heard)
            self._console.print(
                say("The dispatch desk's board: ", "调度台看板：") + f"[link]{self._site.address}[/link]", style="bold"
            )
            for scene in (self._press, self._smoke, self._cut, self._kill, self._forge, self._replay, self._quiet):
                scene()
            found = self._account()
            if out is not None:
                written(out, json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n")
            if stay:
                self._stay()
            self._site.stop("agent")
            self._site.stop("centre")
        return GOOD if found.good else NOT_SO

    # --- scenes ---

    def _press(self) -> None:
        self._timeline.scene("The resident presses the emergency button", "老人按下紧急呼叫按钮")
        self._do("button-1", "press", "button-1 in the bedroom is pressed", "卧室的 button-1 被按下")
        self._until_settled("button-1")

    def _smoke(self) -> None:
        self._timeline.scene("The kitchen smoulders", "厨房阴燃")
        self._do("smoke-1", "smouldering", "smoke creeps up in the kitchen", "厨房烟雾渐浓")
        self._until_settled("smoke-1")
        self._do(
            "smoke-1",
            "clearing",
            "the window is opened; a minute of clean air ends the alarm",
            "打开窗户；空气清洁一分钟后报警解除",
        )

    def _cut(self) -> None:
        self._timeline.scene(
            "The broker is cut off, and the button is pressed meanwhile", "消息服务器中断，此时又有人按下按钮"
        )
        self._harm("the broker is killed", "消息服务器被杀掉")
        self._site.kill("broker")
        until_ms = self._stage.mono_ms() + int(CUT_S * 1000)
        self._do("button-2", "press", "button-2 in the bathroom is pressed", "卫生间的 button-2 被按下")
        self._until(lambda: self._stage.mono_ms() >= until_ms, CUT_S + SCENE_S_MAX)
        self._harm("the broker is started again", "消息服务器重新启动")
        self._site.start("broker")
        self._until_settled("button-2")

    def _kill(self) -> None:
        self._timeline.scene("The agent is killed with -9 in the middle of an alarm", "报警途中，网关程序被 kill -9")
        before = len(self._home.promises())
        self._do("button-1", "press", "button-1 in the bedroom is pressed", "卧室的 button-1 被按下")
        while len(self._home.promises()) == before:  # at once: the next lines take longer than the alarm's way
            time.sleep(0.0005)
        self._site.kill("agent")
        self._harm("kill -9 of the agent, the moment the button is down", "按钮按下的瞬间，kill -9 网关程序")
        self._timeline.line(
            HOME,
            say(
                "the agent is started again; it takes up what stood: the siren, and calls without a receipt on disk",
                "网关程序重新启动，接续未了之事：警号，以及磁盘上尚无回执的呼叫",
            ),
        )
        self._site.start("agent")
        self._until_settled("button-1")

    def _forge(self) -> None:
        self._timeline.scene("A thief with the gateway's connection sends forged alarms", "盗用网关连接者发送伪造报警")
        self._harm(f"{FORGERIES} forged fire alarms are sent", f"发出 {FORGERIES} 条伪造火警")
        self._site.forge(FORGERIES)
        self._until(lambda: self._counters()["forged_refused"] >= FORGERIES, SCENE_S_MAX)

    def _replay(self) -> None:
        self._timeline.scene("Old frames are replayed on the terminals' wire", "在终端线路上重放旧帧")
        before = self._link_refusals()
        self._replayed = self._home.line.up.replay()
        self._harm(f"{self._replayed} recorded frames are sent once more", f"将录下的 {self._replayed} 个帧再次发出")
        self._until(lambda: self._link_refusals() - before >= self._replayed, SCENE_S_MAX)
        # A terminal's own late repeat may be refused meanwhile too.
        self._replays_refused = min(self._replayed, self._link_refusals() - before)
        refused = say(f"refused {self._replays_refused} old frames", f"拒绝了 {self._replays_refused} 个旧帧")
        self._timeline.line(GATEWAY, refused, "bold red")

    def _quiet(self) -> None:
        self._timeline.scene("The air in the kitchen clears", "厨房空气恢复清洁")
        self._until(
            lambda: any(p.phase == "restored" for p in self._home.promises()) and self._stage.settled(), 2 * SCENE_S_MAX
        )

    # --- the account ---

    def _account(self) -> tally.Tally:
        alarms, promises = self._site.centre("/api/alarms"), self._home.promises()
        rows = tally.rows(alarms)
        raised = self._site.lines("agent", "raised")
        own = {entry.line.fields["id"] for entry in raised if entry.line.fields["source"] is None}
        counters = self._counters()
        found = tally.Tally(
            trails=tally.trails(rows, alarms, self._site.heard),
            raised=sum(not promise.gone for promise in promises) + len(own),
            lost=tally.lost(promises, rows),
            duplicates=tally.duplicates(rows),
            repeats_absorbed=counters["repeats_absorbed"],
            forged=FORGERIES,
            forged_refused=counters["forged_refused"],
            replayed=self._replayed,
            link_replays_refused=self._replays_refused,
            clock_rate=self._rate,
            errors=len(self._site.lines("agent", "error")),
            differences=tally.differences(promises, rows),
        )
        self._console.print()
        self._console.print(tally.table(found.trails))
        for good, text in tally.verdict(found):
            self._console.print(f"[green]✓[/] {text}" if good else f"[bold red]✗ {text}[/]")
        for difference in found.differences:
            self._console.print("  " + difference.text(language()), style="red", markup=False)
        return found

    def _stay(self) -> None:
        self._console.print(
            say("The board stays open until Ctrl-C: ", "看板保持打开，Ctrl-C 结束：") + self._site.address, style="bold"
        )
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)

    # --- what the scenes are made of ---

    def _do(self, target: str, action: str, en: str, zh: str) -> None:
        self._timeline.line(HOME, say(en, zh), "bold")
        self._home.do(Step(0, target, action))

    def _harm(self, en: str, zh: str) -> None:
        self._timeline.line(TROUBLE, say(en, zh), "bold red")

    def _until(self, done: Callable[[], bool], most_s: float, look_s: float = LOOK_S) -> None:
        """Tell what happens until `done`; a scene that does not end in time is shown in the account, not here."""
        end_s = time.monotonic() + most_s
        while not done() and time.monotonic() < end_s:
            self._timeline.follow(self._site.heard)
            time.sleep(look_s)
        time.sleep(SETTLE_S)
        self._timeline.follow(self._site.heard, to_the_end=True)

    def _until_settled(self, terminal: str) -> None:
        """Until this terminal had an event to tell of, every event has its receipt, and the journals have told so."""
        self._until(lambda: any(p.terminal == terminal for p in self._home.promises()), SCENE_S_MAX)
        self._until(self._stage.settled, SCENE_S_MAX)

    def _counters(self) -> dict[str, Any]:
        found: dict[str, Any] = self._site.centre("/api/counters")
        return found

    def _link_refusals(self) -> int:
        """Frames that the gateway's serial bridge refused as old: of this session, or of one that is over."""
        counters = self._stage.agent_counters()
        return int(counters.get("native.replays", 0) + counters.get("native.bad_tag", 0))


if __name__ == "__main__":
    sys.exit(main())
