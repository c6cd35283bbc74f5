"""The agent: the one loop that gathers what the threads bring, steps the core, and performs its effects."""

from __future__ import annotations

import queue
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.bridges.port import BridgeState, PortBridge
from gateway.bridges.strangers import Stranger
from gateway.clock import Clock
from gateway.config import Config
from gateway.delivery import Delivery
from gateway.drivers import CommandDriver, resident_text
from gateway.home.core import Home
from gateway.home.messages import (
    Acknowledge,
    Alive,
    Called,
    Commit,
    Committed,
    Doubt,
    Effect,
    Fix,
    Keep,
    Reading,
    Receipted,
    Sign,
    Siren,
    Tell,
)
from gateway.journal import Notes
from gateway.outbox import Found, Loaded, Outbox, Replaced, Settled, Stored
from gateway.power import PowerSource, Supply
from gateway.troubles import Seen, Troubles
from gateway.uplinks.mqtt import Downlink, UplinkState
from protocol import topic
from protocol.record import CALLING, Event, Now

WAIT_S_MAX: Final = 1.0  # the loop looks at least this often, so that a deadline miscounted costs a second at most
STALL_S: Final = 10.0  # without a look: the process was stopped, or the machine suspended
LOAD_ROWS: Final = 200  # of the outbox at a time
AGAIN_ROWS: Final = 200  # for a centre that has lost them, in answer to one command: a month's 10 000 take half an hour
ASKED_S_MAX: Final = 2.0  # for an answer about the status; a loop that takes longer is stuck


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave the loop, with this exit code."""

    code: int
    why: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody asks for the status."""

    answer: queue.SimpleQueue[dict[str, Any]]


