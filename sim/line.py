"""A serial line that loses, repeats, bends, delays and replays what it carries; bytes in, bytes out, the time a
parameter. docs/faults.md says what each fault stands for."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, NamedTuple

from protocol.wire.messages import EVENT
from sim.chance import ODDS, Chance

DELIMITER: Final = b"\x00"
FRAME_BYTES_MAX: Final = 256  # four times a frame of the link: more without a delimiter is passed on as it comes
RECORDED_MAX: Final = 64  # frames a listener on the line remembers, to replay them
BURST_BYTES_MAX: Final = 40  # of garbage, longer than the header of any frame
BURSTS_MAX: Final = 64  # in one turn, after a pause however long
HELD_BACK_MS_MAX: Final = 500  # a frame held back behind others that do not come
WAITING_MAX: Final = 10_000  # delayed frames: a minute of a full line
MIMIC_MS: Final = 500  # between two frames of a recording that is played back: all of it takes half a minute
STUCK: Final = {"zeros": 0x00, "ones": 0xFF}  # what every byte is read as


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with one direction of a line: shares (0 to 1) are of its frames."""

    loss: float = 0.0
    repeat: float = 0.0
    flip: float = 0.0  # one bit of the frame turned
    noise: float = 0.0  # bursts of garbage a second
    burst_p: float = 0.0  # Gilbert-Elliott: that the line turns bad with a frame,
    burst_r: float = 1.0  # that a bad one turns good,
    burst_loss: float = 1.0  # and what a bad one loses
    reorder: float = 0.0  # held back,
    reorder_by: int = 3  # behind one to so many that come after it
    delay_ms: int = 0  # each frame comes 0 to so much later, and none before the one ahead of it
    truncate: float = 0.0  # the frame's end is missing
    concatenate: float = 0.0  # no delimiter between the frame and the next
    mimic: bool = False  # the recording is played back, again and again
    stuck: int | None = None  # what every byte is read as


CLEAN: Final = Faults()


def faults_of(values: Mapping[str, int | str]) -> Faults:
    """The faults of a step: shares in percent, those of Gilbert-Elliott in permille."""

    def share(name: str, default: int = 0, whole: int = 100) -> float:
        return int(values.get(name, default)) / whole

    return Faults(
        loss=share("loss_pct"),
        repeat=share("repeat_pct"),
        flip=share("flip_pct"),
        noise=share("noise_per_s", whole=1),
        burst_p=share("burst_p_permille", whole=1000),
        burst_r=share("burst_r_permille", 200, 1000),
        burst_loss=share("burst_loss_pct", 100),
        reorder=share("reorder_pct"),
        reorder_by=int(values.get("reorder_by", CLEAN.reorder_by)),
        delay_ms=int(values.get("delay_ms", 0)),
        truncate=share("truncate_pct"),
        concatenate=share("concatenate_pct"),
        stuck=STUCK.get(str(values.get("stuck"))),
    )


def stream(seed: int, name: str) -> Random:
    """The random stream of one source of chance: adding another source does not reshuffle it."""
    return Random(f"{seed}/{name}")


class _Sent(NamedTuple):
    """A frame on its way, due at or, before it is queued, in `due_ms`."""

    due_ms: int
    frame: bytes
    runs_on: bool  # no delimiter behind it


@dataclass(slots=True)
class _HeldBack:
    behind: int  # so many frames are still to overtake it
    until_ms: int
    sent: _Sent


# The lane of chance of each fault, by name and in `Chance.draw`.
_SOURCES: Final = ("loss", "burst", "repeat", "flip", "reorder", "delay", "truncate", "concatenate")
_LOSS, _BURST, _REPEAT, _FLIP, _REORDER, _DELAY, _TRUNCATE, _CONCATENATE = range(8)


def _odds(faults: Faults) -> tuple[float, ...]:
    """What a drawn number must be below for each fault to happen; bursts and delays are reckoned otherwise."""
    shares = (faults.loss, 0, faults.repeat, faults.flip, faults.reorder, 0, faults.truncate, faults.concatenate)
    return tuple([share * ODDS for share in shares])


