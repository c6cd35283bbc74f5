"""Putting the agent together from its configuration, running it, and taking it apart again."""

from __future__ import annotations

import hashlib
import os
import queue
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, Final

from gateway import config as configuration
from gateway import identity
from gateway.agent import LOAD_ROWS, Agent, Stop
from gateway.bridges.native_link import NativeLink
from gateway.bridges.port import Link, PortBridge
from gateway.clock import Clock
from gateway.config import BRACELET, BridgeConfig, Config
from gateway.delivery import Delivery, numbered
from gateway.home.core import Home
from gateway.home.roster import Roster, Terminal
from gateway.journal import Journal
from gateway.outbox import Loaded, Outbox
from gateway.power import PowerSource
from gateway.status import StatusServer
from gateway.uplinks.mqtt import MqttUplink
from protocol.envelope import CENTRE_KID
from protocol.record import Now
from protocol.words import Told, Unavailable

INBOX_MAX: Final = 10_000  # messages; a full inbox makes bridges wait, and their terminals repeat
LOAD_S_MAX: Final = 2.0  # a disk that hangs at the start must not hold up the first alarm for longer
STOP_S_MAX: Final = 5.0  # for the last commit


def run(path: Path, as_json: bool, clock_rate: int = 1) -> int:
    """Run the agent described by the file at `path` until it is told to stop; its exit code.

    Raises Told for a configuration, key or clock rate that cannot be used.
    """
    config = _configured(path, clock_rate)
    alone = _alone(config.data)
    clock = Clock(clock_rate, config.clock_anchor_ms)
    signing, warning = identity.load_signing_key(config.identity, config.gateway.encode())
    keys = {uplink.name: identity.load_verifying_key(uplink.centre, CENTRE_KID) for uplink in config.uplinks}
    first = keys[config.uplinks[0].name]
    others = {number: keys[name].raw for name, number in numbered(first, keys).items() if number}
    boot = identity.boot_id()
    epoch, unstored = identity.raise_epoch(config.data)

    journal = Journal(as_json, clock.now)
    inbox: queue.Queue[object] = queue.Queue(INBOX_MAX)
    _catch(inbox)
    path_to = config.data / "outbox.db"
    outbox = Outbox(path_to, config.gateway, inbox.put, clock.now, others=list(others.values()))
    for centre in (*others, 0):  # the first centre last: what follows waits for its answer
        outbox.load(LOAD_ROWS, centre=centre)
    outbox.start(clock.sleep_s)
    loaded, early = _wait_for_load(inbox)
    epoch = identity.epoch_above(epoch, loaded.last_epoch if loaded else 0, secrets.randbelow)

    uplinks = _uplinks(config, clock, inbox)
    delivery = Delivery(config.gateway, boot, uplinks, signing, first, journal, others=keys)
    home = home_of(config, epoch, boot, unstored, clock, loaded)
    agent = Agent(config, clock, journal, home, outbox, delivery, inbox, version("sixkit"))
    agent.bridges = _bridges(config, clock, inbox)
    if config.power.driver != "none":
        agent.power = PowerSource(config.power, inbox.put, lambda: clock.now().mono_ms)
    status = StatusServer(
        config.socket, agent.asked, lambda why: journal.note("trouble", detail=f"status: {config.socket}: {why}")
    )
    for message in ([loaded] if loaded else []) + early:
        inbox.put(message)

    if warning is not None:
        journal.note("trouble", detail=warning.text(config.language))
    parts: list[PortBridge | MqttUplink | PowerSource] = [*agent.bridges, *uplinks.values()]
    parts += [agent.power] if agent.power else []
    for part in parts:
        part.start()
    status.start()
    journal.note("ready", gateway=config.gateway, epoch=epoch, unstored=unstored, start_ms=_process_ms())
    code = agent.run()
    for part in parts:
        part.stop()
    outbox.stop(STOP_S_MAX)
    status.close()
    journal.close()
    alone.close()
    return code


