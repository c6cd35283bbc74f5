"""The terminal's end of the serial link: bytes and the time in, bytes out; holds each event until acknowledged."""

from protocol.wire import codes, frame, mac, messages
from protocol.wire.held import Queue
from protocol.wire.messages import ACK, ASK, EVENT, HEARTBEAT, HELLO, WELCOME, clamp
from protocol.wire.repeat import Repeat
from protocol.wire.session import COUNTER_MAX, COUNTER_RENEW, Session

TYPE_CHECKING = False  # MicroPython has no typing module; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.wire.held import Held
    from protocol.wire.messages import Message

FIRMWARE = 1  # told with each hello

HELLO_MS_FIRST = 200  # a gateway that is there answers within some 20 ms; no two hellos are closer, asked for or not
HELLO_MS_MOST = 5_000
EVENT_MS_FIRST = 300  # a commit takes some 10 ms, on a slow card 100
EVENT_MS_MOST = 5_000
HEARTBEAT_S = 60  # until a gateway says otherwise
EVENTS_BEFORE_HEARTBEAT = 4  # unanswered, after some 2 s: its commit may be slow, a heartbeat is answered at once
HEARTBEAT_TRIES_MAX = 4  # unanswered within some 5 s: the session is lost
HELLOS_BEFORE_CRY = 3  # unanswered, after some 0.6 s: events of life are told without a session too
ASKABLE_MAX = 4  # of the last messages, that an ASK can mean

COUNTERS = ("oversize", "bad_cobs", "bad_crc", "bad_form", "bad_tag", "replays", "asks_refused")