class Way:
    """One direction of a line. `carry` is to be called with b"" too, at `deadline`: some of it comes by itself."""

    def __init__(self, seed: int, name: str):
        self._faults = CLEAN
        self._odds = _odds(CLEAN)
        self.counters: Counter[str] = Counter()
        self._whether = Chance(seed, f"{name}/whether")
        self._where = Chance(seed, f"{name}/where")
        self._noise = stream(seed, f"{name}/noise")
        self._partial = b""
        self._number = 0  # of the last frame
        self._bad = False  # the state of Gilbert and Elliott's line
        self._held_back: list[_HeldBack] = []
        self._waiting: deque[_Sent] = deque()
        self._last_due_ms = 0
        self._runs_on = False  # the last frame that came out did
        self._recorded: deque[bytes] = deque(maxlen=RECORDED_MAX)
        self._replays: list[bytes] = []
        self._tape: Sequence[bytes] = ()
        self._mimic_ms: int | None = None
        self._noise_ms: int | None = None

    @property
    def faults(self) -> Faults:
        """What is wrong with it now."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = CLEAN if faults == CLEAN else faults  # one that is clean is recognised at a glance
        self._odds = _odds(faults)
        if not faults.noise:
            self._noise_ms = None
        if not faults.mimic:
            self._mimic_ms = None
        if not faults.burst_p:
            self._bad = False

    def carry(self, data: bytes, now: int) -> bytes:
        """What comes out at `now` (mono ms) when `data` goes in; an unfinished frame waits for its end."""
        out = b""
        if data:
            *pieces, self._partial = (self._partial + data).split(DELIMITER)
            frames = [frame for frame in pieces if frame]
            self._recorded.extend(frames)
            if self._faults is CLEAN and not self._busy():
                self._number += len(frames)
                out = b"".join([DELIMITER + frame + DELIMITER for frame in frames])
            else:
                out = b"".join([self._enter(frame, now) for frame in frames])
        if self._faults is not CLEAN or self._busy():
            out += self._leave(now)
        if len(self._partial) > FRAME_BYTES_MAX:
            out, self._partial = out + self._partial, b""
        if self._replays:
            out += b"".join([DELIMITER + frame + DELIMITER for frame in self._replays])
            self._replays.clear()
        return out if self._faults is CLEAN else self._with_what_nobody_sent(out, now)

    def replay(self) -> int:
        """Sends every event frame recorded so far once more, at the next turn; returns how many."""
        # The type is the first byte of a message and never zero, so COBS leaves it second.
        events = [frame for frame in self._recorded if len(frame) > 1 and frame[1] == EVENT]
        self._replays += events
        self.counters["replayed"] += len(events)
        return len(events)

    def deadline(self) -> int | None:
        """When `carry` is due next without new bytes (mono ms), or None."""
        if self._faults is CLEAN and not self._waiting and not self._held_back:
            return None
        due = [held.until_ms for held in self._held_back]
        if self._waiting:
            due.append(self._waiting[0].due_ms)
        if self._faults.noise and self._noise_ms is not None:
            due.append(self._noise_ms)
        if self._faults.mimic and self._mimic_ms is not None:
            due.append(self._mimic_ms)
        return min(due, default=None)

    # --- in ---

    def _busy(self) -> bool:
        """Whether a frame of before is still on its way, or waits for its delimiter."""
        return bool(self._waiting or self._held_back or self._runs_on)

    def _enter(self, frame: bytes, now: int) -> bytes:
        """What becomes of a frame: bytes that come out at once, unless it is queued."""
        self._number += 1
        faults, drawn = self._faults, self._whether.draw(self._number)
        if (faults.burst_p and self._bursts(drawn)) or self._happens(_LOSS, drawn):
            return b""
        if self._happens(_TRUNCATE, drawn) and len(frame) > 1:
            frame = frame[: 1 + self._below(len(frame) - 1, _TRUNCATE)]
        if self._happens(_FLIP, drawn):
            frame = _flipped(frame, self._below(len(frame) * 8, _FLIP))
        runs_on = self._happens(_CONCATENATE, drawn)
        behind = 0
        if self._happens(_REORDER, drawn):
            behind = 1 + self._below(faults.reorder_by, _REORDER)
        later_ms = drawn[_DELAY] * (faults.delay_ms + 1) // ODDS if faults.delay_ms else 0
        times = 2 if self._happens(_REPEAT, drawn) else 1
        if not (behind or later_ms or runs_on or self._busy()):
            return (DELIMITER + frame + DELIMITER) * times
        for _ in range(times):
            if behind:
                sent = _Sent(later_ms, frame, runs_on)
                self._held_back.append(_HeldBack(behind, now + HELD_BACK_MS_MAX, sent))
            else:
                self._send(_Sent(later_ms, frame, runs_on), now)
        return b""

    def _happens(self, source: int, drawn: Sequence[int]) -> bool:
        happens = drawn[source] < self._odds[source]
        if happens:
            self.counters[_SOURCES[source]] += 1
        return happens

    def _below(self, most: int, source: int) -> int:
        return self._where.draw(self._number)[source] * most // ODDS

    def _bursts(self, drawn: Sequence[int]) -> bool:
        """Whether the two-state line loses this frame: E. N. Gilbert 1960, with E. O. Elliott's loss of 1963."""
        faults = self._faults
        turns = (faults.burst_r if self._bad else faults.burst_p) * ODDS > drawn[_BURST]
        self._bad = self._bad != turns
        if not self._bad or self._below(ODDS, _BURST) >= faults.burst_loss * ODDS:
            return False
        self.counters["burst"] += 1
        return True

    def _send(self, sent: _Sent, now: int) -> None:
        self._queue(sent, now)
        for held in self._held_back:
            held.behind -= 1
        self._let_go([held for held in self._held_back if held.behind <= 0], now)

    def _let_go(self, ready: list[_HeldBack], now: int) -> None:
        if ready:
            self._held_back = [held for held in self._held_back if held not in ready]
        for held in ready:
            self._queue(held.sent, now)

    def _queue(self, sent: _Sent, now: int) -> None:
        self._last_due_ms = max(self._last_due_ms, now + sent.due_ms)
        self._waiting.append(sent._replace(due_ms=self._last_due_ms))

    # --- out ---

    def _leave(self, now: int) -> bytes:
        """What is due."""
        self._let_go([held for held in self._held_back if held.until_ms <= now], now)
        pieces = []
        while self._waiting and (self._waiting[0].due_ms <= now or len(self._waiting) > WAITING_MAX):
            sent = self._waiting.popleft()
            pieces.append(sent.frame if self._runs_on else DELIMITER + sent.frame)
            if not sent.runs_on:
                pieces.append(DELIMITER)
            self._runs_on = sent.runs_on
        return b"".join(pieces)

    def _with_what_nobody_sent(self, out: bytes, now: int) -> bytes:
        out = self._with_noise(out + self._mimicked(now), now)
        return out if self._faults.stuck is None else bytes([self._faults.stuck]) * len(out)

    def _mimicked(self, now: int) -> bytes:
        """The next frame of the recording that is played back: all there was when that began."""
        if not self._faults.mimic:
            return b""
        if self._mimic_ms is None:
            self._mimic_ms, self._tape = now, tuple(self._recorded)
        if now < self._mimic_ms:
            return b""
        self._mimic_ms = now + MIMIC_MS
        if not self._tape:
            return b""
        frame = self._tape[self.counters["mimicked"] % len(self._tape)]
        self.counters["mimicked"] += 1
        return DELIMITER + frame + DELIMITER

    def _with_noise(self, out: bytes, now: int) -> bytes:
        if not self._faults.noise:
            return out
        random = self._noise
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
        return 1 + int(self._noise.expovariate(self._faults.noise) * 1000)


