"""Plays a recorded fire into the smoke terminal, through the whole real path to the centre."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devices.smoke import ALARM_MDB_M
from sim.case import TerminalSpec
from sim.judge import Outcome, invariants, read_rows
from sim.recording import SOURCE, Fire
from sim.stage import LOOK_S, Stage

TERMINAL: Final = "smoke-1"
AFTER_S: Final = 10.0  # of the fire's time: how long the end of the recording is held, for what verifies an alarm
SETTLE_S_MAX: Final = 15.0

Progress = Callable[[float, int], None]  # s since ignition, what the chamber sees in mdB/m


@dataclass(frozen=True, slots=True)
class Replayed:
    """When the alarm came, in s since ignition; None where it never did."""

    fire: Fire
    alarm_s: float | None  # the terminal decided
    centre_s: float | None  # the centre had committed it
    real: Mapping[str, int]  # when the real alarms at that fire sounded
    sound: bool  # no invariant was broken on the way

    @property
    def good(self) -> bool:
        return self.centre_s is not None and self.sound

    def as_json(self) -> dict[str, Any]:
        return {
            "good": self.good,
            "fire": self.fire.name,
            "column": self.fire.column,
            "threshold_mdb_m": ALARM_MDB_M,
            "rows_skipped": self.fire.skipped,
            "alarm_s": self.alarm_s,
            "centre_s": self.centre_s,
            "real_alarms_s": dict(self.real),
            "source": SOURCE,
        }


def replay(fire: Fire, real: Mapping[str, int], rate: int, progress: Progress = lambda s, mdb_m: None) -> Replayed:
    """Runs until the alarm is at the centre, or the recording is over. Raises Unavailable where this machine cannot."""
    curve = fire.curve()
    with tempfile.TemporaryDirectory(prefix="sixkit-") as name:
        folder = Path(name) / "site"
        with Stage(folder, [TerminalSpec(TERMINAL, "smoke", fire.column.lower())], seed=0, rate=rate) as stage:
            begun = stage.site.clock.now()
            stage.home.expose(TERMINAL, curve)
            while (t_s := (stage.mono_ms() - begun.mono_ms) / 1000) < fire.seconds + AFTER_S and not _raised(stage):
                progress(t_s, curve(round(t_s * 1000)))
                time.sleep(LOOK_S)
            end_s = time.monotonic() + SETTLE_S_MAX
            while time.monotonic() < end_s and not stage.settled():
                time.sleep(LOOK_S)
            for process in ("agent", "centre"):
                stage.site.stop(process)
            outcome = Outcome(read_rows(stage.site.database), stage.home.promises(), frozenset())
    raised = next((row for row in outcome.rows if row.kind == "smoke" and row.phase == "raised"), None)
    return Replayed(
        fire=fire,
        alarm_s=(outcome.promises[0].offered_ms - begun.mono_ms) / 1000 if outcome.promises else None,
        centre_s=(raised.committed_ms - begun.wall_ms) / 1000 if raised else None,
        real=real,
        sound=not list(invariants(outcome)),
    )


def _raised(stage: Stage) -> bool:
    return any(promise.acknowledged_ms is not None for promise in stage.home.promises())
