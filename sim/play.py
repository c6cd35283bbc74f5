"""Plays a case for real: a home on a pty, the agent, the broker and the centre as processes, in real time."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from protocol.record import Now
from protocol.words import Told, Unavailable
from sim import shim
from sim.case import Case
from sim.judge import Mark, Outcome, Said, differences, matches, read_incidents, read_rows
from sim.people import RESIDENT
from sim.result import Result, counted
from sim.site import Heard, Site
from sim.stage import LOOK_S, Stage
from sim.steps import SUPPLIES, Step
from sim.stranger import MANNERS, Stranger

SETTLE_S_MAX: Final = 20.0  # after the last limit: a reconnection with its back-off, and the backlog
GRACE_S: Final = 0.4  # what comes twice comes soon

Progress = Callable[[str, float, float], None]  # what is going on, and how far: s of the case done, s in all


def unwatched(doing: str, done_s: float, all_s: float) -> None:
    """Progress that nobody looks at."""


def play_all(cases: Sequence[Case], jobs: int, progress: Callable[[int, Result | None], None]) -> list[Result]:
    """Plays the cases, `jobs` at a time; `progress(n, None)` when case n begins, with its result when it ends.

    Raises Unavailable where this machine cannot play them.
    """

    stopping = threading.Event()

    def stop(doing: str, done_s: float, all_s: float) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt

    def one(number: int) -> Result:
        progress(number, None)
        result = play(cases[number], stop)
        progress(number, result)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        try:
            return list(pool.map(one, range(len(cases))))
        except BaseException:  # Ctrl-C reaches this thread only; those that play end their processes and follow
            stopping.set()
            pool.shutdown(cancel_futures=True)
            raise


def play(case: Case, progress: Progress = unwatched) -> Result:
    """Plays one case from its beginning to its verdict. Raises Unavailable where this machine cannot, Told where only
    virtual time could."""
    refuse_virtual(case, case.title)
    began_s = time.monotonic()
    # The name is short: a Unix socket's path has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="sixkit-") as name:
        folder, disk = Path(name) / "site", shim.Control(Path(name) / "disk")
        environment = _environment(case, disk.path, folder)
        with Stage(
            folder,
            case.terminals,
            case.seed,
            case.clock_rate,
            case.heartbeat_s,
            environment,
            stillness=case.stillness,
        ) as stage:
            stage.home.watch()
            outcome = _Player(case, stage, disk, progress).run()
            heard, samples = list(stage.site.heard), stage.home.samples()
    return Result(case, differences(case, outcome), outcome, heard, samples, time.monotonic() - began_s)


def refuse_virtual(case: Case, where: str) -> None:
    """Raises Told where the case, called `where`, has a step that only virtual time can do."""
    if step := case.needs_virtual_time():
        what = f"{step.target} {step.action}"
        raise Told(f"{where}: {what} needs --virtual", f"{where}：{what} 需要 --virtual")


class _Player:
    def __init__(self, case: Case, stage: Stage, disk: shim.Control, progress: Progress):
        self._case = case
        self._stage = stage
        self._site = stage.site
        self._disk = disk
        self._progress = progress
        self._marks: list[Mark] = []
        self._doing = ""

    def run(self) -> Outcome:
        begun = self._site.clock.now()
        for step in self._case.steps:
            self._wait_until(step.t_ms, begun)
            self._do(step)
        self._wait_until(self._case.lasts_ms, begun)
        self._settle()
        counters = self._counters()
        for name in ("agent", "centre"):
            self._site.stop(name)
        return Outcome(
            rows=read_rows(self._site.database),
            incidents=read_incidents(self._site.database),
            promises=self._stage.home.promises(),
            dead=self._stage.dead(),
            marks=self._marks,
            begun=(begun.wall_ms, begun.mono_ms),
            said=[_said(heard) for what in ("siren", "tell") for heard in self._site.lines("agent", what)],
            counters=counters,
            restored_ms=max((mark.mono_ms for mark in self._marks if mark.step.action == "restore"), default=0),
        )

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
            addresses = [terminal.address for terminal in self._site.terminals]
            stranger = Stranger(self._case.seed, step.action, addresses) if step.action in MANNERS else None
            self._stage.home.invite(stranger)
        elif step.target == "power":
            self._site.feed(SUPPLIES[step.action])
        elif step.target != RESIDENT:  # whose deeds are steps of their own
            self._stage.home.do(step)

    def _wait_until(self, t_ms: int, begun: Now) -> None:
        while (left_ms := begun.mono_ms + t_ms - self._stage.mono_ms()) > 0:
            time.sleep(min(LOOK_S, left_ms / 1000 / self._case.clock_rate))
            self._progress(self._doing, (self._stage.mono_ms() - begun.mono_ms) / 1000, self._case.lasts_ms / 1000)

    def _settle(self) -> None:
        """Waits until everything owed has come, or its time is over; then a moment for what comes twice."""
        self._doing = "settling"
        limits = [expected.committed_within.ms for expected in self._case.expected if expected.committed_within]
        end_s = time.monotonic() + max(limits, default=0) / 1000 / self._case.clock_rate + SETTLE_S_MAX
        while time.monotonic() < end_s and not (self._stage.settled() and self._all_there()):
            self._progress(self._doing, self._case.lasts_ms / 1000, self._case.lasts_ms / 1000)
            time.sleep(LOOK_S)
        time.sleep(GRACE_S)

    def _all_there(self) -> bool:
        try:
            events = self._site.centre("/api/alarms")
        except Unavailable:
            return False
        return all(
            sum(matches(event, expected.event) for event in events) >= expected.times
            for expected in self._case.expected
        )

    def _counters(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for owner, ask in (("centre", self._centre_counters), ("agent", self._stage.agent_counters)):
            with contextlib.suppress(Unavailable):  # the case left it down
                found |= counted(owner, ask())
        return found

    def _centre_counters(self) -> dict[str, Any]:
        return dict(self._site.centre("/api/counters"))


# What a step does to a process.
_PROCESS_STEPS: Final[dict[str, tuple[Callable[[Site, str], None], ...]]] = {
    "down": (Site.kill,),
    "kill": (Site.kill,),
    "up": (Site.start,),
    "start": (Site.start,),
    "restart": (Site.stop, Site.start),
    "pause": (Site.pause,),
    "resume": (Site.resume,),
    "back_up": (Site.back_up,),
    "call": (Site.call,),
    "restore": (Site.restore,),
}


def _said(heard: Heard) -> Said:
    fields = heard.line.fields
    word = fields.get("state") or fields.get("message") or ""
    return Said(heard.line.what, str(word), str(fields.get("kind")), str(fields.get("terminal")), heard.mono_ms)


def _environment(case: Case, control: Path, folder: Path) -> Mapping[str, str]:
    """What lets the gateway's disk fail and its clock be unset, where the case asks for it."""
    if not case.clock and not any(step.target == "disk" for step in case.steps):
        return {}
    return shim.environment(control, folder, -int(time.time()) if case.clock == "1970" else 0)
