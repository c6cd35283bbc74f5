"""Frames on the serial line: a CRC behind each, COBS around it, a zero before and after; and the way back."""

import binascii
import struct

from protocol.wire import cobs

RAW_BYTES_MAX = 64  # the longest message, an event with tag and CRC, has 41; the rest is room for later fields
_CODED_BYTES_MAX = RAW_BYTES_MAX + 1  # below 254 bytes COBS adds exactly one
_CRC_BYTES = 4


def wrap(message: bytes) -> bytes:
    """`message` as bytes for the line; the zero in front ends whatever noise came before it."""
    crc = struct.pack(">I", binascii.crc32(message))
    return b"\0" + cobs.encode(message + crc) + b"\0"


class Deframer:
    """Finds messages in a stream of any bytes; holds at most one frame of the longest kind.

    Counts in `counters`: `oversize`, `bad_cobs`, `bad_crc`.
    """

    def __init__(self, counters: dict[str, int]) -> None:
        self._counters = counters
        self._part = b""
        self._skipping = False  # too much came without a zero: nothing counts until the next one

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, with their CRC checked and taken off."""
        messages = []
        pieces = bytes(data).split(b"\0")
        for piece in pieces[:-1]:
            self._take(piece)
            message = self._close()
            if message is not None:
                messages.append(message)
        self._take(pieces[-1])
        return messages

    def _take(self, piece: bytes) -> None:
        if len(self._part) + len(piece) > _CODED_BYTES_MAX:
            self._skipping = True
        self._part = b"" if self._skipping else self._part + piece

    def _close(self) -> bytes | None:
        part, skipped = self._part, self._skipping
        self._part, self._skipping = b"", False
        if skipped:
            return self._refused("oversize")
        if not part:
            return None  # two zeros in a row are the end of one frame and the start of the next
        raw = cobs.decode(part)
        if raw is None or len(raw) <= _CRC_BYTES:
            return self._refused("bad_cobs")
        if struct.unpack(">I", raw[-_CRC_BYTES:])[0] != binascii.crc32(raw[:-_CRC_BYTES]):
            return self._refused("bad_crc")
        return raw[:-_CRC_BYTES]

    def _refused(self, reason: str) -> bytes | None:
        self._counters[reason] += 1
        return None