class TerminalEnd:
    """One terminal. `now` is in ms and must not run backwards; `random(n)` gives n bytes fit for keys.

    `counters` counts by reason what came in and was refused.
    """

    def __init__(self, address: int, kind_code: int, key: bytes, random: "Callable[[int], bytes]", now: int) -> None:
        if len(key) != mac.KEY_BYTES:
            raise ValueError("a terminal's key has 32 bytes")
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.boot = int.from_bytes(random(4), "big")  # random, so that no flash need be written to tell boots apart
        self._address, self._kind, self._key, self._random = address, kind_code, messages.Key(key), random
        self._deframer = frame.Deframer(self.counters, address)
        self._queue = Queue()
        self._session: Session | None = None
        self._condition_bits, self._battery_pct, self._value = 0, codes.BATTERY_UNKNOWN, 0
        self._news = False  # the conditions are not those that the last heartbeat told
        self._askable = [b""] * ASKABLE_MAX  # tags, each at its counter modulo this
        self._hello = Repeat(HELLO_MS_FIRST, HELLO_MS_MOST, random)
        self._hello_count = 0
        self._event = Repeat(EVENT_MS_FIRST, EVENT_MS_MOST, random)
        self._heartbeat = Repeat(EVENT_MS_FIRST, EVENT_MS_MOST, random)
        self._timers = (self._hello, self._event, self._heartbeat)
        self._heartbeat_ms = HEARTBEAT_S * 1000
        self._heartbeat_first = 0  # counter of the first try of the heartbeat that waits for its answer
        self._lost_said = 0  # events lost to a full queue, as that heartbeat tells
        self._lost_known = 0  # of them, how many the gateway has been told
        self._start_hello(now)

    # --- what the terminal's own logic calls ---

    def offer(self, kind_code: int, phase_code: int, value: int, now: int) -> int:
        """Hold a new event until the gateway has it safe; its number within this boot."""
        number = self._queue.add(kind_code, phase_code, clamp(value, messages.I32_MIN, messages.I32_MAX), now)
        if self._session is None:
            self._hello.hasten(now)
        elif self._event.at_ms is None:
            self._event.start(now)
        else:
            self._event.hasten(now)
        return number

    def conditions(self, bits: int, battery_pct: int, value: int) -> None:
        """What events and heartbeats carry from now on: bits of `codes`, percent, and the sensor's value."""
        bits &= messages.U8_MAX
        self._news = self._news or bits != self._condition_bits
        self._condition_bits = bits
        self._battery_pct = clamp(battery_pct, 0, messages.U8_MAX)
        self._value = clamp(value, messages.I32_MIN, messages.I32_MAX)

    def pending(self) -> int:
        """How many events are not yet acknowledged."""
        return len(self._queue)

    def held(self) -> list[int]:
        """Their numbers, in order; one that has gone was acknowledged or had to make room."""
        return self._queue.numbers()

    def online(self) -> bool:
        """Whether there is a session that the gateway has not been found to have lost."""
        return self._session is not None and self._hello.at_ms is None

    # --- the line ---

    def receive(self, data: bytes, now: int) -> bool:
        """Take any bytes from the line, never raising; whether they held anything for this terminal."""
        mine = False
        for raw in self._deframer.feed(data):
            message = messages.parse(raw)
            if message is None:
                self._count("bad_form")
                continue
            if message.address != self._address:
                continue
            mine = True
            if message.type == ACK:
                self._on_ack(message, now)
            elif message.type == WELCOME:
                self._on_welcome(message, now)
            elif message.type == ASK:
                self._on_ask(message, now)
        return mine

    def poll(self, now: int) -> bytes:
        """What to write to the line now; nothing before `deadline` unless something came in or was offered."""
        out = b""
        if self._news and self._heartbeat.at_ms is not None:
            self._news = False
            self._heartbeat.start(self._heartbeat.soonest(now))
        if self._event.due(now):
            out += self._send_event(now)
        if self._heartbeat.due(now):
            out += self._send_heartbeat(now)
        if self._hello.due(now):
            out += self._send_hello(now)
        return out

    def deadline(self) -> int:
        """When `poll` has something to do next, in ms."""
        due = None
        for timer in self._timers:
            if timer.at_ms is not None and (due is None or timer.at_ms < due):
                due = timer.at_ms
        assert due is not None  # without a session there are hellos, with one there are heartbeats
        return due

    # --- in ---

    def _on_welcome(self, message: "Message", now: int) -> None:
        if self._hello.at_ms is None:
            return  # a repeat of the one that was taken
        if not self._key.vouches(message, self._hello_nonce):
            self._count("bad_tag")
            return
        nonce, heartbeat_s = message.fields
        self._session = Session(self._key.session_key(self._address, self._hello_nonce, nonce))
        self._askable = [b""] * ASKABLE_MAX
        self._heartbeat_ms = max(1, heartbeat_s) * 1000
        self._hello.stop()
        self._heartbeat.start(now)
        self._next_event(now)

    def _on_ack(self, message: "Message", now: int) -> None:
        if self._session is None or not self._session.vouches(message):
            self._count("bad_tag")
        elif not self._session.take(message):
            self._count("replays")
        elif message.fields[0] == EVENT:
            if self._queue.settle(message.fields[1]):
                self._next_event(now)
        elif message.fields[1] >= self._heartbeat_first and self._heartbeat.tries > 0:
            self._lost_known = self._lost_said
            self._heartbeat.start(now + self._heartbeat_ms)

    def _on_ask(self, message: "Message", now: int) -> None:
        if message.fields[0] not in self._askable:
            self._count("asks_refused")
        elif not self._key.vouches(message):
            self._count("bad_tag")
        elif self._hello.at_ms is None:
            self._start_hello(self._hello.soonest(now))
        else:
            self._hello.hasten(now)  # the gateway is there again

    def _next_event(self, now: int) -> None:
        if len(self._queue):
            self._event.start(now)
        else:
            self._event.stop()

    # --- out ---

    def _want_hello(self, at: int) -> None:
        if self._hello.at_ms is None:
            self._start_hello(at)

    def _start_hello(self, at: int) -> None:
        self._hello_nonce = self._random(mac.NONCE_BYTES)
        self._hello_count += 1
        self._hello.start(at)

    def _send_hello(self, now: int) -> bytes:
        # Repeats are the same bytes, so that any of the welcomes that they bring will do.
        fields = (self._hello_nonce, self.boot, self._kind, FIRMWARE)
        out = frame.wrap(self._key.seal(HELLO, self._address, self._hello_count, fields))
        if self._hello.tries >= HELLOS_BEFORE_CRY:
            out += self._cry(now)
        self._hello.sent(now)
        return out

    def _cry(self, now: int) -> bytes:
        """The first event of life, for a gateway that cannot give a session: it may still raise it as unverified."""
        held = self._queue.first_of_life()
        if held is None:
            return b""
        return frame.wrap(self._key.seal(EVENT, self._address, 0, self._event_fields(held, now)))

    def _send_event(self, now: int) -> bytes:
        held = self._queue.first()
        assert held is not None  # the timer runs only while there is one
        self._event.sent(now)
        if self._event.tries == EVENTS_BEFORE_HEARTBEAT:
            self._heartbeat.hasten(now)
        return self._send(EVENT, self._event_fields(held, now), now)

    def _event_fields(self, held: "Held", now: int) -> tuple[int, ...]:
        age_ms = clamp(now - held.since_ms, 0, messages.U32_MAX)
        about = (self.boot, held.number, held.kind, held.phase, age_ms, held.value)
        return about + (self._bits(), self._battery_pct)  # noqa: RUF005 (MicroPython has no * in a tuple)

    def _send_heartbeat(self, now: int) -> bytes:
        if self._heartbeat.tries >= HEARTBEAT_TRIES_MAX:
            self._heartbeat.stop()
            self._want_hello(now)
            return b""
        if self._heartbeat.tries == 0 and self._session is not None:
            self._heartbeat_first = self._session.sent + 1
            self._lost_said = self._queue.lost
        self._heartbeat.sent(now)
        return self._send(HEARTBEAT, (self.boot, self._bits(), self._battery_pct, self._value, self.pending()), now)

    def _send(self, type: int, fields: tuple[int, ...], now: int) -> bytes:
        assert self._session is not None  # the timers run only while there is one
        message = self._session.seal(type, self._address, fields)
        self._askable[self._session.sent % ASKABLE_MAX] = message[-mac.TAG_BYTES :]
        if self._session.sent >= COUNTER_RENEW:
            self._want_hello(now)
            if self._session.sent >= COUNTER_MAX:
                self._end_session()
        return frame.wrap(message)

    def _end_session(self) -> None:
        self._session = None
        self._event.stop()
        self._heartbeat.stop()

    def _bits(self) -> int:
        return self._condition_bits | (codes.EVENTS_DROPPED if self._queue.lost > self._lost_known else 0)

    def _count(self, reason: str) -> None:
        self.counters[reason] += 1
