"""The messages of the terminals' serial link: their numbers, layouts and tags, and what a gateway end hands out.

A message is `type u8 | address u32 | counter u32 | body | tag 8`, big endian; each type has one body of one length.
"""

import struct
from collections import namedtuple

from protocol.wire import mac

HELLO = 1  # terminal: nonce, boot, kind, firmware; its counter counts the hellos of this boot
WELCOME = 2  # gateway: nonce, heartbeat_s
EVENT = 3  # terminal
HEARTBEAT = 4  # terminal
ACK = 5  # gateway: EVENT and the event's number, or HEARTBEAT and its counter
ASK = 6  # gateway: "I cannot verify the message with this tag: hello, please"

_HEADER = ">BII"
_HEADER_BYTES = 9
_BODIES = {
    HELLO: ">8sIBH",
    WELCOME: ">8sH",
    EVENT: ">IIBBIiBB",
    HEARTBEAT: ">IBBiB",
    ACK: ">BI",
    ASK: ">8s",
}
_FROM_TERMINAL = (HELLO, EVENT, HEARTBEAT)

U8_MAX = 0xFF
U16_MAX = 0xFFFF
U32_MAX = 0xFFFFFFFF
I32_MIN = -0x80000000
I32_MAX = 0x7FFFFFFF

# One message as it came: `fields` of its body, `signed` the bytes that `tag` vouches for.
Message = namedtuple("Message", ("type", "address", "counter", "fields", "signed", "tag"))

# What a gateway end hands out; kinds, phases and conditions are the numbers of protocol.wire.codes.
# A session has begun: this terminal, in this boot, has proved that it is there now.
Hello = namedtuple("Hello", ("address", "boot", "kind", "firmware"))
# (boot, number) names the event for ever; `age_ms` is since it happened; `value` is the sensor's.
Event = namedtuple("Event", ("address", "boot", "number", "kind", "phase", "age_ms", "value", "conditions", "battery"))
# `pending`: events that the terminal holds.
Heartbeat = namedtuple("Heartbeat", ("address", "boot", "conditions", "battery", "value", "pending"))
# An event in the name of a terminal of ours that nothing here can verify; `reason` is a counter's name.
Doubt = namedtuple("Doubt", ("address", "boot", "number", "kind", "phase", "reason"))

TYPE_CHECKING = False  # MicroPython has no typing module; type checkers take this name for true
if TYPE_CHECKING:
    Said = Hello | Event | Heartbeat | Doubt


def clamp(value: int, least: int, most: int) -> int:
    """`value`, or the nearer limit; struct would raise on CPython and wrap on MicroPython."""
    return max(least, min(most, value))


def from_terminal(type: int) -> bool:
    """Whether a terminal says this; what a gateway says is not answered by another end of its own sort."""
    return type in _FROM_TERMINAL


def seal(key: bytes, type: int, address: int, counter: int, fields: tuple[object, ...], context: bytes = b"") -> bytes:
    """A message with its tag under `key`; `context` is vouched for too but not sent."""
    signed = struct.pack(_HEADER, type, address, counter) + struct.pack(_BODIES[type], *fields)
    return signed + _tag(key, type, signed, context)


def vouches(key: bytes, message: "Message", context: bytes = b"") -> bool:
    """Whether `message` was sealed under `key` with `context`."""
    return mac.same(message.tag, _tag(key, message.type, message.signed, context))


def parse(data: bytes) -> "Message | None":
    """The message in `data`, not yet verified; None where it has an unknown type or another length than its type's."""
    if len(data) < _HEADER_BYTES:
        return None
    type, address, counter = struct.unpack(_HEADER, data[:_HEADER_BYTES])
    layout = _BODIES.get(type)
    if layout is None or len(data) != _HEADER_BYTES + struct.calcsize(layout) + mac.TAG_BYTES:
        return None
    signed, tag = data[: -mac.TAG_BYTES], data[-mac.TAG_BYTES :]
    return Message(type, address, counter, struct.unpack(layout, signed[_HEADER_BYTES:]), signed, tag)


def _tag(key: bytes, type: int, signed: bytes, context: bytes) -> bytes:
    # The direction is in the label, so that nothing can be reflected to the one who said it.
    label = b"sixkit/1 t>g" if from_terminal(type) else b"sixkit/1 g>t"
    return mac.hmac_sha256(key, label + signed + context)[: mac.TAG_BYTES]
