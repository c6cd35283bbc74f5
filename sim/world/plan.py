"""What happens to one home in one run: drawn from a seed as a list of items, each of which can be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from gateway.config import BRACELET
from sim.case import TerminalSpec
from sim.line import stream
from sim.steps import Step
from sim.world.item import LASTS_MS, Item, lasts, moments
from sim.world.lives import life

# A home has a button, and by chance so many more pieces on the line and a bracelet: what a day of a seed costs grows
# with them.
OTHERS_MAX: Final = 3
OTHERS: Final = ("button", *("smoke", "gas", "flood", "motion", "door") * 2)
BRACELET_ONE_IN: Final = 4
FENCES_M: Final = (None, 100, 100, 200)  # within what its wearer walks
FAULTS_A_DAY: Final = (20.0, 120.0)  # of everything else, drawn for each seed
DISK_MS: Final = (1_000, 600_000)  # of a disk: it is tried again every 2 s, however long that goes on
# Of the gateway, below the 90 s after which the centre misses it; drawn evenly.
HEARTBEATS_S: Final = (30, 60, *[75] * 6)

# How long terminals may be silent: mains-powered ones, and sleepy ones on batteries that last for years.
SILENCES_S: Final = (200, 600, 3_600, 3_600, 7_200, 7_200)

# How long nobody may be seen by day, where there is a motion sensor: a rule of days, and two that a day reaches.
STILL_S: Final = (900, 3_600, 14_400)

Values = Mapping[str, int | str]
Draw = Callable[[Random], Values]


@dataclass(frozen=True, slots=True)
class Plan:
    """A home and what happens to it, in the order of its beginnings."""

    seed: int
    days: float
    terminals: tuple[TerminalSpec, ...]
    heartbeat_s: int
    still_s: int  # by day; twice as long by night
    items: tuple[Item, ...]

    def only(self, keep: frozenset[int]) -> Plan:
        """The same with those of these numbers alone."""
        items = tuple(item for number, item in enumerate(self.items) if number in keep)
        return Plan(self.seed, self.days, self.terminals, self.heartbeat_s, self.still_s, items)


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
    "mains_lost": Kind("power", "mains_lost", ("power", "mains")),
    "backup_low": Kind("power", "backup_low", ("power", "mains"), 0.5),
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
        items += life(stream(seed, f"plan/{spec.id}"), spec, days)
    items += _faults(stream(seed, "plan/faults"), days)
    items.sort(key=lambda item: item.begin.t_ms)
    return Plan(seed, days, terminals, random.choice(HEARTBEATS_S), random.choice(STILL_S), tuple(items))


def _terminals(random: Random) -> tuple[TerminalSpec, ...]:
    silence_s = random.choice(SILENCES_S)
    kinds = ["button", *random.choices(OTHERS, k=random.randint(0, OTHERS_MAX))]
    kinds += ["bracelet"] if random.randrange(BRACELET_ONE_IN) == 0 else []
    fence_m = random.choice(FENCES_M)
    return tuple(
        TerminalSpec(f"{kind}-{n}", kind, f"room-{n}", silence_s, fence_m if kind == BRACELET else None)
        for n, kind in enumerate(kinds, 1)
    )


def _faults(random: Random, days: float) -> list[Item]:
    rate = random.uniform(*FAULTS_A_DAY)
    return [_fault(random, t_ms) for t_ms in moments(random, rate, days)]


def _fault(random: Random, t_ms: int) -> Item:
    (name,) = random.choices(tuple(KINDS), [kind.weight for kind in KINDS.values()])
    kind = KINDS[name]
    values = dict(kind.draw(random))
    end = None
    if kind.end is not None:
        target, action = kind.end
        end = Step(t_ms + lasts(random, kind.lasts_ms), target, action, values)
    return Item(name, Step(t_ms, kind.target, kind.begin, values), end)
