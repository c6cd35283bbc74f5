"""The centre's one thread that owns the database: it takes messages and questions in and sends receipts out."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from dispatch.clock import Clock
from dispatch.config import GatewaysFile
from dispatch.desk import Desk
from dispatch.intake import Intake
from dispatch.journal import Journal
from dispatch.store import Store
from protocol.record import Now
from protocol.words import Told

MESSAGES_MAX: Final = 10_000  # waiting, 10 MB at worst; what is dropped the gateways repeat
GATEWAY_MESSAGES_MAX: Final = (
    500  # of them from one gateway, which has some 20 on their way: one gone wild mutes no other
)
BATCH_MAX: Final = 256  # in one transaction: some 30 ms of verifying, and one sync for all of them
ASKS_MAX: Final = 256  # waiting questions of the web; beyond it nobody waits for the answer any more
TICK_S: Final = 1.0  # of the centre's clock
STALL_S: Final = 10.0  # without a tick: this machine was paused, or its disk hung
TICK_REAL_S_MIN: Final = 0.02  # however fast that clock runs

Message = tuple[str, bytes]
Question = Callable[[Desk, Now], Any]
Asked = tuple["Future[Any]", Question]


class Inbox:
    """What waits for the core: messages and questions, each bounded, so that neither keeps the other out."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._messages: deque[Message] = deque()
        self._of_gateway: Counter[str] = Counter()  # how many of them, by topic up to the gateway's name
        self._asks: deque[Asked] = deque()
        self._news = threading.Condition()
        self._closed = False

    def put(self, topic: str, payload: bytes) -> None:
        """Add a message, or drop and count it where too many wait: the oldest have waited longest. Any thread."""
        gateway = _gateway_of(topic)
        with self._news:
            if len(self._messages) >= MESSAGES_MAX or self._of_gateway[gateway] >= GATEWAY_MESSAGES_MAX:
                self.counters["messages_dropped"] += 1
                return
            self._messages.append((topic, payload))
            self._of_gateway[gateway] += 1
            self._news.notify()

    def ask(self, question: Question) -> Future[Any]:
        """The future answer to `question`, cancelled at once where too many wait. Any thread."""
        future: Future[Any] = Future()
        with self._news:
            if len(self._asks) >= ASKS_MAX:  # those who have given up make room
                self._asks = deque(asked for asked in self._asks if not asked[0].cancelled())
            if len(self._asks) >= ASKS_MAX:
                future.cancel()
            else:
                self._asks.append((future, question))
                self._news.notify()
        return future

    def close(self) -> None:
        """From now on `take` waits no more. Any thread."""
        with self._news:
            self._closed = True
            self._news.notify()

    def take(self, wait_s: float) -> tuple[list[Message], list[Asked]]:
        """At most a batch of messages, and all questions; neither after `wait_s`."""
        with self._news:
            if not (self._messages or self._asks or self._closed):
                self._news.wait(wait_s)
            messages = [self._messages.popleft() for _ in range(min(BATCH_MAX, len(self._messages)))]
            for topic, _ in messages:
                self._of_gateway[_gateway_of(topic)] -= 1
            self._of_gateway += Counter()  # forgets those that have nothing here
            asks, self._asks = list(self._asks), deque()
        return messages, asks


class Core(threading.Thread):
    """Gather, step, perform, until `stop`. No message, question or failing disk ends it."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        intake: Intake,
        gateways: GatewaysFile,
        clock: Clock,
        journal: Journal,
        publish: Callable[[str, bytes], bool],
    ):
        super().__init__(name="core", daemon=True)
        self.inbox = Inbox()
        self.changed: Callable[[], None] = _nobody  # called when the desk's picture may be another one
        self._store = store
        self._desk = desk
        self._intake = intake
        self._gateways = gateways
        self._clock = clock
        self._journal = journal
        self._publish = publish
        self._stopping = threading.Event()
        self._ticked_ms = clock.now().mono_ms
        self._tick_s = max(TICK_S / clock.rate, TICK_REAL_S_MIN)

    def stop(self, within_s: float) -> bool:
        """Commit what waits, give the database up and end; whether that was done in time."""
        self._stopping.set()
        self.inbox.close()
        self.join(within_s)
        return not self.is_alive()

    def run(self) -> None:
        due_s = time.monotonic()
        while True:
            messages, asks = self.inbox.take(max(0.0, due_s - time.monotonic()))
            if messages:
                self._receive(messages)
            for future, question in asks:
                self._answer(future, question)
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + self._tick_s
                self._tick()
            if self._stopping.is_set() and not messages:
                break
        self._store.close()

    def _receive(self, messages: Sequence[Message]) -> None:
        try:
            outcome = self._intake.receive(messages, self._clock.now())
        except Exception as error:  # noqa: BLE001  a fault of ours in one message must not keep out all others
            if len(messages) > 1:
                for message in messages:
                    self._receive([message])
            else:
                self._trouble("intake", error)
            return
        self._send(outcome.publish)
        self._note(outcome.notes)
        self.changed()

    def _tick(self) -> None:
        try:
            if self._gateways.refresh():
                self._desk.homes = self._gateways.homes()
                self._desk.places = self._gateways.places()
                self._intake.keys = self._gateways.keys()
                self._journal.note("gateways", known=len(self._gateways.known))
                self.changed()
        except Told as error:
            self._journal.note("trouble", where="gateways", detail=str(error), kept=len(self._gateways.known))
        now = self._clock.now()
        stood_ms, self._ticked_ms = now.mono_ms - self._ticked_ms, now.mono_ms
        if stood_ms >= STALL_S * 1000 * self._clock.rate:
            self._desk.slept(stood_ms, now)
        try:
            notes = self._desk.tick(now)
        except Exception as error:  # noqa: BLE001  the next tick tries again
            self._trouble("tick", error)
            return
        self._note(notes)
        if notes:
            self.changed()

    def _answer(self, future: Future[Any], question: Question) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(question(self._desk, self._clock.now()))
        except Exception as error:  # noqa: BLE001  it is the asker's to deal with
            future.set_exception(error)
        self._send(self._intake.commands())

    def _send(self, messages: Sequence[Message]) -> None:
        for topic, payload in messages:
            if not self._publish(topic, payload):
                self.inbox.counters["receipts_dropped"] += 1

    def _note(self, notes: Sequence[dict[str, Any]]) -> None:
        for note in notes:
            self._journal.note(**note)

    def _trouble(self, where: str, error: Exception) -> None:
        self.inbox.counters[f"{where}_failed"] += 1
        self._journal.note("trouble", where=where, detail=f"{type(error).__name__}: {error}")


def _gateway_of(topic: str) -> str:
    return topic.partition("/up/")[0]


def _nobody() -> None:
    pass
