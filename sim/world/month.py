"""A home-month through link, core and outbox alone, as fast as it goes: what `sixkit bench sim` times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Final

from gateway.bridges.native_link import NativeLink
from gateway.bridges.strangers import Stranger
from gateway.config import TerminalConfig
from gateway.home.core import Home
from gateway.home.messages import Acknowledge, Commit, Committed, Effect, Input, Keep, Receipted
from gateway.home.roster import Roster, Terminal
from gateway.outbox import Outbox
from protocol.record import Event, Interval, Now
from protocol.wire import mac
from sim import vfs
from sim.disk import Disk
from sim.line import Faults, Line, stream
from sim.steps import Step
from sim.terminals import Played
from sim.world.clock import BEGUN_WALL_MS
from sim.world.pieces import Bus
from sim.world.timeline import Timeline, Wake

KINDS: Final = ("button", "button", "button", "smoke", "smoke", "smoke")
SILENCE_S: Final = 180  # a heartbeat every 60 s
READ_MS: Final = 10_000  # of a smoke chamber
COMMIT_MS: Final = 10
RECEIPT_MS: Final = 50  # there is no centre here: what is committed is receipted so much later
FAULTS: Final = Faults(loss=0.01, repeat=0.01, flip=0.005)
PRESSES_A_DAY: Final = 4  # of each button
FIRES_A_DAY: Final = 1  # of each chamber
DAY_MS: Final = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Passed:
    """What went through: entries of the queue; messages of terminals, events, bytes and syncs of the card."""

    days: float
    steps: int
    counters: Counter[str]


class Month:
    """Six terminals on a line with faults, three of them read every 10 s; heartbeats every 60 s."""

    def __init__(self, seed: int):
        self.timeline = Timeline()
        self.counters: Counter[str] = Counter()
        made = [self._made(seed, number, kind) for number, kind in enumerate(KINDS)]
        self.disk = Disk(stream(seed, "disk"))
        self._link = NativeLink(made, stream(seed, "gateway").randbytes)
        self._outbox = Outbox(self.disk.path("/data/outbox.db"), "gw-1", self._said, self._now, vfs.connect)
        self._home = Home("gw-1", 2**40, 1, Roster(tuple(_rostered(one) for one in made)), now=self._now())
        self._played = [Played(one.id, one.kind, one.address, one.key, seed, 0, rest_ms=READ_MS) for one in made]
        line = Line(seed)
        line.set_faults(FAULTS)
        self._bus = Bus(self.timeline, line, self._played, self._hear)
        self._wake = Wake(self.timeline, self._tick)
        self._work_wake = Wake(self.timeline, self._work)
        self._random = stream(seed, "people")

    def run(self, days: float) -> Passed:
        self._bus.start()
        end_ms = int(days * DAY_MS)
        for one in self._played:
            _live(self, self._random, one, end_ms)
        self.timeline.until(end_ms)
        self.counters["bytes_written"] = self.disk.bytes_written
        self.counters["syncs"] = self.disk.syncs
        return Passed(days, self.timeline.steps, self.counters)

    def do(self, name: str, step: Step) -> None:
        piece = self._bus.pieces[name]
        piece.played.do(step.action, self.timeline.now)
        piece.turn()

    def _now(self) -> Now:
        now = self.timeline.now
        return Now(BEGUN_WALL_MS + now, now)

    def _made(self, seed: int, number: int, kind: str) -> TerminalConfig:
        key = stream(seed, f"key/{number}").randbytes(mac.KEY_BYTES)
        return TerminalConfig(f"{kind}-{number}", kind, "", "native", 1001 + number, key, SILENCE_S)

    # --- as the agent does it ---

    def _hear(self, data: bytes) -> None:
        now = self._now()
        for message in self._link.receive(data, now.mono_ms):
            self.counters["messages"] += 1
            if not isinstance(message, Stranger):  # there is none on this line
                self._perform(self._home.handle(message, now))
        self._speak()
        self._wake.set(self._home.deadline())

    def _speak(self) -> None:
        if data := self._link.poll(self.timeline.now):
            self._bus.down(data)

    def _tick(self) -> None:
        self._perform(self._home.tick(self._now()))
        self._wake.set(self._home.deadline())

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Commit):
                self._outbox.commit(effect.events, effect.state)
                self._work_wake.set(self.timeline.now + COMMIT_MS)
                self.counters["events"] += len(effect.events)
                for event in effect.events:
                    self._receipt_soon(event)
            elif isinstance(effect, Keep):
                self._outbox.keep(effect.state)
                self._look_at_work()
            elif isinstance(effect, Acknowledge):
                self._link.acknowledge(effect.terminal, effect.source)
                self._speak()

    def _receipt_soon(self, event: Event) -> None:
        span = Interval(event.id.epoch, event.id.sequence, event.id.sequence)

        def receipt() -> None:
            self._outbox.settle((span,))
            self._take(Receipted((span,)))
            self._look_at_work()

        self.timeline.after(COMMIT_MS + RECEIPT_MS, receipt)

    def _work(self) -> None:
        if self._outbox.due():
            self._outbox.perform(self._outbox.begin())
        self._look_at_work()

    def _look_at_work(self) -> None:
        self._work_wake.set(self._outbox.deadline())

    def _said(self, message: object) -> None:
        if isinstance(message, Committed):
            self._take(message)

    def _take(self, message: Input) -> None:
        self._perform(self._home.handle(message, self._now()))


def _rostered(one: TerminalConfig) -> Terminal:
    return Terminal(one.id, one.kind, one.room, one.bridge, one.silence_s_max)


def _live(month: Month, random: Random, played: Played, end_ms: int) -> None:
    """People press and fires burn, all through the days."""
    every_ms = DAY_MS // (PRESSES_A_DAY if played.kind == "button" else FIRES_A_DAY)
    for t_ms in range(random.randrange(every_ms), end_ms, every_ms):
        if played.kind == "button":
            month.timeline.at(t_ms, lambda: month.do(played.name, Step(0, played.name, "press")))
        else:
            month.timeline.at(t_ms, lambda: month.do(played.name, Step(0, played.name, "flaming")))
            month.timeline.at(t_ms + 300_000, lambda: month.do(played.name, Step(0, played.name, "clearing")))
