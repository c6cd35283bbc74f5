"""Plays a recorded receiver into a bracelet, presses its key again and again, and looks where the centre sees it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from protocol.geo import Position
from sim.case import TerminalSpec
from sim.gnss_log import Piece
from sim.judge import Outcome, Row, invariants, read_rows
from sim.stage import LOOK_S, Stage
from sim.steps import Step

BRACELET: Final = "bracelet-1"
EVERY: Final = 5  # pieces between two presses: time for the last to be acknowledged
PRESSES_MAX: Final = 500
SETTLE_S_MAX: Final = 15.0

Progress = Callable[[int, int], None]  # pieces played, presses done


@dataclass(frozen=True, slots=True)
class Press:
    """One press of the key: after which moment of the log, and where gpsd and the centre see it."""

    time_ms: int | None
    expected: tuple[int, int] | None  # latitude and longitude in 1e-7 degree; None: gpsd knows of none, or nobody asked
    found: Position | None

    @property
    def same(self) -> bool:
        return self.expected is None or (self.found is not None and tuple(self.found[:2]) == self.expected)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a log came to at the centre."""

    pieces: int
    presses: Sequence[Press]
    counters: Mapping[str, int]  # of the bracelet's link
    sound: bool  # no invariant was broken on the way

    @property
    def compared(self) -> int:
        return sum(press.expected is not None for press in self.presses)

    @property
    def differing(self) -> int:
        return sum(not press.same for press in self.presses)

    @property
    def good(self) -> bool:
        """Also without gpsd's output: then it is only that every press came, with a position where there was one."""
        return self.sound and bool(self.presses) and not self.differing

    def as_json(self) -> dict[str, Any]:
        return {
            "good": self.good,
            "pieces": self.pieces,
            "presses": len(self.presses),
            "compared": self.compared,
            "differing": self.differing,
            "positions": [None if press.found is None else list(press.found) for press in self.presses],
            "counters": dict(self.counters),
        }


def replay(
    log: Sequence[Piece],
    checked: Mapping[int, tuple[int, int]],
    rate: int,
    progress: Progress = lambda played, presses: None,
) -> Replayed:
    """Runs until the log is over; `checked` is what gpsd made of it. Raises Unavailable where this machine cannot."""
    with tempfile.TemporaryDirectory(prefix="sixkit-") as name:
        folder = Path(name) / "site"
        recording = [piece.data for piece in log]
        with Stage(folder, [TerminalSpec(BRACELET, "bracelet", "")], 0, rate, recording=recording) as stage:
            (bracelet,) = stage.bracelets.values()
            after: list[int] = []  # the piece that each press came after
            while bracelet.said < len(log):
                if bracelet.said >= (after[-1] + EVERY if after else 1) and _may_press(stage, after):
                    stage.home.do(Step(0, BRACELET, "sos"))
                    after.append(bracelet.pressed_after)
                progress(bracelet.said, len(after))
                time.sleep(LOOK_S / rate)
            end_s = time.monotonic() + SETTLE_S_MAX
            while time.monotonic() < end_s and not stage.settled():
                time.sleep(LOOK_S)
            counters = _own(stage.agent_counters())
            for process in ("agent", "centre"):
                stage.site.stop(process)
            outcome = Outcome(read_rows(stage.site.database), stage.home.promises(), frozenset())
    rows = {(row.source_boot, row.source_number): row for row in outcome.rows if row.source_boot is not None}
    presses = [
        _press(log[said - 1].time_ms, checked, rows.get((promise.boot, promise.number)))
        for said, promise in zip(after, outcome.promises, strict=True)
    ]
    return Replayed(len(log), presses, counters, not list(invariants(outcome)))


def _may_press(stage: Stage, after: Sequence[int]) -> bool:
    return not stage.home.pending() and len(after) < PRESSES_MAX


def _press(time_ms: int | None, checked: Mapping[int, tuple[int, int]], row: Row | None) -> Press:
    expected = None if time_ms is None else checked.get(time_ms)
    return Press(time_ms, expected, row.position if row else None)


def _own(counters: Mapping[str, Any]) -> dict[str, int]:
    prefix = f"{BRACELET}."
    return {name.removeprefix(prefix): int(n) for name, n in counters.items() if name.startswith(prefix)}
