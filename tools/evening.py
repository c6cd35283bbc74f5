"""The demo's evening: the home with all its pieces, what scenes are made of, and the account at the end."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from gateway.home.stillness import Rule
from protocol.words import RAISED
from sim.case import TerminalSpec
from sim.stage import Stage
from sim.steps import Step

from . import tally
from .command import GOOD, NOT_SO, written
from .locale import language, say
from .timeline import GATEWAY, HOME, TROUBLE, Timeline

SEED: Final = 1
HEARTBEATS_S: Final = 20  # of the terminals on the line, so that stillness is soon told of
# Hours in a real home; between two presses of this evening lies less.
STILLNESS: Final = Rule(day_ms=90_000, night_ms=90_000, answer_ms=30_000, away_ms=60_000)
SCENE_S_MAX: Final = 60.0  # for what a scene waits for; it comes within a second or two
LOOK_S: Final = 0.02
SETTLE_S: Final = 0.1  # the journals' last lines are a few ms behind the status
MUST: Final = ("smoke", "gas", "flood", "inactivity", "button", "bracelet_sos", "mains_lost")  # raised and receipted


class Evening:
    """One evening: the home, its gateway, the broker, the centre, and those who do harm."""

    def __init__(self, folder: Path, rate: int, console: Console):
        self._console = console
        self._rate = rate
        terminals = (
            TerminalSpec("button-1", "button", say("bedroom", "卧室")),
            TerminalSpec("button-2", "button", say("bathroom", "卫生间")),
            TerminalSpec("smoke-1", "smoke", say("kitchen", "厨房")),
            TerminalSpec("gas-1", "gas", say("kitchen", "厨房")),
            TerminalSpec("flood-1", "flood", say("bathroom", "卫生间")),
            TerminalSpec("motion-1", "motion", say("living room", "客厅"), HEARTBEATS_S * 3),
            TerminalSpec("door-1", "door", say("hall", "门厅")),
            TerminalSpec("bracelet-1", "bracelet", ""),
        )
        self.stage = Stage(folder / "site", terminals, SEED, rate, stillness=STILLNESS)
        self.site = self.stage.site
        self.home = self.stage.home
        self._timeline = Timeline(console, self.stage.mono_ms)
        self._forged = self._replayed = self._replays_refused = 0

    def play(self, scenes: Sequence[Callable[[Evening], None]], out: Path | None, stay: bool) -> int:
        """All of them, and the account; 0 where everything is as it must be."""
        self.scene(
            "The parts start: broker, centre, agent, and a home on ptys",
            "启动：消息服务器、中心、网关程序，以及伪终端上的家",
        )
        if self._rate != 1:
            text = say("times faster; all times are of the faster clock", "倍速；所有时间均以加速后的时钟为准")
            self._console.print(f"{self._rate} {text}", style="dim")
        with self.stage:
            self._timeline.follow(self.site.heard)
            self._console.print(
                say("The dispatch desk's board: ", "调度台看板：") + f"[link]{self.site.address}[/link]", style="bold"
            )
            for scene in scenes:
                scene(self)
            found = self._account()
            if out is not None:
                written(out, json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n")
            if stay:
                self._stay()
            self.site.stop("agent")
            self.site.stop("centre")
        return GOOD if found.good else NOT_SO

    # --- what scenes are made of ---

    def scene(self, en: str, zh: str) -> None:
        """Its title."""
        self._timeline.scene(en, zh)

    def do(self, target: str, action: str, en: str, zh: str, **values: int) -> None:
        """A step of a terminal, and how to say it."""
        self._timeline.line(HOME, say(en, zh), "bold")
        self.home.do(Step(0, target, action, values))

    def at_home(self, en: str, zh: str) -> None:
        self._timeline.line(HOME, say(en, zh))

    def harm(self, en: str, zh: str) -> None:
        self._timeline.line(TROUBLE, say(en, zh), "bold red")

    def until(self, done: Callable[[], bool], most_s: float) -> None:
        """Tell what happens until `done`; a scene that does not end in time is shown in the account, not here."""
        end_s = time.monotonic() + most_s
        while not done() and time.monotonic() < end_s:
            self._timeline.follow(self.site.heard)
            time.sleep(LOOK_S)
        time.sleep(SETTLE_S)
        self._timeline.follow(self.site.heard, to_the_end=True)

    def until_settled(self, terminal: str) -> None:
        """Until this terminal had an event to tell of, every event has its receipt, and the journals have told so."""
        self.until(lambda: any(p.terminal == terminal for p in self.home.promises()), SCENE_S_MAX)
        self.until(self.stage.settled, SCENE_S_MAX)

    def promised(self, kind: str, phase: str) -> bool:
        """Whether a terminal has had such an event to tell of."""
        return any((promise.kind, promise.phase) == (kind, phase) for promise in self.home.promises())

    def raised(self, kind: str, phase: str = RAISED) -> bool:
        """Whether the gateway has made such an event."""
        found = (heard.line.fields for heard in self.site.lines("agent", "raised"))
        return any((fields["kind"], fields["phase"]) == (kind, phase) for fields in found)

    def call_back(self) -> None:
        """Somebody at the desk calls back, and the resident is told."""
        self._timeline.line(HOME, say("the telephone rings", "电话铃响"))
        self.site.call("centre")
        self.until(lambda: self._told("calling"), SCENE_S_MAX)

    def forge(self, count: int) -> None:
        """Forged alarms over the gateway's own connection, until all are refused."""
        self._forged += count
        self.site.forge(count)
        self.until(lambda: self._counters()["forged_refused"] >= self._forged, SCENE_S_MAX)

    def replay(self) -> None:
        """All event frames of the evening once more, until all are refused."""
        before = self._link_refusals()
        self._replayed = self.home.line.up.replay()
        self.harm(f"{self._replayed} recorded frames are sent once more", f"将录下的 {self._replayed} 个帧再次发出")
        self.until(lambda: self._link_refusals() - before >= self._replayed, SCENE_S_MAX)
        # A terminal's own late repeat may be refused meanwhile too.
        self._replays_refused = min(self._replayed, self._link_refusals() - before)
        refused = say(f"refused {self._replays_refused} old frames", f"拒绝了 {self._replays_refused} 个旧帧")
        self._timeline.line(GATEWAY, refused, "bold red")

    # --- the account ---

    def _account(self) -> tally.Tally:
        alarms, promises = self.site.centre("/api/alarms"), self.home.promises()
        rows = tally.rows(alarms)
        raised = self.site.lines("agent", "raised")
        own = {entry.line.fields["id"] for entry in raised if entry.line.fields["source"] is None}
        counters = self._counters()
        found = tally.Tally(
            trails=tally.trails(rows, alarms, self.site.heard),
            raised=sum(not promise.gone for promise in promises) + len(own),
            lost=tally.lost(promises, rows),
            duplicates=tally.duplicates(rows),
            repeats_absorbed=counters["repeats_absorbed"],
            forged=self._forged,
            forged_refused=counters["forged_refused"],
            replayed=self._replayed,
            link_replays_refused=self._replays_refused,
            clock_rate=self._rate,
            errors=len(self.site.lines("agent", "error")),
            missing=tally.missing(MUST, rows),
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
            say("The board stays open until Ctrl-C: ", "看板保持打开，Ctrl-C 结束：") + self.site.address, style="bold"
        )
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)

    def _told(self, message: str) -> bool:
        return any(heard.line.fields["message"] == message for heard in self.site.lines("agent", "tell"))

    def _counters(self) -> dict[str, Any]:
        found: dict[str, Any] = self.site.centre("/api/counters")
        return found

    def _link_refusals(self) -> int:
        """Frames that the gateway's serial bridge refused as old: of this session, or of one that is over."""
        counters = self.stage.agent_counters()
        return int(counters.get("native.replays", 0) + counters.get("native.bad_tag", 0))
