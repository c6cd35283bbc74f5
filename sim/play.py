"""Plays a case for real: a home on a pty, the agent, the broker and the centre as processes, in real time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from protocol.words import Told, Unavailable
from sim import shim
from sim.case import COUNTERS, Case, Step
from sim.home import Home
from sim.judge import Mark, Outcome, Row, Said, differences, matches, read_rows
from sim.line import Line
from sim.site import Heard, Site
from sim.stranger import Stranger
from sim.terminals import Played

ONLINE_S_MAX: Final = 20.0  # for every terminal's session and the agent's connection, before the case begins
SETTLE_S_MAX: Final = 20.0  # after the last limit: a reconnection with its back-off, and the backlog
GRACE_S: Final = 0.4  # what comes twice comes soon
LOOK_S: Final = 0.1

Progress = Callable[[str, float, float], None]  # what is going on, and how far: s done, s in all


@dataclass(frozen=True, slots=True)
class Result:
    """What playing a case found."""

    case: Case
    differences: Sequence[Told]
    rows: Sequence[Row] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.case.title,
            "source": self.case.source,
            "good": self.good,
            "seconds": round(self.seconds, 1),
            "differences": [{"en": found.en, "zh": found.zh} for found in self.differences],
            "events": [row._asdict() | {"id": row.id} for row in self.rows],
            "counters": dict(self.counters),
        }


def silent(what: str, done_s: float, all_s: float) -> None:
    """Progress that nobody watches."""


def play_all(cases: Sequence[Case], jobs: int, progress: Callable[[int, Result | None], None]) -> list[Result]:
    """Plays the cases, `jobs` at a time; `progress(n, None)` when case n begins, with its result when it ends.

    Raises Unavailable where this machine cannot play them.
    """

    def one(number: int) -> Result:
        progress(number, None)
        result = play(cases[number])
        progress(number, result)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, range(len(cases))))


def play(case: Case, progress: Progress = silent) -> Result:
    """Plays one case from its beginning to its verdict. Raises Unavailable where this machine cannot."""
    began_s = time.monotonic()
    # The name is short: a Unix socket's path has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="sixkit-") as folder:
        player = _Player(case, Path(folder), progress)
        outcome = player.run()
    return Result(case, differences(case, outcome), outcome.rows, outcome.counters, time.monotonic() - began_s)


class _Player:
    def __init__(self, case: Case, folder: Path, progress: Progress):
        self._case = case
        self._progress = progress
        self._disk = shim.Control(folder / "disk")
        self._site = Site(
            folder / "site",
            case.terminals,
            rate=case.clock_rate,
            heartbeat_s=case.heartbeat_s,
            agent_environment=_environment(case, self._disk.path, folder / "site"),
        )
        now = self._mono_ms()
        self._played = [Played(t.spec.id, t.spec.kind, t.address, t.key, case.seed, now) for t in self._site.terminals]
        self._home = Home(self._site.port, self._played, Line(case.seed), self._mono_ms, case.clock_rate)
        self._marks: list[Mark] = []
        self._counters: dict[str, int] = {}
        self._doing = ""

    def run(self) -> Outcome:
        with self._site as site:
            for name in ("broker", "centre", "agent"):
                site.start(name)
            self._home.start()
            try:
                self._until_online()
                begun = site.clock.now()
                for step in self._case.steps:
                    self._wait_until(step.t_ms, begun.mono_ms)
                    self._do(step)
                self._wait_until(self._case.lasts_ms, begun.mono_ms)
                self._settle()
                self._count()
                for name in ("agent", "centre"):
                    site.stop(name)
            finally:
                self._home.stop()
            return Outcome(
                rows=read_rows(site.database),
                promises=self._home.promises(),
                dead=frozenset(terminal.name for terminal in self._played if not terminal.alive),
                marks=self._marks,
                begun=(begun.wall_ms, begun.mono_ms),
                said=[_as_said(heard) for what in ("siren", "tell") for heard in self._said(what)],
                counters=self._counters,
            )

    # --- the beginning and the end ---

    def _until_online(self) -> None:
        """Every terminal has a session, and the agent its connection. Raises Unavailable."""
        end_s = time.monotonic() + ONLINE_S_MAX
        while not (self._home.online() and any(heard.line.fields.get("up") for heard in self._said("uplink"))):
            if time.monotonic() > end_s:
                lines = self._site.process("agent").last_lines()
                raise Unavailable(
                    f"terminals and uplink are not online after {ONLINE_S_MAX:g} s. The agent's last lines:\n{lines}",
                    f"{ONLINE_S_MAX:g} 秒后终端与上行仍未在线。网关程序最后的输出:\n{lines}",
                )
            time.sleep(LOOK_S)

    def _settle(self) -> None:
        """Waits until everything owed has come, or its time is over; then a moment for what comes twice."""
        self._doing = "settling"
        limits = [expected.committed_within.ms for expected in self._case.expected if expected.committed_within]
        end_s = time.monotonic() + max(limits, default=0) / 1000 / self._case.clock_rate + SETTLE_S_MAX
        while time.monotonic() < end_s and not self._settled():
            time.sleep(LOOK_S)
        time.sleep(GRACE_S)

    def _settled(self) -> bool:
        try:
            events = self._site.centre("/api/alarms")
            unsettled = self._site.status()["outbox"]["unsettled"]
        except Unavailable:
            return False
        if unsettled or self._home.pending():
            return False
        return all(
            sum(matches(event, expected.event) for event in events) >= expected.times
            for expected in self._case.expected
        )

    def _count(self) -> None:
        for whose, ask in (("centre", lambda: self._site.centre("/api/counters")), ("agent", self._agent_counters)):
            try:
                found = ask()
            except Unavailable:  # it was left down
                continue
            for name, (owner, names) in COUNTERS.items():
                if owner == whose:
                    self._counters[name] = sum(int(found.get(part, 0)) for part in names)

    def _agent_counters(self) -> dict[str, int]:
        counters: dict[str, int] = self._site.status()["counters"]
        return counters

    # --- the steps ---

    def _do(self, step: Step) -> None:
        now = self._site.clock.now()
        self._marks.append(Mark(step, now.wall_ms, now.mono_ms))
        self._doing = f"{step.target} {step.action}".strip()
        if step.target in ("broker", "centre", "agent"):
            for do in _PROCESS_STEPS[step.action]:
                do(self._site, step.target)
        elif step.target == "disk":
            getattr(self._disk, step.action)()
        elif step.target == "forge":
            self._site.forge(int(step.values["count"]))
        elif step.target == "stranger":
            self._home.invite(Stranger(self._case.seed) if step.action == "babble" else None)
        else:
            self._home.do(step)

    def _wait_until(self, t_ms: int, begun_ms: int) -> None:
        while (left_ms := begun_ms + t_ms - self._mono_ms()) > 0:
            time.sleep(min(LOOK_S, left_ms / 1000 / self._case.clock_rate))
            self._progress(self._doing, (self._mono_ms() - begun_ms) / 1000, self._case.lasts_ms / 1000)

    def _said(self, what: str) -> list[Heard]:
        return self._site.lines("agent", what)

    def _mono_ms(self) -> int:
        return self._site.clock.now().mono_ms


# What each step does to a process; each is a list of methods of Site.
_PROCESS_STEPS: Final[dict[str, tuple[Callable[[Site, str], None], ...]]] = {
    "down": (Site.kill,),
    "kill": (Site.kill,),
    "up": (Site.start,),
    "start": (Site.start,),
    "restart": (Site.stop, Site.start),
}


def _as_said(heard: Heard) -> Said:
    fields = heard.line.fields
    word = fields.get("state") or fields.get("message") or ""
    return Said(heard.line.what, str(word), str(fields.get("kind")), str(fields.get("terminal")), heard.mono_ms)


def _environment(case: Case, control: Path, folder: Path) -> Mapping[str, str]:
    """What lets the gateway's disk fail and its clock be unset, where the case asks for it."""
    if not case.clock and not any(step.target == "disk" for step in case.steps):
        return {}
    return shim.environment(control, folder, -int(time.time()) if case.clock == "1970" else 0)
