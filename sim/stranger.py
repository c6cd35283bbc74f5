"""A talker on the line whom the gateway does not know: a neighbour's unit, or one gone wild."""

from __future__ import annotations

from typing import Final

from protocol.wire import codes, frame, mac, messages
from sim.line import stream

EVERY_MS: Final = 20  # 50 messages a second of 43 bytes: a fifth of a line at 115200 baud
ADDRESS_LEAST: Final = 2**31  # provisioning counts from 1001


class Stranger:
    """Well-formed hellos and smoke alarms under ever new addresses and keys."""

    def __init__(self, seed: int):
        self._random = stream(seed, "stranger")
        self._next_ms = 0

    def step(self, now: int) -> bytes:
        """What it says at `now` (mono ms)."""
        if now < self._next_ms:
            return b""
        self._next_ms = now + EVERY_MS
        address = self._random.randrange(ADDRESS_LEAST, 2**32)
        key, boot = self._random.randbytes(mac.KEY_BYTES), self._random.getrandbits(32)
        if self._random.random() < 0.5:
            body = (self._random.randbytes(mac.NONCE_BYTES), boot, codes.KINDS.index("smoke"), 1)
            return frame.wrap(messages.seal(key, messages.HELLO, address, 1, body))
        smoke, raised = codes.KINDS.index("smoke"), codes.PHASES.index("raised")
        return frame.wrap(messages.seal(key, messages.EVENT, address, 1, (boot, 1, smoke, raised, 0, 900, 0, 100)))

    def deadline(self) -> int:
        """When it will speak next, mono ms."""
        return self._next_ms
