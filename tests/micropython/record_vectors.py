"""Writes vectors.json: a life of one terminal on the link, recorded step by step on CPython.

    PYTHONPATH=. python tests/micropython/record_vectors.py

Run it when the wire is meant to change; a change in the file that nobody meant is a break with boards in the field.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from check_wire import Player  # noqa: E402

ADDRESS = 4_000_001_001  # more than 31 bits: a heap integer on a board
KEY = bytes(range(32)).hex()
SMOKE, BUTTON, TAMPER, RAISED, RESTORED = 1, 5, 8, 1, 3


class Recorder:
    """Plays steps and keeps them with what came of them."""

    def __init__(self) -> None:
        self.player = Player()
        self.vectors: list[list[Any]] = []

    def do(self, *step: Any) -> Any:
        result = self.player.play(list(step))
        self.vectors.append([list(step), result])
        return result

    def turn(self, now: int, safe: bool = True) -> None:
        """The terminal speaks, the gateway answers; each event is safe at once where `safe` says so."""
        for said in self.do("gateway_gets", self.do("terminal_polls", now), now):
            if len(said) == 9 and safe:
                self.do("acknowledge", *said[:3])
        self.do("terminal_gets", self.do("gateway_polls", now), now)


def primitives(recorder: Recorder, random: Random) -> None:
    for plain in (b"", b"\0", b"\0\1\0", b"x" * 254, b"x" * 255, *(random.randbytes(n) for n in (7, 64, 300))):
        recorder.do("decodes", recorder.do("encodes", plain.hex()))
    for broken in ("", "00", "05aa", "020000"):
        recorder.do("decodes", broken)
    recorder.do("authenticates", "0b" * 20, b"Hi There".hex())  # RFC 4231, test case 1
    recorder.do("authenticates", "aa" * 131, random.randbytes(200).hex())


def life(recorder: Recorder, random: Random) -> None:
    recorder.do("new_gateway", "gateway one", ADDRESS, KEY, 30)
    recorder.do("new_terminal", "boot one", ADDRESS, SMOKE, KEY, 1_000)
    recorder.turn(1_000)
    recorder.turn(1_010)
    recorder.do("conditions", 9, 88, -7)
    recorder.do("offer", SMOKE, RAISED, 1 << 40, 2_000)
    recorder.do("offer", SMOKE, RESTORED, -(1 << 40), 2_100)
    recorder.turn(2_100, safe=False)
    recorder.turn(2_700)  # a repeat, not yet safe
    recorder.do("acknowledge", ADDRESS, recorder.player.terminal.boot, 1)
    for now in (2_710, 2_720, 2_730):
        recorder.turn(now)
    noise(recorder, random)
    recorder.do("new_gateway", "gateway two", ADDRESS, KEY, 30)
    recorder.do("offer", BUTTON, RAISED, 1, 5_000_000_000)
    for now in range(5_000_000_000, 5_000_000_050, 10):
        recorder.turn(now)
    recorder.do("new_terminal", "boot two", ADDRESS, SMOKE, KEY, 5_000_001_000)
    for _ in range(40):
        recorder.do("offer", TAMPER, RAISED, 0, 5_000_001_000)
    for now in range(5_000_001_000, 5_000_001_040, 10):
        recorder.turn(now)
    recorder.do("terminal_counts")
    recorder.do("gateway_counts")


def noise(recorder: Recorder, random: Random) -> None:
    for size in (1, 3, 70, 200):
        recorder.do("terminal_gets", random.randbytes(size).hex(), 3_000)
        recorder.do("gateway_gets", random.randbytes(size).hex(), 3_000)
    recorder.do("gateway_gets", "00", 3_000)
    recorder.do("terminal_gets", "00", 3_000)


def record() -> list[list[Any]]:
    recorder, random = Recorder(), Random(20260101)
    primitives(recorder, random)
    life(recorder, random)
    return recorder.vectors


def text() -> str:
    """One step a line, so that a difference can be read."""
    return "[\n" + ",\n".join(json.dumps(vector) for vector in record()) + "\n]\n"


if __name__ == "__main__":
    (HERE / "vectors.json").write_text(text())