def _alone(data: Path) -> socket.socket:
    """Holds the data folder for this process, as long as it lives and is not closed; raises Unavailable where another
    agent has it. A name of the kernel's, not a file: a disk that hangs must not hold up the start."""
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(b"\0sixkit/" + hashlib.sha256(os.fsencode(os.path.realpath(data))).digest())
    except OSError as error:
        held.close()
        raise Unavailable(
            f"an agent is running already on {data}; ask it with `sixkit status`",
            f"{data} 上已有网关程序在运行；可用 `sixkit status` 查询",
        ) from error
    return held


def _configured(path: Path, clock_rate: int) -> Config:
    config = configuration.load(path)
    if clock_rate != 1 and not config.simulation:
        raise Told(
            f"{path}: --clock-rate is for simulation only; set simulation = true there if this is one",
            f"{path}：--clock-rate 仅用于模拟；如确为模拟，请设 simulation = true",
        )
    return config


def home_of(config: Config, epoch: int, boot: int, unstored: bool, clock: Clock, loaded: Loaded | None) -> Home:
    """The core that begins `epoch`, with what the outbox has `loaded` (None: its disk hangs)."""
    terminals = (
        Terminal(t.id, t.kind, t.room, t.bridge, t.silence_s_max, t.fence, t.installed_ms) for t in config.terminals
    )
    return Home(
        config.gateway,
        epoch,
        boot,
        Roster(tuple(terminals)),
        now=clock.now(),
        state=loaded.state if loaded else {},
        unsettled={event.id for event in loaded.rows} if loaded else (),
        unstored=unstored,
        stillness=config.stillness,
    )


def _uplinks(config: Config, clock: Clock, inbox: queue.Queue[object]) -> dict[str, MqttUplink]:
    return {
        uplink.name: MqttUplink(
            name=uplink.name,
            brokers=uplink.brokers,
            gateway=config.gateway,
            ca=uplink.ca,
            certificate=uplink.certificate,
            key=uplink.key,
            put=inbox.put,
            clock_unset=lambda: clock.now().quality == "unset",
        )
        for uplink in config.uplinks
    }


def _bridges(config: Config, clock: Clock, inbox: queue.Queue[object]) -> list[PortBridge]:
    return [
        PortBridge(bridge, link_of(config, bridge, clock.now), inbox.put, clock.mono_ms, clock.sleep_s)
        for bridge in config.bridges
    ]


def link_of(
    config: Config, bridge: BridgeConfig, now: Callable[[], Now], random: Callable[[int], bytes] = os.urandom
) -> Link:
    """What is spoken on the port of `bridge`, with those of the terminals that are on it."""
    terminals = [terminal for terminal in config.terminals if terminal.bridge == bridge.id]
    if bridge.kind == BRACELET:
        from gateway.bridges.bracelet_link import BraceletLink  # a home without one starts without pynmea2

        return BraceletLink(terminals[0].id, now)
    return NativeLink(terminals, random)


def _wait_for_load(inbox: queue.Queue[object]) -> tuple[Loaded | None, list[object]]:
    """What the outbox holds, and what else it said until then; None where its disk hangs."""
    early: list[object] = []
    until_s = time.monotonic() + LOAD_S_MAX
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            message = inbox.get(timeout=left_s)
        except queue.Empty:
            break
        if isinstance(message, Loaded) and message.centre == 0:
            return message, early
        early.append(message)
    return None, early


def _process_ms() -> int:
    """How long this process has run, in ms (to about 10): the kernel notes its start (proc(5), stat, field 22)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return round((time.clock_gettime(time.CLOCK_BOOTTIME) - started_s) * 1000)


def _catch(inbox: queue.Queue[object]) -> None:
    """SIGTERM and SIGINT end the loop in order; a thread that dies of an error ends it with code 1, to be started anew:
    a gateway with a deaf bridge would look alive."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        # By a thread: the handler may interrupt the loop while it holds the queue's lock.
        stop = Stop(0, signal.Signals(number).name)
        threading.Thread(target=inbox.put, args=(stop,), daemon=True).start()

    def on_crash(crash: Any) -> None:
        inbox.put(Stop(1, f"thread {crash.thread.name if crash.thread else '?'} died: {crash.exc_value!r}"))
        sys.__excepthook__(crash.exc_type, crash.exc_value, crash.exc_traceback)  # last: a log's reader may hang

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    threading.excepthook = on_crash
