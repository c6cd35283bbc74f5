"""The network in virtual time: MQTT connections as both their ends see them, and what goes wrong with them.

What TCP and MQTT promise holds: bytes arrive in order or the connection ends; a clean session keeps nothing; a broker
acknowledges what it takes, whether or not anybody is there to receive it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from sim.world.timeline import Timeline

KEEPALIVE_MS: Final = 17_000  # until an end notices that the other is gone (both ends: 8 s twice, and a tick)
BACKOFF_MS_MAX: Final = 8_000  # of the gateway; the centre's is 2 s
WINDOW: Final = 16  # messages that the broker has not acknowledged: the client holds back from there on

Received = Callable[[str, bytes], None]


@dataclass(slots=True)
class Path:
    """The way between one end and the broker."""

    latency_ms: tuple[int, int] = (2, 20)  # each way, drawn anew for each message
    blocked: bool = False  # nothing passes, and no new connection either: a cable pulled, a provider that is down
    loss: float = 0.0  # of what the broker sends down, receipts or events, the share that never comes
    repeat: float = 0.0  # of what is sent up, the share that arrives twice


class Broker:
    """Takes what gateways and the centre send, and hands it to whoever is connected at that moment."""

    def __init__(self, timeline: Timeline):
        self.up = True
        self.counters: Counter[str] = Counter()
        self._timeline = timeline
        self._clients: list[Client] = []

    def down(self) -> None:
        """It is killed: every connection ends at once, and what was on its way is gone."""
        self.up = False
        for client in list(self._clients):
            client.closed("the broker has gone")

    def start(self) -> None:
        self.up = True

    def join(self, client: Client) -> None:
        self._clients.append(client)

    def leave(self, client: Client) -> None:
        if client in self._clients:
            self._clients.remove(client)

    def publish(self, topic: str, payload: bytes) -> None:
        """To everybody who is connected and wants it; nobody may be."""
        taken = False
        for client in list(self._clients):
            if client.wants(topic):
                taken = True
                client.hand_down(topic, payload)
        self.counters["taken" if taken else "taken_for_nobody"] += 1


class Client:
    """One end's connection to the broker, made again for ever once started."""

    def __init__(
        self,
        timeline: Timeline,
        broker: Broker,
        path: Path,
        random: Random,
        wants: Callable[[str], bool],
        received: Received,
        changed: Callable[[bool], None],
        backoff_ms_max: int = BACKOFF_MS_MAX,
    ):
        self.up = False
        self.wants = wants
        self._timeline, self._broker, self._path, self.random = timeline, broker, path, random
        self._received, self._changed = received, changed
        self._backoff_ms_max = backoff_ms_max
        self._failures = 0
        self._connection = 0  # what belongs to an earlier one comes to nothing
        self._running = False
        self._stale = False  # this connection is dead and neither end knows it
        self._unacknowledged = 0
        self._arrival_ms = {"up": 0, "down": 0}
        self._limbo: deque[Callable[[], None]] = deque()  # what TCP repeats until the path is open again

    def start(self) -> None:
        self._running = True
        self._timeline.after(self.random.randint(1, 100), self._connect)

    def stop(self) -> None:
        """The process has ended: the kernel closes what it had open."""
        self._running = False
        self._close()

    def half_open(self) -> None:
        """A router forgot this connection: nothing passes on it any more, and nobody is told."""
        self._stale = self.up
        self.noticed()

    def unblocked(self) -> None:
        """The path is open again: TCP repeats what it could not deliver, in order."""
        while self._limbo:
            self._limbo.popleft()()

    def send(self, topic: str, payload: bytes) -> bool:
        """Whether it was taken; that it arrives is not promised."""
        if not self.up or self._unacknowledged >= WINDOW:
            return False
        self._unacknowledged += 1
        times = 2 if self.random.random() < self._path.repeat else 1
        self._travel("up", lambda: self._taken(topic, payload, times))
        return True

    def hand_down(self, topic: str, payload: bytes) -> None:
        """The broker sends it down this connection."""
        if self.random.random() < self._path.loss:
            self._broker.counters["lost_down"] += 1
            return
        self._travel("down", lambda: self._received(topic, payload))

    def closed(self, why: str) -> None:
        """The connection ends, and this end knows it at once."""
        if self.up:
            self._close()
            self._changed(False)
            self._again()

    # --- making it ---

    def _connect(self) -> None:
        if not self._running or self.up:
            return
        if not self._broker.up or self._path.blocked:
            self._again()
            return
        self._connection += 1
        mine = self._connection
        round_trips = 4 * self._latency_ms()  # TCP, TLS, sign-in, subscription
        self._timeline.after(round_trips, lambda: self._granted(mine))

    def _granted(self, mine: int) -> None:
        if mine != self._connection or not self._running or self.up:
            return
        if not self._broker.up or self._path.blocked:
            self._again()
            return
        self.up = True
        self._stale = False
        self._failures = 0
        self._unacknowledged = 0
        self._broker.join(self)
        self._changed(True)

    def _again(self) -> None:
        most = min(self._backoff_ms_max, 1000 << min(self._failures, 10))
        self._failures += 1
        self._timeline.after(1 + self.random.randrange(most), self._connect)

    def _close(self) -> None:
        self.up = False
        self._connection += 1
        self._limbo.clear()
        self._broker.leave(self)

    # --- keeping it ---

    def noticed(self) -> None:
        """Something is wrong with the path: keep-alive will find that nothing passes, if it still does not by then."""
        mine = self._connection
        self._timeline.after(KEEPALIVE_MS, lambda: self._give_up(mine))

    def _give_up(self, mine: int) -> None:
        if mine == self._connection and self.up and (self._stale or self._path.blocked):
            self.closed("no sign of life")

    def _travel(self, way: str, arrive: Callable[[], None]) -> None:
        mine = self._connection
        at_ms = max(self._arrival_ms[way], self._timeline.now + self._latency_ms())
        self._arrival_ms[way] = at_ms

        def there() -> None:
            if mine != self._connection or self._stale:
                return
            if self._path.blocked:
                self._limbo.append(there)
            else:
                arrive()

        self._timeline.at(at_ms, there)

    def _taken(self, topic: str, payload: bytes, times: int) -> None:
        mine = self._connection
        for _ in range(times):
            self._broker.publish(topic, payload)
        self._timeline.after(self._latency_ms(), lambda: self._acknowledged(mine))

    def _acknowledged(self, mine: int) -> None:
        if mine == self._connection:
            self._unacknowledged -= 1

    def _latency_ms(self) -> int:
        return self.random.randint(*self._path.latency_ms)
