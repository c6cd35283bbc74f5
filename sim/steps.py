"""The words of a case's steps: who can be told what, with which values, and which of it needs virtual time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from protocol.table import Table
from sim.bracelet import GO_OUT_M
from sim.line import STUCK
from sim.mishaps import MISHAPS
from sim.people import LIVES
from sim.people import WORDS as RESIDENT_WORDS
from sim.sensor_faults.fault import Sensor
from sim.sensor_faults.library import CONTACT, HEALED, STRENGTHS, kinds_of
from sim.sensors import MEASURES, PINS
from sim.stranger import MANNERS

T_MS_MAX: Final = 400 * 86_400_000  # a year and a month: in virtual time a month of a home takes seconds
STEP_MS_MAX: Final = 3_660 * 86_400_000  # by which a clock may be wrong: ten years

Values = Mapping[str, int | str]

# What the gateway's power source says, by the word for it; backed for real by a file (gateway/power.py).
SUPPLIES: Final = {"mains": "mains 100", "mains_lost": "lost 90", "backup_low": "lost 10"}

COMMON_ACTIONS: Final = ("dead", "alive", "tamper", "untamper", "battery_low", "battery_changed", "test", *MISHAPS)
# What watches for life has no event of its own that a wild logic could cry out.
_WATCHING: Final = tuple(action for action in COMMON_ACTIONS if action not in ("babble", "quiet"))
_LIVES: Final = ("worn_out", "replaced")  # of sensors that serve so many years
BRACELET_ACTIONS: Final = ("sos", "fall", "go_out", "go_home", "no_fix", "fix", "garble", "clear")
AWAY_M_MAX: Final = 100_000  # a day's walk
# What a step may say, by what it is said to; a terminal takes its kind's words and the common ones.
ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "button": ("press", "long_press", *COMMON_ACTIONS),
    "smoke": (*COMMON_ACTIONS, *_LIVES),
    "gas": (*COMMON_ACTIONS, *_LIVES),
    "flood": COMMON_ACTIONS,
    "motion": ("pass", *_WATCHING),
    "door": ("open", "close", *_WATCHING),
    "bracelet": (*BRACELET_ACTIONS, "dead", "alive", "battery_low", "battery_changed"),
    "resident": (LIVES, *RESIDENT_WORDS),
    "line": ("clean", "replay", "mimic", "unplug", "plug"),
    "stranger": (*MANNERS, "quiet"),
    "broker": ("down", "up", "restart"),
    "network": ("outage", "half_open", "up", "clean"),
    "agent": ("kill", "start", "restart", "pause", "resume"),
    "centre": ("kill", "start", "restart", "back_up", "restore", "call"),
    "disk": ("hold", "slow", "eio", "unreadable", "enospc", "read_only", "rot", "release"),
    "power": ("cut", "brown_out", "up", *SUPPLIES),
    "clock": ("1970", "2000", "ntp"),
}
KINDS_OF_TERMINAL: Final = (*PINS, *MEASURES, "bracelet")
# What only virtual time can do: real processes share this machine's network, clock, disk and power.
VIRTUAL: Final[dict[str, tuple[str, ...]]] = {
    "network": (*ACTIONS["network"], "faults"),
    "disk": ("slow", "unreadable", "read_only", "rot"),
    "power": ("cut", "brown_out", "up"),
    "clock": (*ACTIONS["clock"], "step", "drift"),
}

_DURATION: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_UNIT_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True)
class Step:
    """At `t_ms` of the case, `target` ("smoke-1", "broker") does `action`, with `values`."""

    t_ms: int
    target: str
    action: str
    values: Values = field(default_factory=dict)

    @property
    def virtual(self) -> bool:
        """Whether only virtual time can do it."""
        return self.action in VIRTUAL.get(self.target, ())


def duration_ms(text: str) -> int | None:
    """The ms in "250ms", "30s", "2m", "1h" or "30d", or None."""
    found = _DURATION.fullmatch(text)
    return int(found[1]) * _UNIT_MS[found[2]] if found else None


def duration(row: Table, key: str, text: str, most_ms: int = T_MS_MAX) -> int:
    """The ms that `text`, the value of `key`, says. Raises Told."""
    ms = duration_ms(text)
    if ms is None or ms > most_ms:
        raise row.wrong(
            key,
            text,
            f'a duration like "250ms", "30s", "2m", "1h", "30d", at most {most_ms // 86_400_000}d',
            f"形如 “250ms”、“30s”、“2m”、“1h”、“30d” 的时长，最长 {most_ms // 86_400_000}d",
        )
    return ms


def read_step(row: Table, t_ms: int, target: str, kinds: Mapping[str, str]) -> Step:
    """What the key `target` of `row` says; `kinds` has the kind of each terminal by its id. Raises Told."""
    kind, value = kinds.get(target, target), row.peek(target)
    if target == "forge":
        return Step(t_ms, target, "", {"count": row.number(target, 1, 1000)})
    if kind not in ACTIONS or (kind in KINDS_OF_TERMINAL and target not in kinds):
        allowed = ["t", *kinds, *(name for name in ACTIONS if name not in KINDS_OF_TERMINAL), "forge"]
        raise row.wrong(target, value, "as a key, one of " + ", ".join(allowed), "键只能是 " + "、".join(allowed))
    if isinstance(value, dict) and kind in _TABLE_STEPS:
        table = row.table(target)
        action, values = _TABLE_STEPS[kind](table)
        table.finish()
        return Step(t_ms, target, action, values)
    return Step(t_ms, target, row.choice(target, ACTIONS[kind]))


def _button(table: Table) -> tuple[str, Values]:
    if table.peek("fault") is not None:
        return _sensor_fault(table, CONTACT)
    every = table.text("every", "1s")
    return "press", {"presses": table.number("presses", 1, 1000, 1), "every_ms": duration(table, "every", every)}


def _measure(kind: str) -> Callable[[Table], tuple[str, Values]]:
    def read(table: Table) -> tuple[str, Values]:
        if table.peek("fault") is not None:
            return _sensor_fault(table, MEASURES[kind].SENSOR)
        return table.choice("curve", tuple(MEASURES[kind].CURVES)), {}

    return read


def _pin(table: Table) -> tuple[str, Values]:
    return _sensor_fault(table, CONTACT)


def _bracelet(table: Table) -> tuple[str, Values]:
    action = table.choice("action", ACTIONS["bracelet"])
    if action != "go_out":
        return action, {}
    return action, {"distance_m": table.number("distance_m", 0, AWAY_M_MAX, GO_OUT_M)}


def _sensor_fault(table: Table, sensor: Sensor) -> tuple[str, Values]:
    kind = table.choice("fault", (*kinds_of(sensor), HEALED))
    if kind == HEALED:
        return kind, {}
    strength = table.number("strength", STRENGTHS[0], STRENGTHS[-1], STRENGTHS[2])
    return kind, {"strength": strength, "sign": 1 if table.choice("direction", ("up", "down"), "up") == "up" else -1}


# What a line's faults may be given as: the least and the most.
LINE_FAULTS: Final = {
    **dict.fromkeys(
        ("loss_pct", "repeat_pct", "flip_pct", "reorder_pct", "truncate_pct", "concatenate_pct", "burst_loss_pct"),
        (0, 100),
    ),
    **dict.fromkeys(("burst_p_permille", "burst_r_permille"), (1, 1000)),
    "noise_per_s": (0, 1000),
    "reorder_by": (1, 20),
    "delay_ms": (0, 10_000),
}


def _line(table: Table) -> tuple[str, Values]:
    values: dict[str, int | str] = {"direction": table.choice("direction", ("up", "down", "both"), "both")}
    for name in table.left():
        if name in LINE_FAULTS:
            values[name] = table.number(name, *LINE_FAULTS[name])
    if table.peek("stuck") is not None:
        values["stuck"] = table.choice("stuck", tuple(STUCK))
    return "faults", values


def _network(table: Table) -> tuple[str, Values]:
    for action in ("outage", "half_open", "up"):
        if table.peek(action) is not None:
            return action, {"of": table.choice(action, ("gateway", "centre", "both"))}
    return "faults", {
        "latency_ms": table.number("latency_ms", 1, 60_000, 10),
        "lose_receipts_pct": table.number("lose_receipts_pct", 0, 100, 0),
        "lose_events_pct": table.number("lose_events_pct", 0, 100, 0),
        "repeat_pct": table.number("repeat_pct", 0, 100, 0),
    }


def _power(table: Table) -> tuple[str, Values]:
    return "up", {"unset": table.choice("up", ("1970", "2000"))}


def _clock(table: Table) -> tuple[str, Values]:
    if table.peek("drift_ppm") is not None:
        return "drift", {"ppm": table.number("drift_ppm", -100_000, 100_000)}
    text = table.text("step")
    sign = -1 if text.startswith("-") else 1
    return "step", {"ms": sign * duration(table, "step", text.removeprefix("-"), STEP_MS_MAX)}


_TABLE_STEPS: Final[dict[str, Callable[[Table], tuple[str, Values]]]] = {
    **dict.fromkeys(PINS, _pin),
    **{kind: _measure(kind) for kind in MEASURES},
    "button": _button,
    "bracelet": _bracelet,
    "line": _line,
    "network": _network,
    "power": _power,
    "clock": _clock,
}
