"""The gateway in virtual time: the real agent, outbox and link, its machine, card and clock around them."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Queue
from random import Random
from typing import Any, Final, cast

from gateway import identity
from gateway.agent import LOAD_ROWS, STALL_S, Agent
from gateway.bridges.port import Link, refused_of
from gateway.config import BRACELET, BridgeConfig, Config, Driver, PowerConfig, TerminalConfig, UplinkConfig
from gateway.delivery import Delivery
from gateway.home.stillness import KIND as INACTIVITY
from gateway.home.stillness import ORDINARY, Rule
from gateway.outbox import Loaded, Outbox, Work
from gateway.power import Supply
from gateway.sending import HELD_MAX
from gateway.start import LOAD_S_MAX, home_of, link_of
from gateway.uplinks.mqtt import Downlink, UplinkState
from protocol import topic
from protocol.envelope import SigningKey, VerifyingKey
from protocol.record import Source
from sim import vfs
from sim.case import GATEWAY
from sim.disk import Cut, Disk
from sim.world.clock import MachineClock
from sim.world.network import Client
from sim.world.platter import platter_holds
from sim.world.timeline import Timeline, Wake

PORT: Final = "native"
UPLINK: Final = "mqtt-1"
DATA: Final = "/data"
START_MS: Final = (150, 1_000)  # from the process's start to its first use of the disk
COMMIT_MS: Final = (2, 40)  # a synced commit on a card; a worn one takes longer, see `slow`
OPERATIONS_MAX: Final = 60  # of the disk, of which a cut may hit any: a commit with its checkpoint has fewer
CARD_BYTES_MAX: Final = 32 << 20  # for all files of the gateway together, damaged ones that are kept included
INBOX_MAX: Final = 10_000  # messages that wait while the process is paused, as in gateway/start.py

Noted = Callable[[str, Mapping[str, Any]], None]


def config_of(terminals: Sequence[TerminalConfig], heartbeat_s: int, stillness: Rule = ORDINARY) -> Config:
    """The configuration of a gateway with one line, a port for each bracelet, and one uplink; files are where nobody
    looks."""
    nowhere = Path("/nowhere")
    return Config(
        gateway=GATEWAY,
        language="en",
        simulation=True,
        clock_anchor_ms=0,
        data=nowhere,
        identity=nowhere,
        centre=nowhere,
        heartbeat_s=heartbeat_s,
        uplinks=(UplinkConfig(UPLINK, (("broker", 8883),), nowhere, nowhere, nowhere, nowhere),),
        bridges=(
            BridgeConfig(PORT, "line", 115200),
            *(BridgeConfig(one.bridge, one.bridge, 9600, BRACELET) for one in terminals if one.kind == BRACELET),
        ),
        terminals=tuple(terminals),
        siren=Driver(),
        resident=Driver(),
        chime=Driver(),
        power=PowerConfig("file", nowhere),
        stillness=stillness,
        socket=nowhere,
    )


class _Bridge:
    """What the agent knows of a bridge, around the real link."""

    def __init__(self, config: BridgeConfig, link: Link, spoken: Callable[[], None]):
        self.config = config
        self.link = link
        self.serves = link.serves
        self._spoken = spoken

    def acknowledge(self, terminal: str, source: Any) -> None:
        self.link.acknowledge(terminal, source)
        self._spoken()

    def refused(self) -> int:
        return refused_of(self.link.counters)

    def up(self) -> bool:
        return True

    def all_counters(self) -> Any:
        return {f"{self.config.id}.{name}": count for name, count in self.link.counters.items() if count}


class _Uplink:
    """What the agent knows of an uplink, around a connection."""

    def __init__(self, connect: Callable[[Callable[[str, bytes], None], Callable[[bool], None]], Client], put: Any):
        self.counters: Counter[str] = Counter()
        self._put = put
        self._client = connect(self._received, self._changed)

    def start(self) -> None:
        self._client.start()

    def stop(self) -> None:
        self._client.stop()

    def send(self, tail: str, payload: bytes) -> bool:
        return self._client.send(topic.build(GATEWAY, tail), payload)

    def _received(self, name: str, payload: bytes) -> None:
        place = topic.parse(name)
        assert place is not None
        self._put(Downlink(UPLINK, place.leaf, payload))

    def _changed(self, up: bool) -> None:
        word, word_zh = ("connected", "已连接") if up else ("lost", "已断开")
        self._put(UplinkState(UPLINK, up, word, word_zh))


class _Journal:
    """The agent's notes, handed on."""

    def __init__(self, noted: Noted):
        self.counters: Counter[str] = Counter()
        self._noted = noted

    def note(self, what: str, **details: Any) -> None:
        self._noted(what, details)


