"""What happens to one home in one run: drawn from a seed as a list of items, each of which can be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from sim.case import TerminalSpec
from sim.line import stream
from sim.sensor_faults import library
from sim.steps import Step

DAY_MS: Final = 24 * 3_600_000
BUTTONS_MAX: Final = 2
SMOKES_MAX: Final = 2
PRESSES_A_DAY: Final = 12.0  # of each button: many for a person, few for a test
FIRES_A_DAY: Final = 8.0
MISHAPS_A_DAY: Final = 5.0  # of each terminal: its cover, its battery, its end
SENSOR_FAULTS_A_DAY: Final = 3.0  # of each terminal
CHATTER_MS: Final = (500, 5_000)  # a contact that chatters moves a hundred times a second
# One press in so many is followed by a crash so soon that its event is on its way: through the line, to the card, to
# the centre or back; before half of these the card hangs, so that only the centre may have it.
AIMED_ONE_IN: Final = 3
# One terminal in so many that die is played back by a recorder on the line, so that it may look alive.
MIMICKED_ONE_IN: Final = 3
MIMIC_MS_MAX: Final = 900_000
AIMED_MS: Final = (30, 250)
AIMED_HOLD_MS: Final = (1_000, 20_000)
FAULTS_A_DAY: Final = (20.0, 120.0)  # of everything else, drawn for each seed
DISK_MS: Final = (1_000, 600_000)  # of a disk: it is tried again every 2 s, however long that goes on
LASTS_MS: Final = (1_000, 3_600_000)  # of a fault, drawn evenly by its logarithm
# Of the gateway, below the 90 s after which the centre misses it; drawn evenly.
HEARTBEATS_S: Final = (30, 60, *[75] * 6)

# How long terminals may be silent: mains-powered ones, and sleepy ones on batteries that last for years.
SILENCES_S: Final = (200, 600, 3_600, 3_600, 7_200, 7_200)

Values = Mapping[str, int | str]
Draw = Callable[[Random], Values]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happens: `begin`, and where it has an end, `end` after it. `fault` is its kind, empty for what
    people and fires do."""

    fault: str
    begin: Step
    end: Step | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A home and what happens to it, in the order of its beginnings."""

    seed: int
    days: float
    terminals: tuple[TerminalSpec, ...]
    heartbeat_s: int
    items: tuple[Item, ...]

    def only(self, keep: frozenset[int]) -> Plan:
        """The same with those of these numbers alone."""
        items = tuple(item for number, item in enumerate(self.items) if number in keep)
        return Plan(self.seed, self.days, self.terminals, self.heartbeat_s, items)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: which steps begin and end it, how often it is drawn, and what is drawn with it."""

    target: str
    begin: str
    end: tuple[str, str] | None  # target and action
    weight: float = 1.0
    draw: Draw = lambda random: {}
    lasts_ms: tuple[int, int] = LASTS_MS


def _pct(name: str, most: int) -> Draw:
    return lambda random: {name: random.randint(1, most)}


def _bursts(random: Random) -> Values:
    """A line that is bad for 2 to 20 frames in a row, some part of the time: ranges of our own."""
    return {
        "burst_p_permille": random.randint(1, 50),
        "burst_r_permille": random.randint(50, 500),
        "burst_loss_pct": random.randint(50, 100),
    }


def _clock_step(random: Random) -> Values:
    return {"ms": random.choice((-1, 1)) * random.choice((1_000, 60_000, 3_600_000, 86_400_000, 30 * 86_400_000))}


