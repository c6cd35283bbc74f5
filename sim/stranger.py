"""A talker on the line who is none of the home's: a neighbour's unit, one gone wild, one not enrolled, a forger."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from protocol.wire import codes, frame, mac, messages
from sim.line import stream

MANNERS: Final = ("babble", "knock", "pose", "forge")
EVERY_MS: Final = 20  # 50 messages a second of 43 bytes: a fifth of a line at 115200 baud
KNOCK_MS: Final = 5_000  # a terminal without a session says hello so often
ADDRESS_LEAST: Final = 2**31  # provisioning counts from 1001


class Stranger:
    """In one of MANNERS: to `babble` hellos and smoke alarms under ever new addresses and keys, to `knock` with hellos
    under one address that is not on the roster, to `pose` as the first that is (of `addresses`) with hellos under
    another key, to `forge` heartbeats in the names of all of them."""

    def __init__(self, seed: int, manner: str = "babble", addresses: Sequence[int] = ()):
        self._random = stream(seed, "stranger")
        self._addresses = addresses
        self._every_ms, self._say = {
            "babble": (EVERY_MS, self._babble),
            "knock": (KNOCK_MS, self._knock),
            "pose": (KNOCK_MS, self._pose),
            "forge": (EVERY_MS, self._forge),
        }[manner]
        self._next_ms = 0

    def step(self, now: int) -> bytes:
        """What it says at `now` (mono ms)."""
        if now < self._next_ms:
            return b""
        self._next_ms = now + self._every_ms
        return frame.wrap(self._say(self._random))

    def deadline(self) -> int:
        """When it will speak next, mono ms."""
        return self._next_ms

    def _babble(self, random: Random) -> bytes:
        address = random.randrange(ADDRESS_LEAST, 2**32)
        key, boot = random.randbytes(mac.KEY_BYTES), random.getrandbits(32)
        if random.random() < 0.5:
            return _hello(random, key, address, boot)
        smoke, raised = codes.KINDS.index("smoke"), codes.PHASES.index("raised")
        return messages.seal(key, messages.EVENT, address, 1, (boot, 1, smoke, raised, 0, 900, 0, 100))

    def _knock(self, random: Random) -> bytes:
        return _hello(random, bytes(mac.KEY_BYTES), ADDRESS_LEAST, 1)

    def _pose(self, random: Random) -> bytes:
        return _hello(random, bytes(mac.KEY_BYTES), self._addresses[0], 1)

    def _forge(self, random: Random) -> bytes:
        key, boot = random.randbytes(mac.KEY_BYTES), random.getrandbits(32)
        return messages.seal(key, messages.HEARTBEAT, random.choice(self._addresses), 1, (boot, 0, 100, 0, 0))


def _hello(random: Random, key: bytes, address: int, boot: int) -> bytes:
    body = (random.randbytes(mac.NONCE_BYTES), boot, codes.KINDS.index("smoke"), 1)
    return messages.seal(key, messages.HELLO, address, 1, body)
