"""What each word of a case, or of a drawn plan, does to a world in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sim.people import RESIDENT
from sim.steps import ACTIONS as STEPS
from sim.steps import SUPPLIES, Step
from sim.stranger import MANNERS
from sim.world.world import World

# Where the trace has what is done to these.
LANES: Final = {
    "stranger": "line",
    "broker": "network",
    "forge": "network",
    "agent": "gateway",
    "power": "gateway",
    "clock": "gateway",
}
RESTART_MS: Final = 500  # between the end of a process and its new start, where one step asks for both
ROT_BYTES: Final = 64  # flipped bits in a file that rots

Act = Callable[[World, Step], None]


def do(world: World, step: Step) -> None:
    """One step, now. Its target is a terminal of the home or one of the words in ACTS."""
    about = " ".join(f"{name}={value}" for name, value in step.values.items())
    world.trace.add(LANES.get(step.target, step.target), step.action or step.target, about)
    if step.target in world.pieces:
        piece = world.pieces[step.target]
        piece.played.do(step.action, world.timeline.now, **{name: int(value) for name, value in step.values.items()})
        piece.turn()
    else:
        world.disturbances += 1
        ACTS[step.target, step.action](world, step)


def _number(step: Step, name: str, default: int = 0) -> int:
    return int(step.values.get(name, default))


# --- line ---


def _line(world: World, step: Step) -> None:
    world.bus.line.do(step.action, step.values)
    world.bus.carry()


def _plug(world: World, step: Step) -> None:
    world.bus.plugged = step.action == "plug"


# --- broker and network ---


def _broker_restart(world: World, step: Step) -> None:
    world.broker.down()
    world.timeline.after(RESTART_MS, world.broker.start)


def _network(world: World, step: Step) -> None:
    """`outage`: nothing passes until `up`. `half_open`: the connection is dead and nobody told."""
    for name, path in (("gateway", world.gateway_path), ("centre", world.centre_path)):
        if step.values.get("of", "both" if step.action == "up" else "gateway") not in (name, "both"):
            continue
        client = world.clients.get(name)
        if step.action == "half_open" and client is not None:
            client.half_open()
        elif step.action == "outage":
            path.blocked = True
            if client is not None:
                client.noticed()
        elif step.action == "up":
            path.blocked = False
            if client is not None:
                client.unblocked()


def _network_faults(world: World, step: Step) -> None:
    latency_ms = _number(step, "latency_ms", 10)
    for path in (world.gateway_path, world.centre_path):
        path.latency_ms = (max(1, latency_ms // 2), latency_ms * 2)
        path.repeat = _number(step, "repeat_pct") / 100
    world.gateway_path.loss = _number(step, "lose_receipts_pct") / 100
    world.centre_path.loss = _number(step, "lose_events_pct") / 100


def _network_clean(world: World, step: Step) -> None:
    for path in (world.gateway_path, world.centre_path):
        path.latency_ms, path.loss, path.repeat = (2, 20), 0.0, 0.0


# --- the gateway ---


def _agent_restart(world: World, step: Step) -> None:
    world.gateway.kill()
    world.timeline.after(RESTART_MS, world.gateway.start)


def _centre_restart(world: World, step: Step) -> None:
    world.centre.kill()
    world.timeline.after(RESTART_MS, world.centre.start)


def _disk(world: World, step: Step) -> None:
    disk = world.disk
    match step.action:
        case "hold":
            world.gateway.hung = True
        case "slow":
            world.gateway.slow_ms = 700
        case "eio":
            disk.failing = frozenset(("write", "sync"))
        case "unreadable":
            disk.failing = frozenset(("read", "write", "sync"))
        case "enospc":
            disk.room_bytes = 0
        case "read_only":
            disk.read_only = True
        case "release":
            disk.failing, disk.room_bytes, disk.read_only = frozenset(), None, False
            world.gateway.slow_ms = 0
            world.gateway.release()


def _rot(world: World, step: Step) -> None:
    world.excuse_card()
    for name in ("/data/outbox.db", "/data/outbox.db-wal", "/data/epoch"):
        if name in world.disk.files and world.disk.files[name].seen and world.random_rot.random() < 0.5:
            world.disk.rot(world.disk.path(name), ROT_BYTES)


def _clock(world: World, step: Step) -> None:
    clock = world.gateway.clock
    match step.action:
        case "step":
            clock.ntp = False
            clock.step(_number(step, "ms"))
        case "1970" | "2000":
            clock.ntp = False
            clock.unset(step.action)
        case "drift":
            clock.ntp = False
            clock.drift(_number(step, "ppm"))
        case "ntp":
            clock.drift(0)
            clock.set(clock.true_wall_ms())
            clock.ntp = True


ACTS: Final[dict[tuple[str, str], Act]] = {
    **{(RESIDENT, word): lambda world, step: None for word in STEPS[RESIDENT]},  # whose deeds are steps of their own
    **{("line", action): _line for action in ("faults", "clean", "replay", "mimic")},
    ("line", "unplug"): _plug,
    ("line", "plug"): _plug,
    **{("stranger", manner): lambda world, step: world.bus.invite(world.stranger(step.action)) for manner in MANNERS},
    ("stranger", "quiet"): lambda world, step: world.bus.invite(None),
    ("forge", ""): lambda world, step: world.forge(_number(step, "count", 1)),
    ("broker", "down"): lambda world, step: world.broker.down(),
    ("broker", "up"): lambda world, step: world.broker.start(),
    ("broker", "restart"): _broker_restart,
    ("network", "outage"): _network,
    ("network", "half_open"): _network,
    ("network", "up"): _network,
    ("network", "faults"): _network_faults,
    ("network", "clean"): _network_clean,
    ("agent", "kill"): lambda world, step: world.gateway.kill(),
    ("agent", "start"): lambda world, step: world.gateway.start(),
    ("agent", "restart"): _agent_restart,
    ("agent", "pause"): lambda world, step: world.gateway.pause(),
    ("agent", "resume"): lambda world, step: world.gateway.resume(),
    ("centre", "kill"): lambda world, step: world.centre.kill(),
    ("centre", "start"): lambda world, step: world.centre.start(),
    ("centre", "restart"): _centre_restart,
    ("centre", "back_up"): lambda world, step: world.centre.back_up(),
    ("centre", "call"): lambda world, step: world.centre.call(),
    ("centre", "restore"): lambda world, step: world.restore_centre(),
    **{("disk", action): _disk for action in ("hold", "slow", "eio", "unreadable", "enospc", "read_only", "release")},
    ("disk", "rot"): _rot,
    ("power", "cut"): lambda world, step: world.supply.cut(),
    ("power", "up"): lambda world, step: world.supply.up(str(step.values.get("unset", ""))),
    ("power", "brown_out"): lambda world, step: world.supply.brown_out(),
    **{("power", word): lambda world, step: world.supply.says(step.action) for word in SUPPLIES},
    **{("clock", action): _clock for action in ("step", "1970", "2000", "drift", "ntp")},
}
