"""Plays vectors.json against both ends of the terminals' link; the same file runs on CPython and on MicroPython.

Prints one line when all is as recorded, raises AssertionError at the first step that differs.
"""

import binascii
import hashlib
import json

from protocol.wire import cobs, mac
from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.terminal_end import TerminalEnd


def stream(seed):
    """A function that gives n bytes at a time of a sequence that only the seed decides."""
    count = [0]

    def random(n):
        out = b""
        while len(out) < n:
            count[0] += 1
            out += hashlib.sha256((seed + " " + str(count[0])).encode()).digest()
        return out[:n]

    return random


def hexed(data):
    return binascii.hexlify(data).decode()


class Player:
    """Two ends and what a step of the script does to them."""

    def __init__(self):
        self.terminal = None
        self.gateway = None

    def play(self, step):
        """What comes of `step`, as JSON would have it: a list whose first items are the call and its arguments."""
        call, arguments = step[0], step[1:]
        return getattr(self, call)(*arguments)

    def new_terminal(self, seed, address, kind, key, now):
        self.terminal = TerminalEnd(address, kind, binascii.unhexlify(key), stream(seed), now)
        return self.terminal.boot

    def new_gateway(self, seed, address, key, heartbeat_s):
        self.gateway = GatewayEnd({address: binascii.unhexlify(key)}, stream(seed), heartbeat_s)
        return self.gateway.deadline()

    def offer(self, kind, phase, value, now):
        return self.terminal.offer(kind, phase, value, now)

    def conditions(self, bits, battery_pct, value):
        return self.terminal.conditions(bits, battery_pct, value)

    def terminal_polls(self, now):
        return hexed(self.terminal.poll(now))

    def terminal_gets(self, data, now):
        self.terminal.receive(binascii.unhexlify(data), now)
        return [self.terminal.pending(), self.terminal.online(), self.terminal.deadline()]

    def terminal_counts(self):
        return sorted([reason, n] for reason, n in self.terminal.counters.items() if n)

    def gateway_gets(self, data, now):
        return [list(said) for said in self.gateway.receive(binascii.unhexlify(data), now)]

    def acknowledge(self, address, boot, number):
        return self.gateway.acknowledge(address, boot, number)

    def gateway_polls(self, now):
        return hexed(self.gateway.poll(now))

    def gateway_counts(self):
        return sorted([reason, n] for reason, n in self.gateway.counters.items() if n)

    def encodes(self, data):
        return hexed(cobs.encode(binascii.unhexlify(data)))

    def decodes(self, data):
        plain = cobs.decode(binascii.unhexlify(data))
        return None if plain is None else hexed(plain)

    def authenticates(self, key, message):
        return hexed(mac.hmac_sha256(binascii.unhexlify(key), binascii.unhexlify(message)))


def check(vectors):
    player = Player()
    for place, (step, expected) in enumerate(vectors):
        result = player.play(step)
        assert result == expected, "step %d, %s: %s, recorded %s" % (place, step, result, expected)  # noqa: UP031
    return len(vectors)


if __name__ == "__main__":
    with open("vectors.json") as file:
        print("wire: %d steps as recorded" % check(json.load(file)))  # noqa: UP031
