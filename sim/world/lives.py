"""What people, fires, gas and water do to the terminals of one home, and what befalls these: drawn by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Final, NamedTuple

from sim.case import TerminalSpec
from sim.sensor_faults import library
from sim.sensors import SENSORS
from sim.steps import Step
from sim.world.item import LASTS_MS, Item, lasts, moments

PRESSES_A_DAY: Final = 12.0  # of each button: many for a person, few for a test
LONG_PRESS_ONE_IN: Final = 3  # presses is followed by one that may take the call back
TAKEN_BACK_MS: Final = (1_000, 120_000)
FIRES_A_DAY: Final = 8.0
LEAKS_A_DAY: Final = 6.0  # of gas; it takes them minutes to the alarm, and to its end
FLOODS_A_DAY: Final = 6.0
PASSES_A_DAY: Final = 30.0  # each of them makes two heartbeats
DOORS_A_DAY: Final = 12.0
CALLS_A_DAY: Final = 8.0  # of a bracelet
WALKS_A_DAY: Final = 2.5
WALK_M: Final = (80, 320)  # a second of a walk costs as much as twelve of the home
STAYS_OUT_ONE_IN: Final = 3  # walks: until another one ends, or the day does
OUT_MS: Final = (60_000, 7_200_000)
MISHAPS_A_DAY: Final = 5.0  # of each terminal: its cover, its battery, its end
SENSOR_FAULTS_A_DAY: Final = 3.0  # of each terminal that has a sensor
CHATTER_MS: Final = (500, 5_000)  # a contact that chatters moves a hundred times a second

# One press in so many is followed by a crash so soon that its event is on its way: through the line, to the card, to
# the centre or back; before half of these the card hangs, so that only the centre may have it.
AIMED_ONE_IN: Final = 3
AIMED_MS: Final = (30, 250)
AIMED_HOLD_MS: Final = (1_000, 20_000)
# One terminal in so many that die is played back by a recorder on the line, so that it may look alive.
MIMICKED_ONE_IN: Final = 3
MIMIC_MS_MAX: Final = 900_000


class Mishap(NamedTuple):
    """What begins one, what ends it, its kind of fault (none: it disturbs nothing), and how long it lasts."""

    begin: str
    end: str | None
    fault: str = ""
    lasts_ms: tuple[int, int] = LASTS_MS


_ANY: Final = (
    Mishap("battery_low", "battery_changed", "battery_changed"),
    Mishap("battery_changed", None, "battery_changed"),
    Mishap("dead", "alive", "terminal_dead"),
)
_ON_LINE: Final = (
    *_ANY,
    Mishap("tamper", "untamper"),
    Mishap("test", None),
    Mishap("brown_out", "steady", "terminal_brown_out"),
    Mishap("twin", "untwin", "terminal_twin"),
)
_RAISING: Final = (
    *_ON_LINE,
    Mishap("updated", "restored"),
    Mishap("babble", "quiet", "terminal_babble", (1_000, 5_000)),  # fifty events a second, each of them to be delivered
)
_AGEING: Final = (*_RAISING, Mishap("worn_out", "replaced", "terminal_worn_out"))
_WORN: Final = (
    *_ANY,
    Mishap("garble", "clear", "bracelet_garbled"),
    Mishap("no_fix", "fix", "bracelet_no_fix"),
)
# By kind of terminal.
MISHAPS: Final[dict[str, tuple[Mishap, ...]]] = {
    "button": _RAISING,
    "smoke": _AGEING,
    "gas": _AGEING,
    "flood": _RAISING,
    "motion": _ON_LINE,
    "door": _ON_LINE,
    "bracelet": _WORN,
}


def fault_kinds() -> frozenset[str]:
    """The kinds of fault that are drawn here."""
    mishaps = {mishap.fault for every in MISHAPS.values() for mishap in every if mishap.fault}
    return frozenset(mishaps | {f"sensor_{kind}" for one in SENSORS.values() for kind in library.kinds_of(one.SENSOR)})


def life(random: Random, spec: TerminalSpec, days: float) -> list[Item]:
    """What happens to one terminal in its home."""
    items = [*LIVES[spec.kind](random, spec.id, days)]
    if spec.kind in SENSORS:
        items += [_sensor_fault(random, spec, t_ms) for t_ms in moments(random, SENSOR_FAULTS_A_DAY, days)]
    for t_ms in moments(random, MISHAPS_A_DAY, days):
        items += _mishap(random, spec, t_ms)
    return items


def _button(random: Random, name: str, days: float) -> Iterator[Item]:
    for t_ms in moments(random, PRESSES_A_DAY, days):
        presses = random.choice((1, 1, 1, 2, 5))
        every_ms = random.randint(300, 3_000)
        yield Item("", Step(t_ms, name, "press", {"presses": presses, "every_ms": every_ms}))
        if random.randrange(LONG_PRESS_ONE_IN) == 0:
            yield Item("", Step(t_ms + lasts(random, TAKEN_BACK_MS), name, "long_press"))
        yield from _aimed(random, t_ms)


def _curves(a_day: float, ends: dict[str, str], lasts_ms: tuple[int, int]) -> Callable[..., Iterator[Item]]:
    """The life of what measures: curves and what follows each, after so long."""

    def draw(random: Random, name: str, days: float) -> Iterator[Item]:
        for t_ms in moments(random, a_day, days):
            curve = random.choice(tuple(ends))
            yield Item("", Step(t_ms, name, curve), Step(t_ms + lasts(random, lasts_ms), name, ends[curve]))

    return draw


def _motion(random: Random, name: str, days: float) -> Iterator[Item]:
    for t_ms in moments(random, PASSES_A_DAY, days):
        yield Item("", Step(t_ms, name, "pass"))


def _door(random: Random, name: str, days: float) -> Iterator[Item]:
    for t_ms in moments(random, DOORS_A_DAY, days):
        yield Item("", Step(t_ms, name, "open"), Step(t_ms + lasts(random, (2_000, 1_200_000)), name, "close"))


def _bracelet(random: Random, name: str, days: float) -> Iterator[Item]:
    """Calls at home, and walks with calls on them."""
    calls = moments(random, CALLS_A_DAY, days)
    for t_ms in moments(random, WALKS_A_DAY, days):
        out_ms = lasts(random, OUT_MS)
        stays = random.randrange(STAYS_OUT_ONE_IN) == 0
        end = None if stays else Step(t_ms + out_ms, name, "go_home")
        yield Item("", Step(t_ms, name, "go_out", {"distance_m": random.randint(*WALK_M)}), end)
        if random.random() < 0.5:
            calls.append(t_ms + random.randrange(2 * out_ms))
    for t_ms in calls:
        yield Item("", Step(t_ms, name, random.choice(("sos", "sos", "sos", "fall"))))
        if random.randrange(3) == 0:  # again, before or after it is told that the first was received
            yield Item("", Step(t_ms + lasts(random, (200, 60_000)), name, "sos"))
        yield from _aimed(random, t_ms)


LIVES: Final[dict[str, Callable[..., Iterator[Item]]]] = {
    "button": _button,
    "smoke": _curves(FIRES_A_DAY, dict.fromkeys(("smouldering", "flaming", "toast"), "clearing"), (5_000, 1_200_000)),
    "gas": _curves(LEAKS_A_DAY, {"unlit": "airing", "hose": "airing", "whiff": "no_gas"}, (30_000, 7_200_000)),
    "flood": _curves(
        FLOODS_A_DAY,
        {"burst": "draining", "drip": "draining", "splash": "dry", "damp": "dry"},
        (10_000, 7_200_000),
    ),
    "motion": _motion,
    "door": _door,
    "bracelet": _bracelet,
}


def _aimed(random: Random, t_ms: int) -> Iterator[Item]:
    """After some presses a crash at the worst moment."""
    if random.randrange(AIMED_ONE_IN):
        return
    fault, target, begin, end = random.choice(
        (("agent_killed", "agent", "kill", "start"), ("power_cut", "power", "cut", "up"))
    )
    at_ms = t_ms + random.randint(*AIMED_MS)
    yield Item(fault, Step(at_ms, target, begin), Step(at_ms + lasts(random, (500, 60_000)), target, end))
    if random.random() < 0.5:
        begins_ms = max(0, t_ms - 500)
        held_ms = random.randint(*AIMED_HOLD_MS)
        yield Item("disk_hung", Step(begins_ms, "disk", "hold"), Step(begins_ms + held_ms, "disk", "release"))


def _sensor_fault(random: Random, spec: TerminalSpec, t_ms: int) -> Item:
    sensor = SENSORS[spec.kind].SENSOR
    kind = random.choice(library.kinds_of(sensor))
    values = {"strength": random.choice(library.STRENGTHS), "sign": random.choice((-1, 1))}
    lasts_ms = CHATTER_MS if kind == "chatter" and sensor.contact else LASTS_MS
    end = Step(t_ms + lasts(random, lasts_ms), spec.id, library.HEALED)
    return Item(f"sensor_{kind}", Step(t_ms, spec.id, kind, values), end)


def _mishap(random: Random, spec: TerminalSpec, t_ms: int) -> Iterator[Item]:
    mishap = random.choice(MISHAPS[spec.kind])
    ends_ms = t_ms + lasts(random, mishap.lasts_ms)
    end = Step(ends_ms, spec.id, mishap.end) if mishap.end else None
    yield Item(mishap.fault, Step(t_ms, spec.id, mishap.begin), end)
    if mishap.begin == "dead" and spec.kind != "bracelet" and random.randrange(MIMICKED_ONE_IN) == 0:
        ends_ms = min(ends_ms, t_ms + MIMIC_MS_MAX)
        yield Item("line_mimic", Step(t_ms, "line", "mimic"), Step(ends_ms, "line", "clean"))
