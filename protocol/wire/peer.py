"""What the gateway's end of the serial link knows of one terminal: sessions, what was delivered, what to say to it."""

from protocol.wire import codes, frame, mac, messages
from protocol.wire.messages import ACK, ASK, EVENT, HEARTBEAT, WELCOME
from protocol.wire.session import COUNTER_MAX, Session, keep

TYPE_CHECKING = False  # MicroPython has no typing module; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.wire.messages import Message, Said

ASK_MS_MIN = 200  # between two that we send to one terminal: a forger's noise can cause no more
WELCOME_MS_MIN = 100  # between two for one hello; a terminal repeats it after 200 at the soonest
SEEN_MAX = 64  # hellos; somebody who records the line gets one with each restart of a terminal or of ours
HELLO_MS_MIN = 50  # between hellos seen before: a flood of replays leaves a candidate 150 ms, a welcome takes 20
CANDIDATES_MAX = 4  # an old hello, replayed, cannot push out a terminal's own before its first message
CONFIRMED_MAX = 2  # the current session, and the one before it for messages still on their way
BOOTS_MAX = 8  # whose delivered events are known, so that their replays raise no doubt


class Boot:
    """How far the events of one boot of a terminal have come."""

    def __init__(self, boot: int) -> None:
        self.boot = boot
        self.hello = 0  # highest hello count of a session that was confirmed
        self.delivered = 0  # highest event number handed to the caller
        self.acknowledged = 0  # highest that the caller called safe


class Offer(Session):
    """A session that a hello has begun; a message in it confirms that the hello was no replay."""

    def __init__(self, key: messages.Key, hello: "Message", nonce: bytes) -> None:
        self.hello_nonce, self.boot, self.kind, self.firmware = hello.fields
        self.hello_count = hello.counter
        self.nonce = nonce
        self.welcome_due = True
        self.welcome_ms: int | None = None
        super().__init__(key.session_key(hello.address, self.hello_nonce, nonce))


