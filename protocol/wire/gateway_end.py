"""The gateway's end of one serial line: bytes and the time in, what the terminals say and bytes for them out."""

from protocol.wire import frame, messages
from protocol.wire.peer import Peer

TYPE_CHECKING = False  # MicroPython has no typing module; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.wire.messages import Said

COUNTERS = (
    "oversize",  # more bytes without a zero than any frame has
    "bad_cobs",
    "bad_crc",
    "bad_form",  # unknown type, wrong length
    "not_ours",  # says what only gateways say: an echo, or another gateway on the line
    "foreign",  # of an address that is not on the roster
    "bad_tag",
    "replays",  # authentic once, but not fresh
    "repeats",  # a terminal's own, while it waits for its acknowledgement
    "hellos_limited",
    "acks_unknown",  # the caller acknowledged what was not delivered here
)


class GatewayEnd:
    """One port with any number of terminals; `keys` has each one's 32-byte key by its address.

    `now` is in ms and must not run backwards; `random(n)` gives n bytes fit for keys; `counters` counts by reason
    what came in and was refused. `heartbeat_s`, from 1 to 65535, is asked of every terminal.
    """

    def __init__(self, keys: dict[int, bytes], random: "Callable[[int], bytes]", heartbeat_s: int = 60) -> None:
        self.counters = dict.fromkeys(COUNTERS, 0)
        self._deframer = frame.Deframer(self.counters)
        self._peers = {address: Peer(address, key, random, heartbeat_s, self.counters) for address, key in keys.items()}
        self._stirred: dict[int, Peer] = {}  # since the last `poll`; nobody else has anything to be told
        self._now = 0

    def receive(self, data: bytes, now: int) -> "list[Said]":
        """What any bytes from the line bring: messages.Hello, Event, Heartbeat, Doubt, Stranger; never raises.

        An Event is given once; a Hello comes when a session is proved, just before what proves it.
        """
        self._now = now
        out: list[Said] = []
        for raw in self._deframer.feed(data):
            out += self._message(raw, now)
        return out

    def acknowledge(self, address: int, boot: int, number: int) -> None:
        """The event is safe: the next `poll` tells its terminal, and each later repeat is answered at once."""
        peer = self._peers.get(address)
        if peer is None:
            self.counters["acks_unknown"] += 1
            return
        self._stirred[address] = peer
        peer.acknowledge(boot, number)

    def poll(self, now: int) -> bytes:
        """What to write to the line now."""
        out = b""
        if self._stirred:
            for address, peer in self._peers.items():  # in their own order
                if address in self._stirred:
                    out += peer.poll(now)
            self._stirred = {}
        return out

    def deadline(self) -> int | None:
        """When `poll` is due in ms: the past if it is, None while nothing waits."""
        return self._now if any(peer.waiting() for peer in self._stirred.values()) else None

    def _message(self, raw: bytes, now: int) -> "list[Said]":
        message = messages.parse(raw)
        if message is None:
            return self._refuse("bad_form")
        if not messages.from_terminal(message.type):
            return self._refuse("not_ours")
        peer = self._peers.get(message.address)
        if peer is None:
            self.counters["foreign"] += 1
            return [messages.Stranger(message.address)] if message.type == messages.HELLO else []
        self._stirred[message.address] = peer
        if message.type != messages.HELLO:
            return peer.said(message, now)
        return peer.hello(message, now)

    def _refuse(self, reason: str) -> "list[Said]":
        self.counters[reason] += 1
        return []
