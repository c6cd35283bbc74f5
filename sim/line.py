"""A serial line that loses, repeats, bends and replays what it carries; bytes in, bytes out, the time a parameter."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from random import Random
from typing import Final

from protocol.wire.messages import EVENT

DELIMITER: Final = b"\x00"
FRAME_BYTES_MAX: Final = 256  # four times a frame of the link: more without a delimiter is passed on as it comes
RECORDED_MAX: Final = 64  # frames a listener on the line remembers, to replay them
BURST_BYTES_MAX: Final = 40  # of garbage, longer than the header of any frame
BURSTS_MAX: Final = 64  # in one turn, after a pause however long


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with one direction of a line: shares (0 to 1) of its frames, and bursts of garbage a second."""

    loss: float = 0.0
    repeat: float = 0.0
    flip: float = 0.0  # one bit of the frame turned
    noise: float = 0.0


CLEAN: Final = Faults()


def stream(seed: int, name: str) -> Random:
    """The random stream of one source of chance: adding another source does not reshuffle it."""
    return Random(f"{seed}/{name}")


class Way:
    """One direction of a line. `carry` is to be called with b"" too, at `deadline`, since noise needs no frames."""

    def __init__(self, seed: int, name: str):
        self.faults = CLEAN
        self.counters: Counter[str] = Counter()
        self._random = {source: stream(seed, f"{name}/{source}") for source in ("loss", "repeat", "flip", "noise")}
        self._partial = b""
        self._recorded: deque[bytes] = deque(maxlen=RECORDED_MAX)
        self._replays: list[bytes] = []
        self._noise_ms: int | None = None

    def carry(self, data: bytes, now: int) -> bytes:
        """What comes out at `now` (mono ms) when `data` goes in; an unfinished frame waits for its end."""
        out = b""
        if data:
            *frames, self._partial = (self._partial + data).split(DELIMITER)
            out = b"".join([self._frame(frame) for frame in frames if frame])
            if len(self._partial) > FRAME_BYTES_MAX:
                out, self._partial = out + self._partial, b""
        if self._replays:
            out += b"".join([_delimited(frame) for frame in self._replays])
            self._replays.clear()
        return self._with_noise(out, now)

    def replay(self) -> int:
        """Sends every event frame recorded so far once more, at the next turn; returns how many."""
        # The type is the first byte of a message and never zero, so COBS leaves it second.
        events = [frame for frame in self._recorded if len(frame) > 1 and frame[1] == EVENT]
        self._replays += events
        self.counters["replayed"] += len(events)
        return len(events)

    def deadline(self) -> int | None:
        """When `carry` is due next without new bytes (mono ms), or None."""
        return self._noise_ms if self.faults.noise else None

    def _frame(self, frame: bytes) -> bytes:
        self._recorded.append(frame)
        if self._happens("loss", self.faults.loss):
            return b""
        if self._happens("flip", self.faults.flip):
            frame = _flipped(frame, self._random["flip"])
        return _delimited(frame) * (2 if self._happens("repeat", self.faults.repeat) else 1)

    def _happens(self, source: str, share: float) -> bool:
        # Drawn for each frame whether the fault is on or not: turning one on leaves the others' streams alone.
        happens = self._random[source].random() < share
        if happens:
            self.counters[source] += 1
        return happens

    def _with_noise(self, out: bytes, now: int) -> bytes:
        if not self.faults.noise:
            self._noise_ms = None
            return out
        random = self._random["noise"]
        if self._noise_ms is None:
            self._noise_ms = now + self._pause_ms()
        for _ in range(BURSTS_MAX):
            if self._noise_ms > now:
                return out
            at = random.randint(0, len(out))
            out = out[:at] + random.randbytes(random.randint(1, BURST_BYTES_MAX)) + out[at:]
            self.counters["noise"] += 1
            self._noise_ms += self._pause_ms()
        self._noise_ms = now + self._pause_ms()
        return out

    def _pause_ms(self) -> int:
        return 1 + int(self._random["noise"].expovariate(self.faults.noise) * 1000)


class Line:
    """Both directions of a line: `up` from the terminals to the gateway, `down` back."""

    def __init__(self, seed: int):
        self.up = Way(seed, "line/up")
        self.down = Way(seed, "line/down")

    def set_faults(self, faults: Faults, direction: str = "both") -> None:
        """Puts these faults on "up", "down" or "both", in place of what was there."""
        for name, way in (("up", self.up), ("down", self.down)):
            if direction in (name, "both"):
                way.faults = faults

    def deadline(self) -> int | None:
        """When either direction is due without new bytes (mono ms), or None."""
        due = [at for at in (self.up.deadline(), self.down.deadline()) if at is not None]
        return min(due, default=None)


def _delimited(frame: bytes) -> bytes:
    return DELIMITER + frame + DELIMITER


def _flipped(frame: bytes, random: Random) -> bytes:
    bent = bytearray(frame)
    bent[random.randrange(len(bent))] ^= 1 << random.randrange(8)
    return bytes(bent)
