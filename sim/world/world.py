"""One home with everything behind it, in virtual time: made from a seed, told what happens, watched at each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.config import BRACELET, TerminalConfig
from gateway.home.fence import Fence
from gateway.home.roster import SILENCE_S_MAX
from gateway.home.stillness import KIND as INACTIVITY
from gateway.home.stillness import ORDINARY, Rule
from protocol import envelope, topic
from protocol.envelope import CENTRE_KID, SigningKey, signing_key
from protocol.wire import mac
from protocol.words import Told
from sim.bracelet import Bracelet
from sim.case import GATEWAY, TerminalSpec
from sim.disk import Disk
from sim.forger import alarm
from sim.judge import Mark, Outcome, Said, invariants, read_incidents, read_rows
from sim.line import Line, stream
from sim.process import Line as JournalLine
from sim.retell import SENSED
from sim.sensors import SAMPLE_MS
from sim.site import Heard
from sim.story import Signal
from sim.stranger import Stranger
from sim.terminals import Played, Promise
from sim.walk import HOME
from sim.world.bracelets import Worn
from sim.world.centre import Centre
from sim.world.clock import BEGUN_WALL_MS
from sim.world.gateway import PORT, Gateway, config_of
from sim.world.network import Broker, Client
from sim.world.network import Path as Way
from sim.world.patrol import Patrol
from sim.world.pieces import Bus, Piece
from sim.world.standing import closed, in_order, left_open, left_standing, signs_amiss
from sim.world.supply import Supply
from sim.world.timeline import Timeline
from sim.world.trace import Trace
from sim.world.watch import Broken, Watch, key_of

FIRST_ADDRESS: Final = 1001  # as provisioning counts
HEARTBEAT_S: Final = 30  # of the gateway
ONLINE_MS_MAX: Final = 120_000  # for every session and the uplink, when nothing is wrong
SETTLE_MS_MAX: Final = 45 * 60_000  # for a day's backlog, one event of a terminal at a time
SAID_MS_MIN: Final = 130_000  # a heartbeat of each terminal, and what the gateway makes of it
FIXES_MS_MIN: Final = 20 * 60_000  # for fixes of a bracelet at rest that say on which side of its fence it is
LOOK_MS: Final = 500
CENTRE_BACKOFF_MS_MAX: Final = 2_000

# Events whose notes tell of one event; other notes of the journal are told with their own details.
_EVENT_NOTES: Final = ("raised", "sent")


class World:
    """`folder` is for the centre's database. Every method that lets time pass may raise Broken."""

    def __init__(
        self,
        seed: int,
        terminals: Sequence[TerminalSpec],
        folder: Path,
        heartbeat_s: int = HEARTBEAT_S,
        keep: bool = False,
        rest_ms: int = SAMPLE_MS,
        stillness: Rule = ORDINARY,
    ):
        self.seed = seed
        self.timeline = Timeline()
        self.trace = Trace(self.timeline, keep)
        self.watch = Watch(self.timeline)
        self.said: list[Said] = []
        self.heard: list[Heard] | None = [] if keep else None  # the journals, where the run is kept
        self._names: dict[str, str] = {}  # of each event of the gateway, what joins its stations
        self.disturbances = 0  # steps done
        self.begun_ms = 0  # when everything was online
        self.specs = {spec.id: spec for spec in terminals}
        made = [self._made(number, spec) for number, spec in enumerate(terminals)]
        signing = {name: key_from(seed, name) for name in (GATEWAY, "centre")}
        self.broker = Broker(self.timeline)
        self.gateway_path, self.centre_path = Way(), Way(latency_ms=(1, 5))
        self.disk = Disk(self.random("card"))
        self.centre = Centre(
            self.timeline,
            folder,
            {GATEWAY: "home"},
            {GATEWAY.encode(): signing[GATEWAY].verifying()},
            signing["centre"],
            self.random("centre"),
            self._centre_client,
            self._centre_noted,
        )
        self.gateway = Gateway(
            self.timeline,
            config_of(made, heartbeat_s, stillness),
            signing[GATEWAY],
            signing["centre"].verifying(),
            self.disk,
            self.random,
            self._gateway_client,
            self._down,
            self._gateway_noted,
        )
        self.gateway.clock.ntp = True
        self.supply = Supply(self.timeline, self.gateway, self.random("supply"))
        on_line = [
            Played(one.id, one.kind, one.address, one.key, seed, 0, notice=self._noticed, rest_ms=rest_ms)
            for one in made
            if one.kind != BRACELET
        ]
        worn = [
            Bracelet(one.id, seed, 0, BEGUN_WALL_MS, self._noticed, None, rest_ms, self.specs[one.id].fence_m)
            for one in made
            if one.kind == BRACELET
        ]
        self.played: list[Played | Bracelet] = [*on_line, *worn]
        for one in self.played if keep else ():
            one.watch()
        self.bus = Bus(self.timeline, Line(seed), on_line, self.gateway.hear)
        self._worn = {one.name: Worn(self.timeline, one, self.gateway.hear) for one in worn}
        self.pieces: Mapping[str, Piece | Worn] = {**self.bus.pieces, **self._worn}
        self._forger = key_from(seed, "forger", GATEWAY.encode())
        self.clients: dict[str, Client] = {}
        self.random_rot = self.random("rot")
        self.heartbeat_ms = heartbeat_s * 1000
        self.said_ms = FIXES_MS_MIN if any(one.fence for one in made) else SAID_MS_MIN
        self.silence_ms_max = {one.id: one.silence_s_max * 1000 for one in made}
        self._patrol = Patrol(self.timeline, self)

    def random(self, name: str) -> Random:
        """The stream of chance of that name."""
        return stream(self.seed, name)

    def start(self) -> None:
        """Everything is switched on; returns when all of it is online."""
        self.centre.start()
        self.gateway.start()
        self.bus.start()
        for worn in self._worn.values():
            worn.turn()
        self._patrol.start()
        self._until(self.online, ONLINE_MS_MAX, "offline", "not everything is online", "未全部上线")
        self.begun_ms = self.timeline.now

    def online(self) -> bool:
        """Whether every living terminal has a session, and the gateway and the centre their broker."""
        uplink = self.clients.get("gateway")
        return (
            all(played.online() for played in self.played if played.alive)
            and uplink is not None
            and uplink.up
            and self.clients["centre"].up
        )

    def settle(self) -> None:
        """Let nothing happen any more, until nothing is owed."""
        self._until(self.settled, SETTLE_MS_MAX, "unsettled", "not everything has arrived", "未全部送达")

    def settled(self) -> bool:
        """Whether no terminal holds an event and the centre has receipted all of the gateway's."""
        agent = self.gateway.agent
        if agent is None or not self.online() or not all(played.resting() for played in self.played):
            return False
        if any(played.pending() for played in self.played) or agent.unsettled():
            return False
        alive = frozenset(played.name for played in self.played) - self.dead()
        return not (self.watch.restored_ms and self.watch.owed(alive))  # what a centre has lost, it asks for bit by bit

    def verdict(self) -> list[Told]:
        """Every way in which the invariants do not hold, once terminals have had time to say how they are."""
        for worn in self._worn.values():
            worn.played.forget()
        self.timeline.until(self.timeline.now + max(self.said_ms, *self.silence_ms_max.values()))
        self.settle()  # of what has just changed
        standing = {(played.name, kind) for played in self.played if played.alive for kind in played.standing()}
        standing |= {(name, "sensor_fault") for name in self.gateway.faulty()}
        if self.gateway.stillness_stands():  # it ends with a sign of life, which may never come
            standing.add((GATEWAY, INACTIVITY))
        unclear = {(worn.played.name, kind) for worn in self._worn.values() for kind in worn.played.unclear()}
        open_now = "SELECT terminal, kind, unverified FROM incidents WHERE restored_ms IS NULL"
        desk = {(row["terminal"], row["kind"]): row["unverified"] for row in self.centre.rows(open_now)}
        amiss = [*signs_amiss(self.played, self.gateway.terminals(), self.timeline.now)]
        outcome = self.outcome()
        rows = in_order(outcome.rows, self.watch.epochs)
        unknown = self.watch.forgotten | unclear
        amiss += [*left_standing(rows, standing, unknown), *closed(standing - desk.keys() - unknown)]
        amiss += left_open({one for one, in_doubt in desk.items() if not in_doubt} - standing - unknown)
        return [*invariants(outcome), *amiss]

    def outcome(self, marks: Sequence[Mark] = (), counters: Mapping[str, int] | None = None) -> Outcome:
        """What the run leaves behind; ends the centre."""
        self.centre.stop()
        excused = self.watch.excused
        return Outcome(
            rows=read_rows(self.centre.database),
            incidents=read_incidents(self.centre.database),
            promises=[one for one in self.promises() if key_of(one) not in excused or self.watch.at_centre(one)],
            dead=self.dead(),
            marks=marks,
            begun=(BEGUN_WALL_MS + self.begun_ms, self.begun_ms),
            said=self.said,
            counters=counters or {},
            restored_ms=self.watch.restored_ms,
        )

    def promises(self) -> list[Promise]:
        return [promise for played in self.played for promise in played.promises()]

    def dead(self) -> frozenset[str]:
        """The terminals that cannot repeat anything."""
        return frozenset(played.name for played in self.played if not played.alive)

    def mute(self) -> frozenset[str]:
        """The terminals from which nothing genuine comes: not even from a twin."""
        return frozenset(played.name for played in self.played if played.mute())

    def signals(self) -> dict[str, Signal]:
        """What the sensors saw, where the run is kept."""
        return {one.name: Signal(SENSED[one.kind][0], list(one.samples), SENSED[one.kind][1]) for one in self.played}

    def forge(self, count: int) -> None:
        """A thief with the gateway's connection but not its key sends alarms of his own making."""
        for number in range(count):
            data = alarm(GATEWAY, number, BEGUN_WALL_MS + self.timeline.now)
            payload = envelope.seal(data, self._forger, topic.context(topic.ALARM))
            self.broker.publish(topic.build(GATEWAY, topic.ALARM), payload)

    def stranger(self, manner: str) -> Stranger:
        """A talker on the line who is none of the home's."""
        return Stranger(self.seed, manner, [played.address for played in self.played if isinstance(played, Played)])

    def excuse_card(self) -> None:
        """The card is about to lose what it holds: what is safe nowhere else may be lost with it, and not doubled."""
        self.watch.may_damage = True
        self.watch.excuse()

    def restore_centre(self) -> None:
        """The centre loses its disk and goes on from its last copy."""
        self.watch.restored([row._asdict() for row in self.centre.restore()])
        self.watch.excuse_lost(lambda one: self.gateway.holds(one.terminal, one.boot, one.number))

    # --- what a patrol looks at ---

    def lives(self) -> int:
        """Changes when gateway, broker or centre starts anew, or their network comes and goes."""
        return self.gateway.starts + self.disturbances

    def gateway_watches(self) -> bool:
        return self.gateway.running() and not self.gateway.paused()

    def gateway_reaches_broker(self) -> bool:
        uplink = self.clients.get("gateway")
        return self.gateway_watches() and uplink is not None and uplink.up and not self.gateway_path.blocked

    def centre_listens(self) -> bool:
        client = self.clients.get("centre")
        return self.centre.running and client is not None and client.up and not self.centre_path.blocked

    def cut_off(self) -> bool:
        """Whether nothing can come from the centre to the gateway."""
        return not self.broker.up or self.gateway_path.blocked or not self.centre.running

    def gateway_is_missed(self) -> bool:
        """Whether the centre's desk shows the gateway as lost."""
        return bool(self.centre.rows("SELECT 1 FROM incidents WHERE kind = 'gateway_lost' AND restored_ms IS NULL"))

    def sizes(self) -> list[tuple[str, int, int]]:
        """What must stay within its bounds: its name, how much there is, the most that is allowed."""
        return [*self.gateway.sizes()]

    # --- putting together ---

    def _down(self, port: str, data: bytes) -> None:
        """The gateway says something on one of its ports."""
        if port == PORT:
            self.bus.down(data)
        else:
            self._worn[port].down(data)

    def _made(self, number: int, spec: TerminalSpec) -> TerminalConfig:
        if spec.kind == BRACELET:
            fence = Fence(*HOME, spec.fence_m) if spec.fence_m else None
            return TerminalConfig(
                spec.id, BRACELET, spec.room, spec.id, 0, b"", spec.silence_s_max or SILENCE_S_MAX, fence
            )
        key = stream(self.seed, f"key/{spec.id}").randbytes(mac.KEY_BYTES)
        silence_s_max = spec.silence_s_max or SILENCE_S_MAX
        return TerminalConfig(spec.id, spec.kind, spec.room, PORT, FIRST_ADDRESS + number, key, silence_s_max)

    def _gateway_client(self, received: Callable[[str, bytes], None], changed: Callable[[bool], None]) -> Client:
        wanted = topic.build(GATEWAY, topic.RECEIPT).rpartition("/")[0]
        return self._client(
            "gateway", self.gateway_path, lambda name: name.startswith(wanted), received, changed, 8_000
        )

    def _centre_client(self, received: Callable[[str, bytes], None]) -> Client:
        return self._client(
            "centre", self.centre_path, lambda name: "/up/" in name, received, _nobody, CENTRE_BACKOFF_MS_MAX
        )

    def _client(self, name: str, path: Way, wants: Any, received: Any, changed: Any, backoff_ms_max: int) -> Client:
        random = self.random(f"network/{name}")
        earlier = self.clients.get(name)
        if earlier is not None:
            random = earlier.random
        client = Client(self.timeline, self.broker, path, random, wants, received, changed, backoff_ms_max)
        self.clients[name] = client
        return client

    # --- listening ---

    def _noticed(self, promise: Promise, what: str) -> None:
        """A terminal has a new promise, or one of its promises has come to an end."""
        event = _event_of(promise.terminal, promise.boot, promise.number)
        self.trace.add(promise.terminal, what, f"{promise.kind} {promise.phase} {promise.number}", event)
        if what == "offered":
            self.watch.offered(promise)
        elif what == "acknowledged":
            self._is_safe(promise)

    def _is_safe(self, promise: Promise) -> None:
        """Invariant 1: what is acknowledged would outlive anything, from this moment on."""
        if self.watch.at_centre(promise) or key_of(promise) in self.watch.excused:
            return
        if not self.gateway.holds(promise.terminal, promise.boot, promise.number):
            what = f"{promise.terminal}: {promise.kind} {promise.phase} ({promise.boot}, {promise.number})"
            raise Broken(
                "unsafe",
                f"{what} is acknowledged, and is neither synced on the card nor at the centre",
                f"{what} 已确认，但既未同步到卡上，也不在中心",
            )

    def _gateway_noted(self, what: str, details: Mapping[str, Any]) -> None:
        if self.heard is not None:
            self.heard.append(Heard("agent", JournalLine(what, details), self.timeline.now))
        if what == "raised":
            self._names[details["id"]] = event = _event_of(
                details["terminal"], *(details["source"] or (details["id"],))
            )
            about = f"{details['id']} {details['terminal']} {details['kind']} {' '.join(details['flags'])}"
            self.trace.add("gateway", details["phase"], about, event)
        elif what in ("committed", "receipted"):
            for name in details["ids"]:
                self.trace.add("gateway" if what == "receipted" else "disk", what, name, self._names.get(name, ""))
        elif what == "sent":
            self.trace.add("gateway", what, details["id"], self._names.get(details["id"], ""))
        elif what in ("siren", "tell"):
            self.trace.add("resident", what, " ".join(details.values()))
            word = details.get("state") or details.get("message") or ""
            self.said.append(Said(what, word, details["kind"], details.get("terminal", ""), self.timeline.now))
        else:
            self.trace.add("gateway", what, " ".join(f"{name}={value}" for name, value in details.items()))
        self.watch.gateway(what, details)

    def _centre_noted(self, note: dict[str, Any]) -> None:
        what = note["what"]
        if self.heard is not None:
            self.heard.append(Heard("centre", JournalLine(what, note), self.timeline.now))
        about = " ".join(str(value) for name, value in note.items() if name != "what")
        _, _, identity = note.get("event_id", "").partition("/")
        self.trace.add("centre", what, about, self._names.get(identity, ""))
        if what == "committed":
            epoch, _, sequence = identity.partition("-")
            (row,) = self.centre.rows(
                "SELECT terminal, kind, phase, link, source_boot, source_number, unverified, raised_ms,"
                " (SELECT kind FROM events first WHERE first.gateway = events.gateway"
                " AND first.epoch = events.alarm_epoch AND first.sequence = events.alarm_sequence) AS alarm_kind"
                " FROM events WHERE gateway = ? AND epoch = ? AND sequence = ?",
                note["gateway"],
                int(epoch),
                int(sequence),
            )
            self.watch.committed(row)

    # --- waiting ---

    def _until(self, so: Callable[[], bool], most_ms: int, name: str, en: str, zh: str) -> None:
        end_ms = self.timeline.now + most_ms
        while not so():
            if self.timeline.now >= end_ms:
                minutes = most_ms / 60_000
                raise Broken(name, f"{en} after {minutes:g} min without a fault", f"{zh}：已无故障 {minutes:g} 分钟")
            self.timeline.until(self.timeline.now + LOOK_MS)


def _event_of(terminal: str, *source: object) -> str:
    """What joins the stations of one event: its terminal's name for it, or the gateway's own."""
    return "/".join(map(str, (terminal, *source)))


def key_from(seed: int, name: str, kid: bytes = b"") -> SigningKey:
    """The signing key of that name in the world of this seed; known as `kid`, or as who has that name is known."""
    private = Ed25519PrivateKey.from_private_bytes(stream(seed, f"key/{name}").randbytes(32))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return signing_key(pem, kid or (CENTRE_KID if name == "centre" else name.encode()))


def _nobody(up: bool) -> None:
    pass
