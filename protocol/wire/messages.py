"""The messages of the terminals' serial link: their numbers, layouts and tags, and what a gateway end hands out.

A message is `type u8 | address u32 | counter u32 | body | tag 8`, big endian; each type has one body of one length.
"""

import struct
from collections import namedtuple

from protocol.wire.mac import TAG_BYTES, Keyed, same

HELLO = 1  # terminal: nonce, boot, kind, firmware; its counter counts the hellos of this boot
WELCOME = 2  # gateway: nonce, heartbeat_s
EVENT = 3  # terminal
HEARTBEAT = 4  # terminal
ACK = 5  # gateway: EVENT and the event's number, or HEARTBEAT and its counter
ASK = 6  # gateway: "I cannot verify the message with this tag: hello, please"

_HEADER = ">BII"
_LAYOUTS = {  # of all but the tag
    HELLO: _HEADER + "8sIBH",
    WELCOME: _HEADER + "8sH",
    EVENT: _HEADER + "IIBBIiBB",
    HEARTBEAT: _HEADER + "IBBiB",
    ACK: _HEADER + "BI",
    ASK: _HEADER + "8s",
}
_SIZES = {type: struct.calcsize(layout) + TAG_BYTES for type, layout in _LAYOUTS.items()}
_FROM_TERMINAL = (HELLO, EVENT, HEARTBEAT)
# In front of what a tag vouches for: the direction, so that nothing can be reflected to the one who said it.
_LABELS = {type: b"sixkit/1 t>g" if type in _FROM_TERMINAL else b"sixkit/1 g>t" for type in _LAYOUTS}

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
# A well-formed hello of somebody who cannot be let in: an address that is not on the roster, or another key than its.
Stranger = namedtuple("Stranger", ("address",))

TYPE_CHECKING = False  # MicroPython has no typing module; type checkers take this name for true
if TYPE_CHECKING:
    Said = Hello | Event | Heartbeat | Doubt | Stranger


def clamp(value: int, least: int, most: int) -> int:
    """`value`, or the nearer limit; struct would raise on CPython and wrap on MicroPython."""
    if value < least:
        return least
    return most if value > most else value


def from_terminal(type: int) -> bool:
    """Whether a terminal says this; what a gateway says is not answered by another end of its own sort."""
    return type in _FROM_TERMINAL


class Key(Keyed):
    """A key of a terminal or of a session, ready to seal messages and to vouch for them."""

    def seal(self, type: int, address: int, counter: int, fields: tuple[object, ...], context: bytes = b"") -> bytes:
        """A message with its tag; `context` is vouched for too but not sent."""
        signed = struct.pack(_LAYOUTS[type], type, address, counter, *fields)
        return signed + self.hmac_sha256(_LABELS[type] + signed + context)[:TAG_BYTES]

    def vouches(self, message: "Message", context: bytes = b"") -> bool:
        """Whether `message` was sealed under this key with `context`."""
        code = self.hmac_sha256(_LABELS[message.type] + message.signed + context)
        return same(message.tag, code[:TAG_BYTES])


def seal(key: bytes, type: int, address: int, counter: int, fields: tuple[object, ...], context: bytes = b"") -> bytes:
    """A message under a key that is used once; see `Key.seal`."""
    return Key(key).seal(type, address, counter, fields, context)


def vouches(key: bytes, message: "Message", context: bytes = b"") -> bool:
    """Whether `message` was sealed under a key that is used once; see `Key.vouches`."""
    return Key(key).vouches(message, context)


def parse(data: bytes) -> "Message | None":
    """The message in `data`, not yet verified; None where it has an unknown type or another length than its type's."""
    if not data or len(data) != _SIZES.get(data[0]):
        return None
    values = struct.unpack_from(_LAYOUTS[data[0]], data)
    type, address, counter = values[:3]
    return Message(type, address, counter, values[3:], data[:-TAG_BYTES], data[-TAG_BYTES:])