class Line:
    """Both directions of a line: `up` from the terminals to the gateway, `down` back."""

    def __init__(self, seed: int):
        self.up = Way(seed, "line/up")
        self.down = Way(seed, "line/down")

    def do(self, action: str, values: Mapping[str, int | str]) -> None:
        """What a step says of the line itself: its faults, `clean`, `replay` or `mimic`."""
        if action == "faults":
            self.set_faults(faults_of(values), str(values.get("direction", "both")))
        elif action == "clean":
            self.set_faults(CLEAN)
        elif action == "mimic":
            for way in (self.up, self.down):
                way.faults = replace(way.faults, mimic=True)
        else:
            self.up.replay()

    def set_faults(self, faults: Faults, direction: str = "both") -> None:
        """Puts these faults on "up", "down" or "both", in place of what was there."""
        for name, way in (("up", self.up), ("down", self.down)):
            if direction in (name, "both"):
                way.faults = faults

    def deadline(self) -> int | None:
        """When either direction is due without new bytes (mono ms), or None."""
        up, down = self.up.deadline(), self.down.deadline()
        return down if up is None else up if down is None else min(up, down)


def _flipped(frame: bytes, bit: int) -> bytes:
    bent = bytearray(frame)
    bent[bit // 8] ^= 1 << bit % 8
    return bytes(bent)