class Agent:
    """Everything that the gateway does, between `run` and a Stop in its inbox."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        journal: Notes,
        home: Home,
        outbox: Outbox,
        delivery: Delivery,
        inbox: queue.Queue[object],
        version: str,
    ):
        self.counters: Counter[str] = Counter()
        self.bridges: Sequence[PortBridge] = ()
        self.power: PowerSource | None = None
        self._config = config
        self._clock = clock
        self._journal = journal
        self._home = home
        self._outbox = outbox
        self._delivery = delivery
        self._inbox = inbox
        self._version = version
        self._siren = CommandDriver("siren", config.siren.command, journal)
        self._resident = CommandDriver("tell", config.resident.command, journal)
        self._chime = CommandDriver("chime", config.chime.command, journal)
        self._started_ms = self._beat_ms = self._looked_ms = clock.mono_ms()
        self._troubles = Troubles(config, self._started_ms)
        self._remembers = False  # the core knows what the card does
        self._loading: set[int] = set()  # centres for which the outbox has been asked for more
        self._finding: str | None = None  # the uplink whose centre waits for what it has lost
        self._takes: dict[type, Callable[[Any, Now], list[Effect]]] = {
            Ask: self._on_ask,
            BridgeState: self._on_bridge,
            UplinkState: self._on_uplink,
            Downlink: self._on_downlink,
            Loaded: self._on_loaded,
            Settled: self._on_settled,
            Found: self._on_found,
            Stored: self._on_stored,
            Replaced: self._on_replaced,
            Stranger: self._on_stranger,
            Supply: self._on_supply,
            Committed: self._on_committed,
            **dict.fromkeys((Reading, Fix, Alive, Sign, Doubt), self._on_input),
        }
        self._performs: dict[type, Callable[[Any, Now], None]] = {
            Commit: self._commit,
            Keep: lambda effect, now: self._outbox.keep(effect.state),
            Acknowledge: self._acknowledge,
            Siren: lambda effect, now: self._siren.call(state="on" if effect.on else "off", kind=effect.kind),
            Tell: self._tell,
        }

    def run(self) -> int:
        """Until a Stop comes; its exit code."""
        if self._config.siren.command:  # one that a killed agent left on; what stands sounds it again at once
            self._siren.call(state="off", kind="")
        while True:
            message = self._gather()
            if isinstance(message, Stop):
                self._journal.note("stopping", why=message.why)
                return message.code
            now_ms = self._clock.mono_ms()
            looked_ms, self._looked_ms = self._looked_ms, now_ms
            stood_ms = now_ms - looked_ms
            self.turn(message, stood_ms if self._clock.sleep_s(stood_ms) >= STALL_S else 0)

    def turn(self, message: object | None, stood_ms: int = 0) -> None:
        """One turn of the loop: take `message` (None: there is only the time), and do what is due. Never raises.

        `stood_ms` is how long the loop itself has just stood still, where that was too long to be its own waiting."""
        now = self._clock.now()
        if stood_ms:
            self._home.slept(stood_ms)
        try:
            self._step(message, now)
        except Exception:  # noqa: BLE001 - one poisonous message must not end the watch over all the others
            self.counters["errors"] += 1
            self._journal.note("error", trace=traceback.format_exc(limit=8))

    def deadline(self) -> int:
        """When the next turn is due without a message, mono ms."""
        found = (self._home.deadline(), self._delivery.deadline(), self._troubles.deadline())
        return min([self._beat_ms, *(ms for ms in found if ms is not None)])

    def _gather(self) -> object | None:
        wait_ms = self.deadline() - self._clock.mono_ms()
        try:
            return self._inbox.get(timeout=max(0.0, min(WAIT_S_MAX, self._clock.sleep_s(wait_ms))))
        except queue.Empty:
            return None

    def _step(self, message: object | None, now: Now) -> None:
        effects: list[Effect] = []
        if message is not None:
            effects += self._takes[type(message)](message, now)
        effects += self._home.tick(now)
        for condition in self._troubles.look(now, self._seen(now)):
            effects += self._home.handle(condition, now)
        for effect in effects:
            self._performs[type(effect)](effect, now)
        self._delivery.transmit(now)
        if now.mono_ms >= self._beat_ms:
            self._beat(now)
        for centre in self._delivery.centres():
            if centre not in self._loading and (held := self._delivery.wanting(LOAD_ROWS, centre)) is not None:
                self._loading.add(centre)
                self._outbox.load(LOAD_ROWS, held, centre)

    # --- what comes in ---

    def _on_input(self, message: Reading | Fix | Alive | Sign | Doubt, now: Now) -> list[Effect]:
        return self._home.handle(message, now)

    def _on_committed(self, message: Committed, now: Now) -> list[Effect]:
        self._journal.note("committed", ids=[str(event) for event in message.events])
        return self._home.handle(message, now)

    def _on_bridge(self, message: BridgeState, now: Now) -> list[Effect]:
        self._journal.note("bridge", id=message.bridge, up=message.up, detail=message.detail)
        return []

    def _on_uplink(self, message: UplinkState, now: Now) -> list[Effect]:
        detail = message.detail_zh if self._config.language == "zh" else message.detail
        self._delivery.uplink_changed(message.name, message.up, detail)
        if message.up:  # at once: its answer tells the time and that the path is whole
            self._beat(now)
        return []

    def _on_downlink(self, message: Downlink, now: Now) -> list[Effect]:
        if message.tail == topic.COMMAND:
            return self._on_command(message, now)
        opened = self._delivery.receipt(message.name, message.payload, now)
        if opened is None:
            return []
        receipt, asked_ms = opened
        if asked_ms is not None:
            self._clock.learn(receipt.wall_ms, asked_ms, now.mono_ms)
        centre = self._delivery.centre_of(message.name)
        if settled := self._delivery.settle(receipt, centre):
            self._outbox.settle(receipt.intervals, centre)
            self._journal.note("receipted", ids=[str(event) for event in settled], uplink=message.name)
        # The first centre is the one that sends help: what only another has is neither safe nor received.
        return self._home.handle(Receipted(receipt.intervals), now) if receipt.intervals and centre == 0 else []

    def _on_command(self, message: Downlink, now: Now) -> list[Effect]:
        command = self._delivery.command(message.name, message.payload)
        if command is None:
            return []
        centre = self._delivery.centre_of(message.name)
        if command.action == CALLING and centre == 0:  # the one that the resident hears of
            return self._home.handle(Called(command.intervals), now)
        if command.action == CALLING or self._finding is not None:  # the disk is slow: the centre asks again
            self.counters["commands_passed_over"] += 1
            return []
        self._finding = message.name
        self._outbox.find(command.intervals, AGAIN_ROWS, centre)
        return []

    def _on_settled(self, message: Settled, now: Now) -> list[Effect]:
        take = self._delivery.inventory.replace if message.all else self._delivery.inventory.add
        take(message.intervals)
        return []

    def _on_found(self, message: Found, now: Now) -> list[Effect]:
        uplink, self._finding = self._finding, None
        assert uplink is not None, "only what was asked for is found"
        taken = self._delivery.again(uplink, message.rows, now)
        self._journal.note("resend", uplink=uplink, ids=[str(event) for event in taken])
        return []

    def _on_loaded(self, message: Loaded, now: Now) -> list[Effect]:
        self._delivery.loaded(message.rows, message.more, now, message.centre)
        self._loading.discard(message.centre)
        if self._remembers or not message.whole or message.centre:
            return []
        self._remembers = True
        self._troubles.forget(now.mono_ms)
        return self._home.remember(message.state, {event.id for event in message.rows}, now)

    def _on_stored(self, message: Stored, now: Now) -> list[Effect]:
        self._journal.note("storage", ok=message.ok, detail=message.detail)
        self._troubles.storage.stored(message.ok, now.mono_ms)
        return []

    def _on_replaced(self, message: Replaced, now: Now) -> list[Effect]:
        detail = f"damaged database kept aside as {message.kept}; {message.salvaged} events saved from it"
        self._journal.note("storage", ok=False, detail=detail)
        self._troubles.storage.stored(False, now.mono_ms)
        self._troubles.storage.stored(True, now.mono_ms)
        return []

    def _on_stranger(self, message: Stranger, now: Now) -> list[Effect]:
        self._journal.note("stranger", address=message.address, terminal=message.terminal)
        self._troubles.stranger(message, now.mono_ms)
        return []

    def _on_supply(self, message: Supply, now: Now) -> list[Effect]:
        self._journal.note("supply", **message._asdict())
        self._troubles.supply.told(message, now.mono_ms)
        return []

    def _on_ask(self, message: Ask, now: Now) -> list[Effect]:
        message.answer.put(self.status(now))
        return []

    # --- what goes out ---

    def _commit(self, effect: Commit, now: Now) -> None:
        self._outbox.commit(effect.events, effect.state)
        self._delivery.add(effect.events)
        for event in effect.events:
            self._journal.note("raised", **_shown(event))

    def _acknowledge(self, effect: Acknowledge, now: Now) -> None:
        for bridge in self.bridges:
            if bridge.serves(effect.terminal):
                bridge.acknowledge(effect.terminal, effect.source)
        self._journal.note(
            "acknowledged", terminal=effect.terminal, boot=effect.source.boot, number=effect.source.number
        )

    def _tell(self, effect: Tell, now: Now) -> None:
        text = resident_text(effect.message, effect.kind, self._config.language)
        about = f"{effect.terminal}/{effect.kind}"
        if self._config.chime.command:
            self._chime.call(about, message=effect.message, kind=effect.kind, terminal=effect.terminal)
        self._resident.call(about, message=effect.message, kind=effect.kind, terminal=effect.terminal, text=text)

    def _beat(self, now: Now) -> None:
        terminals = len(self._config.terminals)
        self._delivery.beat(now, self._version, self._uptime_s(now), terminals, self._home.silent())
        self._beat_ms = now.mono_ms + self._config.heartbeat_s * 1000

    def _seen(self, now: Now) -> Seen:
        """What may be a trouble of the gateway's own."""
        return Seen(
            path_lost=self._delivery.path_lost(self._started_ms, now),
            commit_since_ms=self._outbox.pending_since_ms(),
            power_since_ms=self.power.asked_ms() if self.power else None,
            refused=sum(bridge.refused() for bridge in self.bridges),
            forged=self._delivery.forged(),
        )

    # --- what it is ---

    def unsettled(self) -> int:
        """How many events wait for a receipt, those on disk alone left out."""
        return self._delivery.unsettled()

    def _uptime_s(self, now: Now) -> int:
        return (now.mono_ms - self._started_ms) // 1000

    def status(self, now: Now) -> dict[str, Any]:
        """What `sixkit status` shows, as one JSON-able object."""
        oldest_ms = self._delivery.oldest_ms()
        counters = self.counters + self._home.counters + self._delivery.all_counters() + self._outbox.counters
        counters += self._siren.counters + self._resident.counters + self._chime.counters + self._journal.counters
        if self.power:
            counters += self.power.counters
        for bridge in self.bridges:
            counters += bridge.all_counters()
        return {
            "gateway": self._config.gateway,
            "version": self._version,
            "uptime_s": self._uptime_s(now),
            "clock": {"wall_ms": now.wall_ms, "quality": now.quality},
            "power": self._troubles.supply.status(),
            "outbox": {
                "unsettled": self._delivery.unsettled(),
                "oldest_s": 0 if oldest_ms is None else max(0, now.mono_ms - oldest_ms) // 1000,
                "bytes": self._outbox.size_bytes(),
            },
            "uplinks": [
                {
                    "name": name,
                    "up": up,
                    "detail": self._delivery.details[name],
                    "receipt_s": self._delivery.receipt_s(name, now),
                }
                for name, up in self._delivery.up.items()
            ],
            "bridges": [
                {"id": bridge.config.id, "port": bridge.config.port, "up": bridge.up()} for bridge in self.bridges
            ],
            "terminals": self._home.terminals(now),
            "alarms": self._home.alarms(now),
            "counters": dict(sorted(counters.items())),
        }

    def asked(self) -> dict[str, Any]:
        """The status, asked from another thread."""
        answer: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._inbox.put(Ask(answer))
        try:
            return answer.get(timeout=ASKED_S_MAX)
        except queue.Empty:
            raise TimeoutError("the agent's loop does not answer") from None


def _shown(event: Event) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "alarm": str(event.alarm),
        "kind": event.kind,
        "phase": event.phase,
        "severity": event.severity,
        "terminal": event.terminal,
        "room": event.room,
        "source": None if event.source is None else list(event.source),
        "raised_ms": event.time.wall_ms,
        "position": None if event.position is None else list(event.position),
        "evidence": dict(event.evidence),
        "flags": list(event.flags),
    }
