"""The MQTT uplink: a thread that keeps one connection to a broker, sends what it is handed, brings receipts.

The outbox is the queue: nothing is stored here across connections.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.uplinks.mqtt_connection import PAYLOAD_BYTES_MAX, WINDOW, Connection
from gateway.uplinks.tls import client_context, connect
from protocol import topic
from protocol.words import Told

# A half-open connection is found within two of these and a tick: 17 s, of the 20 s that are allowed.
KEEPALIVE_S: Final = 8
CONNECT_S_MAX: Final = 5.0  # for each of TCP and TLS; with the next broker of the list an alarm is still in time
BACKOFF_S_FIRST: Final = 1.0  # full jitter below this, doubled after each round of the list that failed
BACKOFF_S_MAX: Final = 8.0  # an alarm is at the centre within 10 s of the broker's return
# Without a word from the centre for so long after something was sent, the next broker of the list is tried: this one
# may take everything and have no centre behind it. As long as a half-open connection may last.
ANSWER_S_MAX: Final = 20.0
STABLE_S: Final = 10.0  # a connection that held this long was a success; one that is cut at once is not
REASONS: Final = ("too_long", "downlink_too_long", "downlink_flood", "unknown_topic", "uplink_errors")
DOWNLINKS_PER_S_MAX: Final = 200  # more than any burst of receipts; a lost receipt is asked for again
STOP_S_MAX: Final = 3.0  # how long `stop` waits for the thread, which may be asking a name service


@dataclass(frozen=True, slots=True)
class UplinkState:
    """The uplink came up or went down, or is down for another reason than before; why, in English and Chinese."""

    name: str
    up: bool
    detail: str
    detail_zh: str


@dataclass(frozen=True, slots=True)
class Downlink:
    """Bytes from the centre, as yet unverified; `tail` is "receipt" or "command"."""

    name: str
    tail: str
    payload: bytes


class MqttUplink:
    """One way to the centre; `put` receives UplinkState and Downlink from the uplink's own thread.

    `brokers` are (host, port) pairs, tried in turn. `clock_unset` says whether certificates' dates can be checked.
    `random(n)` gives n bytes. `counters` counts what was dropped, by reason.
    """

    def __init__(
        self,
        name: str,
        brokers: Sequence[tuple[str, int]],
        gateway: str,
        ca: Path,
        certificate: Path,
        key: Path,
        put: Callable[[object], None],
        clock_unset: Callable[[], bool],
        random: Callable[[int], bytes] = os.urandom,
        keepalive_s: int = KEEPALIVE_S,
    ):
        self.counters = Counter(dict.fromkeys(REASONS, 0))  # all there from the start: another thread reads them
        self._name = name
        self._brokers = tuple(brokers)
        self._gateway = gateway
        self._files = (ca, certificate, key)
        self._put = put
        self._clock_unset = clock_unset
        self._random = random
        self._keepalive_s = keepalive_s
        self._told: UplinkState | None = None
        self._second, self._in_second = 0, 0  # downlinks within the current second
        self._asked_s: float | None = None  # since when the centre owes a word (monotonic)
        self._stopping = threading.Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()  # guards the three below
        self._up = False
        self._unacknowledged = 0
        self._handed: deque[tuple[str, bytes]] = deque()
        self._thread = threading.Thread(target=self._run, name=f"uplink {name}", daemon=True)

    def start(self) -> None:
        """Begins to connect; failures are told through `put`, and retried for ever."""
        self._thread.start()

    def stop(self) -> None:
        """Sends what was handed over, says goodbye to the broker and ends the thread; waits STOP_S_MAX at most."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._thread.ident is not None:
            os.eventfd_write(self._wake, 1)
            self._thread.join(STOP_S_MAX)
        if not self._thread.is_alive():
            os.close(self._wake)

    def send(self, tail: str, payload: bytes) -> bool:
        """Hands one message ("alarm" or "heartbeat") over, from any thread, without waiting.

        False: not now, keep it. True promises nothing either: only the centre's receipt proves that it arrived.
        """
        if len(payload) > PAYLOAD_BYTES_MAX:
            self.counters["too_long"] += 1
            return False
        with self._lock:
            if not self._up or self._unacknowledged >= WINDOW:
                return False
            self._unacknowledged += 1
            self._handed.append((tail, payload))
            os.eventfd_write(self._wake, 1)
        return True

    def _run(self) -> None:
        turn, failures = 0, 0
        while not self._stopping.is_set():
            if self._hold(*self._brokers[turn % len(self._brokers)]) >= STABLE_S:
                failures = 0
            else:
                turn, failures = turn + 1, failures + 1
            if failures % len(self._brokers) == 0:  # the others of the list are tried without waiting
                self._stopping.wait(self._backoff_s(failures // len(self._brokers)))

    def _backoff_s(self, rounds: int) -> float:
        """A wait with full jitter, so that a broker that restarts does not meet all its gateways at once."""
        most = min(BACKOFF_S_MAX, BACKOFF_S_FIRST * (1 << min(max(0, rounds - 1), 10)))
        return most * int.from_bytes(self._random(4), "big") / 2**32

    def _hold(self, host: str, port: int) -> float:
        """Keeps one connection for as long as it lasts; how long it was up, in seconds."""
        up_since = None
        try:
            with self._connection(host, port) as connection:
                while not (connection.granted or self._stopping.is_set()):
                    connection.turn(self._wake)
                if connection.granted:
                    up_since = time.monotonic()
                    self._tell(True, Told(f"connected to {host}:{port}", f"已连接 {host}:{port}"))
                    self._serve(connection)
            self._tell(False, Told("stopped", "已停止"))
        except Told as reason:
            self._tell(False, Told(f"{host}:{port}: {reason.en}", f"{host}:{port}：{reason.zh}"))
        except Exception as error:  # noqa: BLE001 whatever a broker can make the library do, the uplink goes on
            self.counters["uplink_errors"] += 1
            name = type(error).__name__
            self._tell(False, Told(f"{host}:{port}: broken: {name}", f"{host}:{port}：出错：{name}"))
        return 0.0 if up_since is None or self._unanswered() else time.monotonic() - up_since

    def _connection(self, host: str, port: int) -> Connection:
        context = client_context(*self._files, clock_unset=self._clock_unset())
        return Connection(
            connect(host, port, context, CONNECT_S_MAX),
            self._gateway,
            self._random(8).hex(),  # a name that others could know would let them cut us off
            self._keepalive_s,
            self._received,
            self._acknowledged,
        )

    def _serve(self, connection: Connection) -> None:
        self._asked_s = None
        while True:
            stopping = self._stopping.is_set()  # before the last look: what was handed over by then goes out
            for tail, payload in self._taken():
                connection.publish(tail, payload)
                if self._asked_s is None:
                    self._asked_s = time.monotonic()
            if stopping:
                return
            if self._unanswered():
                raise Told("the centre does not answer by way of this broker", "经此消息服务器联系不到中心")
            connection.turn(self._wake)

    def _unanswered(self) -> bool:
        """Whether another broker is worth a try."""
        late = self._asked_s is not None and time.monotonic() - self._asked_s >= ANSWER_S_MAX
        return late and len(self._brokers) > 1

    def _taken(self) -> list[tuple[str, bytes]]:
        with self._lock:
            taken = list(self._handed)
            self._handed.clear()
        return taken

    def _acknowledged(self) -> None:
        with self._lock:
            self._unacknowledged -= 1

    def _received(self, tail: str, payload: bytes) -> None:
        self._asked_s = None
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if tail not in topic.DOWN:
            self.counters["unknown_topic"] += 1
        elif len(payload) > PAYLOAD_BYTES_MAX:
            self.counters["downlink_too_long"] += 1
        elif self._in_second > DOWNLINKS_PER_S_MAX:
            self.counters["downlink_flood"] += 1
        else:
            self._put(Downlink(self._name, tail, payload))

    def _tell(self, up: bool, reason: Told) -> None:
        with self._lock:
            self._up = up
            self._unacknowledged = 0
            self._handed.clear()
        state = UplinkState(self._name, up, reason.en, reason.zh)
        if state != self._told:
            self._told = state
            self._put(state)
