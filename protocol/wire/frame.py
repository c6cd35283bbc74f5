"""Frames on the serial line: a CRC behind each, COBS around it, a zero before and after; and the way back."""

import binascii

from protocol.wire import cobs

RAW_BYTES_MAX = 64  # the longest message, an event with tag and CRC, has 41; the rest is room for later fields
_CODED_BYTES_MAX = RAW_BYTES_MAX + 1  # below 254 bytes COBS adds exactly one
_CRC_BYTES = 4
# Where a message's address stands in its frame: behind the first code byte and the type. COBS moves no byte, it only
# puts code bytes in the place of zeros, so that all others can be read where they stand.
_ADDRESS_AT = 2
_ADDRESS_BYTES = 4


def wrap(message: bytes) -> bytes:
    """`message` as bytes for the line; the zero in front ends whatever noise came before it."""
    crc = binascii.crc32(message).to_bytes(_CRC_BYTES, "big")
    return b"\0" + cobs.encode(message + crc) + b"\0"


class Deframer:
    """Finds messages in a stream of any bytes; holds at most one frame of the longest kind and one byte more.

    With an `address`, most frames that are of another are passed over unopened and uncounted: on a line of many that
    is what a terminal hears most. Counts in `counters`: `oversize`, `bad_cobs`, `bad_crc`.
    """

    def __init__(self, counters: dict[str, int], address: int = 0) -> None:
        self._counters = counters
        self._part = b""  # of a frame whose end has not come
        # The last byte of the address that is not zero, and where it stands in a frame of it.
        place, self._mark = _mark(address)
        self._mark_at = _ADDRESS_AT + place

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, with their CRC checked and taken off."""
        messages = []
        pieces = bytes(data).split(b"\0")
        rest = pieces.pop()
        for piece in pieces:
            if self._part:
                piece, self._part = self._part + piece, b""
            if piece:  # two zeros in a row are the end of one frame and the start of the next
                if self._mark and len(piece) > self._mark_at and piece[self._mark_at] != self._mark:
                    continue
                message = self._opened(piece)
                if message is not None:
                    messages.append(message)
        if rest:
            self._part += rest[: _CODED_BYTES_MAX + 1 - len(self._part)]  # the byte more tells that it is too long
        return messages

    def _opened(self, coded: bytes) -> bytes | None:
        if len(coded) > _CODED_BYTES_MAX:
            return self._refused("oversize")
        raw = cobs.decode(coded)
        if raw is None or len(raw) <= _CRC_BYTES:
            return self._refused("bad_cobs")
        message = raw[:-_CRC_BYTES]
        if binascii.crc32(message) != int.from_bytes(raw[-_CRC_BYTES:], "big"):
            return self._refused("bad_crc")
        return message

    def _refused(self, reason: str) -> bytes | None:
        self._counters[reason] += 1
        return None


def _mark(address: int) -> tuple[int, int]:
    """The place in `address` of its last byte that is not zero, and that byte; it is zero where there is none."""
    place = _ADDRESS_BYTES - 1
    while place > 0 and not address & 0xFF:
        address >>= 8
        place -= 1
    return place, address & 0xFF