# The library: docs/faults.md says what each stands for.
KINDS: Final[dict[str, Kind]] = {
    "line_loss": Kind("line", "faults", ("line", "clean"), 2.0, _pct("loss_pct", 60)),
    "line_repeat": Kind("line", "faults", ("line", "clean"), 1.0, _pct("repeat_pct", 60)),
    "line_flip": Kind("line", "faults", ("line", "clean"), 1.0, _pct("flip_pct", 40)),
    "line_noise": Kind(
        "line", "faults", ("line", "clean"), 1.0, lambda r: {"noise_per_s": r.randint(1, 20)}, (1_000, 60_000)
    ),
    "line_bursts": Kind("line", "faults", ("line", "clean"), 1.0, _bursts),
    "line_reorder": Kind(
        "line",
        "faults",
        ("line", "clean"),
        0.5,
        lambda r: {"reorder_pct": r.randint(1, 60), "reorder_by": r.randint(1, 8)},
    ),
    "line_delay": Kind("line", "faults", ("line", "clean"), 1.0, lambda r: {"delay_ms": r.randint(20, 3_000)}),
    "line_truncate": Kind("line", "faults", ("line", "clean"), 0.5, _pct("truncate_pct", 40)),
    "line_concatenate": Kind("line", "faults", ("line", "clean"), 0.5, _pct("concatenate_pct", 40)),
    "line_stuck": Kind("line", "faults", ("line", "clean"), 0.5, lambda r: {"stuck": r.choice(("zeros", "ones"))}),
    "line_mimic": Kind("line", "mimic", ("line", "clean"), 1.0, lasts_ms=(1_000, 120_000)),
    "line_replay": Kind("line", "replay", None),
    "line_unplugged": Kind("line", "unplug", ("line", "plug")),
    "stranger": Kind("stranger", "babble", ("stranger", "quiet"), 0.5, lasts_ms=(1_000, 60_000)),
    "forged": Kind("forge", "", None, 0.5, lambda r: {"count": r.randint(1, 3)}),
    "broker_down": Kind("broker", "down", ("broker", "up"), 2.0),
    "broker_restart": Kind("broker", "restart", None),
    "network_outage": Kind(
        "network", "outage", ("network", "up"), 2.0, lambda r: {"of": r.choice(("gateway", "centre", "both"))}
    ),
    "network_half_open": Kind("network", "half_open", None, 1.0, lambda r: {"of": r.choice(("gateway", "centre"))}),
    "network_slow": Kind(
        "network", "faults", ("network", "clean"), 1.0, lambda r: {"latency_ms": r.randint(100, 3_000)}
    ),
    "network_repeats": Kind("network", "faults", ("network", "clean"), 1.0, _pct("repeat_pct", 50)),
    "receipts_lost": Kind("network", "faults", ("network", "clean"), 1.0, _pct("lose_receipts_pct", 80)),
    "events_lost": Kind("network", "faults", ("network", "clean"), 1.0, _pct("lose_events_pct", 80)),
    "agent_killed": Kind("agent", "kill", ("agent", "start"), 3.0, lasts_ms=(500, 300_000)),
    "agent_paused": Kind("agent", "pause", ("agent", "resume"), 1.0, lasts_ms=(500, 300_000)),
    "power_cut": Kind("power", "cut", ("power", "up"), 3.0, lambda r: {"unset": r.choice(("", "", "1970", "2000"))}),
    "power_brown_out": Kind("power", "brown_out", ("power", "up"), 0.5, lasts_ms=(1_000, 300_000)),
    "disk_hung": Kind("disk", "hold", ("disk", "release"), 1.5, lasts_ms=(500, 600_000)),
    "disk_slow": Kind("disk", "slow", ("disk", "release"), lasts_ms=DISK_MS),
    "disk_eio": Kind("disk", "eio", ("disk", "release"), 1.5, lasts_ms=DISK_MS),
    "disk_unreadable": Kind("disk", "unreadable", ("disk", "release"), lasts_ms=DISK_MS),
    "disk_full": Kind("disk", "enospc", ("disk", "release"), 1.5, lasts_ms=DISK_MS),
    "disk_read_only": Kind("disk", "read_only", ("disk", "release"), lasts_ms=DISK_MS),
    "clock_step": Kind("clock", "step", ("clock", "ntp"), 1.0, _clock_step),
    "clock_1970": Kind("clock", "1970", ("clock", "ntp"), 0.5),
    "clock_drift": Kind("clock", "drift", ("clock", "ntp"), 0.5, lambda r: {"ppm": r.randint(-500, 500)}),
    "centre_killed": Kind("centre", "kill", ("centre", "start"), 2.0),
    "centre_restored": Kind("centre", "back_up", ("centre", "restore"), 0.5),
}


def draw(seed: int, days: float) -> Plan:
    """The plan of this seed; the same for ever with the same version of this file."""
    random = stream(seed, "plan")
    terminals = _terminals(random)
    items: list[Item] = []
    for spec in terminals:
        items += _life(stream(seed, f"plan/{spec.id}"), spec, days)
    items += _faults(stream(seed, "plan/faults"), days)
    items.sort(key=lambda item: item.begin.t_ms)
    return Plan(seed, days, terminals, random.choice(HEARTBEATS_S), tuple(items))


def _terminals(random: Random) -> tuple[TerminalSpec, ...]:
    silence_s = random.choice(SILENCES_S)
    kinds = ["button"] * random.randint(1, BUTTONS_MAX) + ["smoke"] * random.randint(0, SMOKES_MAX)
    return tuple(TerminalSpec(f"{kind}-{n}", kind, f"room-{n}", silence_s) for n, kind in enumerate(kinds, 1))