class Peer:
    """One terminal of ours. Everything here is bounded, whoever speaks in its name."""

    def __init__(
        self, address: int, key: bytes, random: "Callable[[int], bytes]", heartbeat_s: int, counters: dict[str, int]
    ) -> None:
        if len(key) != mac.KEY_BYTES:
            raise ValueError("a terminal's key has 32 bytes")
        self._address, self._key, self._random = address, messages.Key(key), random
        self._heartbeat_s, self._counters = messages.clamp(heartbeat_s, 1, messages.U16_MAX), counters
        self._confirmed: list[Offer] = []  # the last is the current one
        self._candidates: list[Offer] = []  # oldest first
        self._boots: list[Boot] = []
        self._seen: list[bytes] = []  # nonces of hellos
        self._hello_ms: int | None = None
        self._ask: bytes | None = None
        self._ask_ms: int | None = None
        self._ack_event = 0  # number to acknowledge, 0 for none
        self._ack_heartbeat = 0  # counter to acknowledge, 0 for none

    # --- in ---

    def hello(self, message: "Message", now: int) -> "list[Said]":
        """A terminal, or somebody who has recorded it, wants a session: offer one; nothing else changes yet. Gives a
        messages.Stranger where it is another's key."""
        if not self._key.vouches(message):
            self._count("bad_tag")
            return [messages.Stranger(self._address)]
        for offer in self._open_offers():
            if offer.hello_nonce == message.fields[0]:
                self._welcome_again(offer, now)
                return []
        if self._acceptable(message, now):
            offer = Offer(self._key, message, self._random(mac.NONCE_BYTES))
            keep(self._candidates, offer, CANDIDATES_MAX)
        return []

    def said(self, message: "Message", now: int) -> "list[Said]":
        """What an event or heartbeat brings, as a list of messages.Hello, Event, Heartbeat, Doubt."""
        offer = self._offer_of(message)
        if offer is None:
            return self._unverified(message, now)
        if message.fields[0] != offer.boot or not offer.take(message):
            return self._refuse("replays")
        out: list[Said] = [] if offer in self._confirmed else [self._confirm(offer)]
        if message.type == HEARTBEAT:
            return out + self._heartbeat(offer, message)
        return out + self._event(messages.Event(self._address, *message.fields))

    def acknowledge(self, boot: int, number: int) -> None:
        """The event is safe: tell the terminal, unless it was never delivered here."""
        known = self._boot(boot)
        if known is None or number > known.delivered:
            self._count("acks_unknown")
            return
        known.acknowledged = max(known.acknowledged, number)
        self._plan_ack(boot, number)

    # --- out ---

    def waiting(self) -> bool:
        """Whether there is something to say."""
        if self._ack_heartbeat > 0 or self._ack_event > 0 or self._ask is not None:
            return True
        return any(offer.welcome_due for offer in self._open_offers())

    def poll(self, now: int) -> bytes:
        """All there is to say; each thing is said once, and again when the terminal repeats what it answers."""
        out = b""
        if self._ack_event:
            out += self._send_ack(EVENT, self._ack_event)
            self._ack_event = 0
        if self._ack_heartbeat:
            out += self._send_ack(HEARTBEAT, self._ack_heartbeat)
            self._ack_heartbeat = 0
        for offer in self._open_offers():
            if offer.welcome_due:
                out += self._send_welcome(offer, now)
        if self._ask is not None:
            out += frame.wrap(self._key.seal(ASK, self._address, 0, (self._ask,)))
            self._ask = None
        return out

    def _send_ack(self, type: int, number: int) -> bytes:
        current = self._confirmed[-1]
        if current.sent >= COUNTER_MAX:
            return b""  # a terminal that should have renewed its session long ago
        return frame.wrap(current.seal(ACK, self._address, (type, number)))

    def _send_welcome(self, offer: Offer, now: int) -> bytes:
        offer.welcome_due = False
        offer.welcome_ms = now
        fields = (offer.nonce, self._heartbeat_s)
        return frame.wrap(self._key.seal(WELCOME, self._address, 0, fields, offer.hello_nonce))

    # --- sessions ---

    def _welcome_again(self, offer: Offer, now: int) -> None:
        if offer.welcome_ms is not None and now - offer.welcome_ms < WELCOME_MS_MIN:
            self._count("hellos_limited")
        else:
            offer.welcome_due = True

    def _acceptable(self, message: "Message", now: int) -> bool:
        """Hellos of one boot count up; one that was seen before and led to nothing may be a replay: rationed."""
        nonce, boot = message.fields[:2]
        known = [offer.hello_count for offer in self._candidates if offer.boot == boot]
        known += [entry.hello for entry in self._boots if entry.boot == boot]
        if known and message.counter <= max(known):
            self._count("replays")
            return False
        if nonce not in self._seen:
            keep(self._seen, nonce, SEEN_MAX)
        elif self._hello_ms is not None and now - self._hello_ms < HELLO_MS_MIN:
            self._count("hellos_limited")
            return False
        else:
            self._hello_ms = now
        return True

    def _open_offers(self) -> list[Offer]:
        """Those whose hello may come again."""
        return self._confirmed[-1:] + self._candidates

    def _offer_of(self, message: "Message") -> Offer | None:
        for offer in reversed(self._confirmed):
            if offer.vouches(message):
                return offer
        for offer in reversed(self._candidates):
            if offer.vouches(message):
                return offer
        return None

    def _confirm(self, offer: Offer) -> "messages.Hello":
        """Make a candidate the current session; older candidates go, a newer one may be confirmed yet."""
        self._candidates = self._candidates[self._candidates.index(offer) + 1 :]
        keep(self._confirmed, offer, CONFIRMED_MAX)
        known = self._boot(offer.boot)
        if known is None:
            known = Boot(offer.boot)
            keep(self._boots, known, BOOTS_MAX)
        known.hello = max(known.hello, offer.hello_count)
        self._ack_event = self._ack_heartbeat = 0  # were for the session before
        return messages.Hello(self._address, offer.boot, offer.kind, offer.firmware)

    def _boot(self, boot: int) -> Boot | None:
        for known in self._boots:
            if known.boot == boot:
                return known
        return None

    # --- events ---

    def _event(self, event: "messages.Event") -> "list[Said]":
        known = self._boot(event.boot)
        assert known is not None  # made when its session was confirmed
        if event.number > known.delivered:
            known.delivered = event.number
            return [event]
        self._count("repeats")
        if event.number <= known.acknowledged:
            self._plan_ack(event.boot, event.number)
        return []

    def _plan_ack(self, boot: int, number: int) -> None:
        # A terminal in another boot has another event of this number.
        if self._confirmed and self._confirmed[-1].boot == boot:
            self._ack_event = max(self._ack_event, number)

    def _heartbeat(self, offer: Offer, message: "Message") -> "list[Said]":
        if offer is not self._confirmed[-1]:
            return self._refuse("replays")  # overtaken by a newer session: no sign of life now
        self._ack_heartbeat = message.counter
        return [messages.Heartbeat(self._address, *message.fields)]

    def _unverified(self, message: "Message", now: int) -> "list[Said]":
        """Nothing here vouches for `message`: we may have restarted, or somebody forges or replays."""
        if self._ask_ms is None or now - self._ask_ms >= ASK_MS_MIN:
            self._ask, self._ask_ms = message.tag, now
        if message.type != EVENT:
            return self._refuse("bad_tag")
        boot, number, kind, phase = message.fields[:4]
        known = self._boot(boot)
        if known is not None and number <= known.delivered:
            return self._refuse("replays")
        self._count("bad_tag")
        if not (0 < kind < len(codes.KINDS) and 0 < phase < len(codes.PHASES)):
            return []
        return [messages.Doubt(self._address, boot, number, kind, phase, "bad_tag")]

    def _refuse(self, reason: str) -> "list[Said]":
        self._count(reason)
        return []

    def _count(self, reason: str) -> None:
        self._counters[reason] += 1