class _Life:
    """One process of the agent, from its start to its end."""

    def __init__(self, outbox: Outbox, epoch: int, unstored: bool):
        self.outbox = outbox
        self.epoch, self.unstored = epoch, unstored
        self.agent: Agent | None = None
        self.bridges: dict[str, _Bridge] = {}
        self.uplink: _Uplink | None = None
        self.work: Work | None = None  # what its disk is doing
        self.early: list[object] = []  # what came before there was an agent


class Gateway:
    """`speak(port, data)` puts bytes on a bridge's port; `connect` makes a connection to the broker; `noted` reads the
    journal."""

    def __init__(
        self,
        timeline: Timeline,
        config: Config,
        signing: SigningKey,
        centre: VerifyingKey,
        disk: Disk,
        random: Callable[[str], Random],
        connect: Callable[[Callable[[str, bytes], None], Callable[[bool], None]], Client],
        speak: Callable[[str, bytes], None],
        noted: Noted,
    ):
        self.clock = MachineClock(timeline)
        self.disk = disk
        self.powered = True
        self.started_ms = 0  # true time
        self.starts = 0
        self.slow_ms = 0  # how much longer each commit takes
        self.hung = False  # no sync ends
        self.supply = Supply(True, 100)  # what its power source says
        self._timeline, self._config, self._signing, self._centre = timeline, config, signing, centre
        self._connect, self._speak, self._noted = connect, speak, noted
        self._chance, self._keys, self._disk_chance = random("gateway"), random("gateway/keys"), random("disk")
        self._boot = self._keys.getrandbits(63)
        self._life: _Life | None = None
        self._starting = False
        self._held_up: _Life | None = None  # whose work the hung disk does not end
        self._paused_ms: int | None = None
        self._inbox: deque[object] = deque()
        self._wake = Wake(timeline, lambda: self._turn(None))
        self._work_wake = Wake(timeline, self._begin_work)

    # --- the process ---

    def running(self) -> bool:
        """Whether the agent is ready."""
        return self._life is not None and self._life.agent is not None

    @property
    def agent(self) -> Agent | None:
        return self._life.agent if self._life else None

    def start(self) -> None:
        """Somebody starts the process, if the machine has power and none runs."""
        if self._life is None and self.powered and not self._starting:
            self._starting = True
            self._timeline.after(self._chance.randint(*START_MS), self._open)

    def kill(self) -> None:
        """With -9. What the disk was doing for it may be done, half done or not begun; the kernel keeps its cache."""
        life, self._life = self._life, None
        if life is None:
            return
        self._noted("killed", {})
        if life.work is not None and not self.hung and self._disk_chance.random() < 0.5:
            life.outbox.perform(life.work)  # written, and dead before anybody heard of it
        self._end(life)

    def cut_power(self) -> None:
        """At any moment: beside the process, what the disk had not synced may be lost, in any combination."""
        if not self.powered:
            return
        self.powered = False
        life, self._life = self._life, None
        self._noted("power_cut", {})
        if life is not None:
            if life.work is not None and not self.hung:
                self.disk.cut_after = self._disk_chance.randrange(OPERATIONS_MAX)
                with contextlib.suppress(Cut):
                    life.outbox.perform(life.work)
            self._end(life)
        self.disk.cut()

    def _end(self, life: _Life) -> None:
        self.disk.kill()
        if life.uplink is not None:
            life.uplink.stop()
        self._inbox.clear()
        self._paused_ms = None
        self._held_up = None
        self._wake.set(None)
        self._work_wake.set(None)

    def power_up(self, unset: str = "") -> None:
        """The machine boots, with its clock lost where `unset` says so, and the process is started."""
        if self.powered:
            return
        self.powered = True
        self._boot = self._keys.getrandbits(63)
        self.clock.boot(unset)
        self.start()

    def pause(self) -> None:
        """SIGSTOP: messages wait. The real loop notices afterwards how long it stood."""
        if self._paused_ms is None and self.running():
            self._paused_ms = self._timeline.now

    def paused(self) -> bool:
        return self._paused_ms is not None

    def resume(self) -> None:
        paused_ms, self._paused_ms = self._paused_ms, None
        if paused_ms is None or not self.running():
            return
        stood_ms = self._timeline.now - paused_ms
        self._turn(self._inbox.popleft() if self._inbox else None, stood_ms if stood_ms >= STALL_S * 1000 else 0)
        while self._inbox and self._paused_ms is None:
            self._turn(self._inbox.popleft())

    def feed(self, supply: Supply) -> None:
        """What its power source says from now on."""
        self.supply = supply
        if self._life is not None and self.running():
            self._put(self._life, supply)

    # --- the line ---

    def hear(self, data: bytes, port: str = PORT) -> None:
        """Bytes from a port; nobody reads them while there is no process, and a tty's buffer is left out."""
        life = self._life
        if life is None or port not in life.bridges:
            return
        mono_ms = self.clock.mono_ms()
        for message in life.bridges[port].link.receive(data, mono_ms):
            self._put(life, message)
        self._answer(life, port)

    def _answer_soon(self, life: _Life, port: str) -> None:
        """Its thread wakes up."""
        self._timeline.after(1, lambda: self._answer(life, port))

    def _answer(self, life: _Life, port: str) -> None:
        if self._life is not life:
            return
        if data := life.bridges[port].link.poll(self.clock.mono_ms()):
            self._speak(port, data)

    # --- its start, as in gateway/start.py ---

    def _open(self) -> None:
        self._starting = False
        if self._life is not None or not self.powered:
            return
        self.clock.fresh()
        self.starts += 1
        self.started_ms = self._timeline.now
        path = self.disk.path(f"{DATA}/outbox.db")
        epoch, unstored = self._raise_epoch()
        outbox = Outbox(path, GATEWAY, lambda message: self._put(life, message), self.clock.now, vfs.connect)
        life = self._life = _Life(outbox, epoch, unstored)
        outbox.load(LOAD_ROWS)
        self._begin_work()
        self._timeline.after(int(LOAD_S_MAX * 1000), lambda: self._ready(life, None))

    def _card_is_well(self) -> bool:
        """Whether what was on the card could be read at this start."""
        disk = self.disk
        return not (self.hung or self.slow_ms or disk.failing or disk.read_only or disk.room_bytes is not None)

    def _raise_epoch(self) -> tuple[int, bool]:
        below = self._keys.randrange
        path = self.disk.path(f"{DATA}/epoch")
        if self.hung:
            return identity.unstored_epoch(below), True
        try:
            stored = identity.parsed_epoch(path.read_bytes()) if path.exists() else None
            epoch = identity.next_epoch(stored, below)
            new = path.with_name("epoch.new")
            new.write_bytes(identity.epoch_bytes(epoch))
            self.disk.sync(self.disk.file(str(new)))
            new.replace(path)
        except OSError:
            return identity.unstored_epoch(below), True
        return epoch, False

    def _ready(self, life: _Life, loaded: Loaded | None) -> None:
        if self._life is not life or life.agent is not None:
            return
        epoch = identity.epoch_above(life.epoch, loaded.last_epoch if loaded else 0, self._keys.randrange)
        journal = _Journal(self._noted)
        life.uplink = _Uplink(self._connect, lambda message: self._put(life, message))
        uplinks = {UPLINK: life.uplink}
        random = self._keys.randbytes
        delivery = Delivery(GATEWAY, self._boot, uplinks, self._signing, self._centre, journal, random=random)
        home = home_of(self._config, epoch, self._boot, life.unstored, self.clock, loaded)
        life.agent = Agent(self._config, self.clock, journal, home, life.outbox, delivery, Queue(), "sim")
        life.bridges = {bridge.id: self._bridge(life, bridge) for bridge in self._config.bridges}
        life.agent.bridges = cast(Any, tuple(life.bridges.values()))
        self._noted("ready", {"epoch": epoch, "unstored": life.unstored, "remembers": self._card_is_well()})
        for message in ([loaded] if loaded else []) + life.early:
            self._put(life, message)
        life.uplink.start()
        self._turn(self.supply)

    def _bridge(self, life: _Life, bridge: BridgeConfig) -> _Bridge:
        link = link_of(self._config, bridge, self.clock.now, self._keys.randbytes)
        return _Bridge(bridge, link, lambda: self._answer_soon(life, bridge.id))

    # --- the loop ---

    def _put(self, life: _Life, message: object) -> None:
        if self._life is not life:
            return
        if life.agent is None:
            if isinstance(message, Loaded):
                self._ready(life, message)
            else:
                life.early.append(message)
        elif self._paused_ms is not None:
            if len(self._inbox) < INBOX_MAX:
                self._inbox.append(message)
        else:
            self._turn(message)

    def _turn(self, message: object | None, stood_ms: int = 0) -> None:
        life = self._life
        if life is None or life.agent is None or self._paused_ms is not None:
            return
        life.agent.turn(message, stood_ms)
        self._wake.set(self.clock.true_ms(life.agent.deadline()))
        self._begin_work()

    # --- the disk's thread ---

    def _begin_work(self) -> None:
        life = self._life
        if life is None or life.work is not None:
            return
        due_ms = life.outbox.deadline()
        if due_ms is None or due_ms > self.clock.mono_ms():
            self._work_wake.set(None if due_ms is None else self.clock.true_ms(due_ms))
            return
        life.work = life.outbox.begin()
        took_ms = self._disk_chance.randint(*COMMIT_MS) + self.slow_ms
        self._timeline.after(took_ms, lambda: self._end_work(life))

    def _end_work(self, life: _Life) -> None:
        if self._life is not life or life.work is None:
            return
        if self.hung:
            self._held_up = life
            return
        work, life.work = life.work, None
        life.outbox.perform(work)
        self._begin_work()

    def release(self) -> None:
        """The disk that hung goes on."""
        self.hung = False
        life, self._held_up = self._held_up, None
        if life is not None:
            self._end_work(life)

    def terminals(self) -> list[dict[str, Any]]:
        """What its status shows of each terminal; nothing while it is not ready."""
        found: list[dict[str, Any]] = self.agent.status(self.clock.now())["terminals"] if self.agent else []
        return found

    def faulty(self) -> list[str]:
        """The terminals whose sensors the gateway itself finds to be at fault."""
        return [terminal["id"] for terminal in self.terminals() if terminal["faults"]]

    def sizes(self) -> list[tuple[str, int, int]]:
        """What must stay within its bounds: its name, how much there is, the most that is allowed."""
        used = sum(len(file.seen) for file in self.disk.files.values())
        held = self.agent.unsettled() if self.agent else 0
        return [("the card", used, CARD_BYTES_MAX), ("the agent's memory of events", held, HELD_MAX)]

    def stillness_stands(self) -> bool:
        """Whether the alarm that is the gateway's own stands."""
        alarms = self.agent.status(self.clock.now())["alarms"] if self.agent else []
        return any((alarm["terminal"], alarm["kind"]) == (GATEWAY, INACTIVITY) for alarm in alarms)

    def holds(self, terminal: str, boot: int, number: int) -> bool:
        """Whether this event of a terminal is on the platter: there after a cut that spares nothing unsynced."""
        return platter_holds(self.disk, f"{DATA}/outbox.db", terminal, Source(boot, number))