def _life(random: Random, spec: TerminalSpec, days: float) -> list[Item]:
    """What people and fires do to one terminal, and its mishaps."""
    items: list[Item] = []
    if spec.kind == "button":
        for t_ms in _moments(random, PRESSES_A_DAY, days):
            presses = random.choice((1, 1, 1, 2, 5))
            every_ms = random.randint(300, 3_000)
            items.append(Item("", Step(t_ms, spec.id, "press", {"presses": presses, "every_ms": every_ms})))
            if random.randrange(AIMED_ONE_IN) == 0:
                items += _aimed(random, t_ms)
    else:
        for t_ms in _moments(random, FIRES_A_DAY, days):
            curve = random.choice(("smouldering", "flaming", "toast"))
            ends_ms = t_ms + _lasts(random, (5_000, 1_200_000))
            items.append(Item("", Step(t_ms, spec.id, curve), Step(ends_ms, spec.id, "clearing")))
    for t_ms in _moments(random, SENSOR_FAULTS_A_DAY, days):
        items.append(_sensor_fault(random, spec, t_ms))
    for t_ms in _moments(random, MISHAPS_A_DAY, days):
        begin, end, fault, lasts_ms = random.choice(MISHAPS)
        ends_ms = t_ms + _lasts(random, lasts_ms)
        items.append(Item(fault, Step(t_ms, spec.id, begin), Step(ends_ms, spec.id, end) if end else None))
        if begin == "dead" and random.randrange(MIMICKED_ONE_IN) == 0:
            ends_ms = min(ends_ms, t_ms + MIMIC_MS_MAX)
            items.append(Item("line_mimic", Step(t_ms, "line", "mimic"), Step(ends_ms, "line", "clean")))
    return items


def _aimed(random: Random, t_ms: int) -> list[Item]:
    """A crash at the worst moment."""
    crash = random.choice(("agent_killed", "power_cut"))
    kind = KINDS[crash]
    assert kind.end is not None
    at_ms = t_ms + random.randint(*AIMED_MS)
    ends_ms = at_ms + _lasts(random, (500, 60_000))
    items = [Item(crash, Step(at_ms, kind.target, kind.begin), Step(ends_ms, *kind.end))]
    if random.random() < 0.5:
        begins_ms = max(0, t_ms - 500)
        held_ms = random.randint(*AIMED_HOLD_MS)
        items.append(Item("disk_hung", Step(begins_ms, "disk", "hold"), Step(begins_ms + held_ms, "disk", "release")))
    return items


def _sensor_fault(random: Random, spec: TerminalSpec, t_ms: int) -> Item:
    kind = random.choice(library.kinds_of(SENSORS[spec.kind]))
    values = {"strength": random.choice(library.STRENGTHS), "sign": random.choice((-1, 1))}
    lasts_ms = CHATTER_MS if kind == "chatter" and spec.kind == "button" else LASTS_MS
    end = Step(t_ms + _lasts(random, lasts_ms), spec.id, library.HEALED)
    return Item(f"sensor_{kind}", Step(t_ms, spec.id, kind, values), end)


SENSORS: Final = {"button": library.CONTACT, "smoke": library.SMOKE}

# What begins one, what ends it, its kind of fault, and how long it lasts.
MISHAPS: Final = (
    ("tamper", "untamper", "", LASTS_MS),
    ("test", None, "", LASTS_MS),
    ("updated", "restored", "", LASTS_MS),
    ("battery_low", "battery_changed", "battery_changed", LASTS_MS),
    ("battery_changed", None, "battery_changed", LASTS_MS),
    ("dead", "alive", "terminal_dead", LASTS_MS),
    ("brown_out", "steady", "terminal_brown_out", LASTS_MS),
    ("babble", "quiet", "terminal_babble", (1_000, 5_000)),  # fifty events a second, each of them to be delivered
    ("twin", "untwin", "terminal_twin", LASTS_MS),
)


def _faults(random: Random, days: float) -> list[Item]:
    rate = random.uniform(*FAULTS_A_DAY)
    return [_fault(random, t_ms) for t_ms in _moments(random, rate, days)]


def _fault(random: Random, t_ms: int) -> Item:
    (name,) = random.choices(tuple(KINDS), [kind.weight for kind in KINDS.values()])
    kind = KINDS[name]
    values = dict(kind.draw(random))
    end = None
    if kind.end is not None:
        target, action = kind.end
        end = Step(t_ms + _lasts(random, kind.lasts_ms), target, action, values)
    return Item(name, Step(t_ms, kind.target, kind.begin, values), end)


def _moments(random: Random, a_day: float, days: float) -> list[int]:
    """Moments at random, `a_day` on average (a Poisson process)."""
    found = []
    t_ms = random.expovariate(a_day) * DAY_MS
    while t_ms < days * DAY_MS:
        found.append(int(t_ms))
        t_ms += random.expovariate(a_day) * DAY_MS
    return found


def _lasts(random: Random, between_ms: tuple[int, int]) -> int:
    least, most = between_ms
    return int(least * (most / least) ** random.random())
