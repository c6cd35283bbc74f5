"""A played bracelet: its receiver's NMEA 0183 once a second, its key held until acknowledged, its walk and faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final

from gateway.home.fence import OUT, UNCLEAR
from gateway.home.whereabouts import EXIT
from protocol import nmea
from protocol.geo import E7, Position, distance_m
from sim.line import stream
from sim.sides import Sides
from sim.terminals import BATTERY_FULL_PCT, BATTERY_WEAK_PCT, SAMPLES_MAX, Notice, Promise, unnoticed
from sim.walk import HOME, Walk

SECOND_MS: Final = 1000  # between two fixes
STIRRED_MS: Final = 10_000  # after an action of a case, or the end of a walk or a call, before it rests
REPEAT_MS: Final = 2000  # of what is not acknowledged
BATTERY_MS: Final = 60_000  # between two words about the battery, said with a fix
HELD_MAX: Final = 16  # presses of a person in distress; the oldest makes room
GARBLED: Final = 0.5  # of the sentences, while the port is garbled
GO_OUT_M: Final = 300
KINDS: Final = {"sos": "bracelet_sos", "fall": "bracelet_fall"}  # what an action promises
_WORDS: Final = {"bracelet_sos": "SOS", "bracelet_fall": "FALL"}


class Bracelet:
    """Pure: bytes and the time (monotonic ms) in, bytes out; used as sim.terminals.Played is. `utc_ms` is the wall
    clock at mono 0. With a `recording`, the receiver says the next piece of it each second, and then no more. While
    its wearer stays and it holds no call, it has a fix every `rest_ms` only. `fence_m` is the radius of its fence."""

    kind: Final = "bracelet"

    def __init__(
        self,
        name: str,
        seed: int,
        now: int,
        utc_ms: int,
        notice: Notice = unnoticed,
        recording: Sequence[bytes] | None = None,
        rest_ms: int = SECOND_MS,
        fence_m: int | None = None,
    ):
        self.name = name
        self.alive = True
        self.samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES_MAX)  # (mono ms, m) since `watch`
        self.said = 0  # pieces of the recording
        self.pressed_after = 0  # of them, at the last press
        self._recording = recording
        self._notice = notice
        self._utc_ms = utc_ms
        self._random = stream(seed, f"bracelet/{name}")
        self._garble = stream(seed, f"garble/{name}")
        self._scanner = nmea.Scanner()
        self._walk = Walk(stream(seed, f"walk/{name}"), now)
        self._sees = True
        self._watched = False
        self._garbled = False
        self._battery_pct = BATTERY_FULL_PCT
        self._past: list[Promise] = []
        self._second = now + self._random.randrange(SECOND_MS)  # when the next fix is due
        self._rest_ms = rest_ms
        self._walking = False
        self._stirred_ms = now  # when it was last not at rest
        self._sides = Sides(fence_m) if fence_m else None
        self._boot(now)

    def _boot(self, now: int) -> None:
        self._session = self._random.getrandbits(32) or 1
        self._count = 0
        self._held: deque[Promise] = deque()
        self._promises: list[Promise] = []
        self._repeat = self._battery = now

    # --- what is asked of any played terminal ---

    def promises(self) -> list[Promise]:
        """Every event it was asked to deliver, in order, over all of its boots."""
        return self._past + self._promises

    def pending(self) -> int:
        """Events that it still holds and can repeat."""
        return len(self._held) if self.alive else 0

    def online(self) -> bool:
        """It has no session to wait for."""
        return self.alive

    def mute(self) -> bool:
        return not self.alive

    def standing(self) -> frozenset[str]:
        """The kinds of trouble that stand at the bracelet itself, now; and its exit, where its fixes are sure of it."""
        low = {"battery_low"} if self._battery_pct == BATTERY_WEAK_PCT else set()
        return frozenset(low | ({EXIT} if self._sides and self._sides.sure == OUT else set()))

    def unclear(self) -> frozenset[str]:
        """The kinds of which its fixes say neither."""
        return frozenset({EXIT} if self._sides and self._sides.sure == UNCLEAR else ())

    def forget(self) -> None:
        """What its fixes said until now does not count: perhaps nobody heard it."""
        if self._sides is not None:
            self._sides.forget()

    def resting(self) -> bool:
        """Whether its wearer has arrived, as of its last fix."""
        return not (self.alive and self._walking)

    def watch(self) -> None:
        """From now on keeps how far from home its receiver thinks it is, in m, in `samples`."""
        self._watched = True

    def do(self, action: str, now: int, distance_m: int = GO_OUT_M) -> None:
        """One action of a case."""
        self._stir(now)
        match action:
            case "sos" | "fall":
                self._offer(KINDS[action], now)
            case "go_out":
                self._go(distance_m, now)
            case "go_home":
                self._go(0, now)
            case "no_fix" | "fix":
                self._sees = action == "fix"
            case "garble" | "clear":
                self._garbled = action == "garble"
            case "dead" | "alive":
                self.alive = action == "alive"
                self._second = self._repeat = self._battery = now
            case "battery_low":
                self._battery_pct, self._battery = BATTERY_WEAK_PCT, now
            case "battery_changed":
                self._battery_pct = BATTERY_FULL_PCT
                self._reboot(now)

    def hears(self, received: bytes, now: int) -> bool:
        """Take what came from the port; whether a turn is due because of it."""
        texts = self._scanner.feed(received) if self.alive else []
        for text in texts:
            self._hear(text, now)
        return bool(texts)

    def step(self, received: bytes, now: int) -> bytes:
        """One turn; a dead bracelet hears and says nothing."""
        self.hears(received, now)
        if not self.alive:
            return b""
        said = []
        if now >= self._second:
            said += self._receiver(now)
            if now >= self._battery:
                self._battery = now + BATTERY_MS
                said.append(nmea.sentence(f"PSXK,BAT,{self._battery_pct}"))
        if self._held and now >= self._repeat:
            self._repeat = now + REPEAT_MS
            said.append(self._call(self._held[0]))
        return b"".join(self._through_noise(one) for one in said) if self._garbled else b"".join(said)

    def deadline(self, now: int) -> int | None:
        """When the next turn is due without new bytes."""
        if not self.alive:
            return None
        return min(self._second, self._repeat) if self._held else self._second

    # --- the key ---

    def _offer(self, kind: str, now: int) -> None:
        if len(self._held) == HELD_MAX:
            self._end(self._held.popleft(), "crowded", None)
        self._count += 1
        self.pressed_after = self.said
        promise = Promise(self.name, self._session, self._count, kind, "raised", now)
        self._promises.append(promise)
        if not self._held:
            self._repeat = now
        self._held.append(promise)
        self._notice(promise, "offered")

    def _call(self, promise: Promise) -> bytes:
        return nmea.sentence(f"PSXK,{_WORDS[promise.kind]},{promise.boot << 16 | promise.number}")

    def _hear(self, text: str, now: int) -> None:
        head, _, number = text.rpartition(",")
        if head != "PSXK,ACK" or not self._held:
            return
        first = self._held[0]
        if number == str(first.boot << 16 | first.number):
            self._repeat = now  # of the next
            self._end(self._held.popleft(), "", now)

    def _end(self, promise: Promise, gone: str, acknowledged_ms: int | None) -> None:
        promise.gone, promise.acknowledged_ms = gone, acknowledged_ms
        self._notice(promise, gone or "acknowledged")

    def _reboot(self, now: int) -> None:
        for promise in self._held:
            promise.gone = "battery"
        self._past += self._promises
        self._boot(now)

    # --- the receiver ---

    def _receiver(self, now: int) -> list[bytes]:
        self._walking = self._walk.walking(now)
        if self._held or self._walking:
            self._stirred_ms = now
        pause_ms = SECOND_MS if now - self._stirred_ms < STIRRED_MS else self._rest_ms
        self._second += pause_ms * (1 + (now - self._second) // pause_ms)
        if self._recording is not None:
            self.said += 1
            return list(self._recording[self.said - 1 : self.said])
        fix = self._walk.fix(now) if self._sees else None
        if fix is not None:
            self._look(fix, now)
        return located(fix, datetime.fromtimestamp((self._utc_ms + now) / 1000, UTC))

    def _stir(self, now: int) -> None:
        """It rests no more: the next fix is due in a second."""
        self._stirred_ms = now
        self._second = min(self._second, now + SECOND_MS)

    def _go(self, distance_m: int, now: int) -> None:
        self._walk.go(distance_m, now)
        self._walking = self._walk.walking(now)

    def _look(self, fix: Position, now: int) -> None:
        """How far from home that is."""
        away_m = distance_m(HOME, fix)
        if self._watched:
            self.samples.append((now, round(away_m)))
        if self._sides is not None:
            self._sides.fixed(away_m, now)

    def _through_noise(self, said: bytes) -> bytes:
        """A sentence on a bad line."""
        random = self._garble
        return random.choice(_NOISES)(said, random) if random.random() < GARBLED else said


def located(fix: Position | None, when: datetime) -> list[bytes]:
    """RMC and GGA of a receiver of BeiDou alone."""
    time, day = f"{when:%H%M%S}.{when.microsecond // 1000:03d}", f"{when:%d%m%y}"
    if fix is None:
        return [nmea.sentence(f"BDRMC,{time},V,,,,,,,{day},,,N,V"), nmea.sentence(f"BDGGA,{time},,,,,0,00,,,M,,M,,")]
    place = f"{_angle(fix.latitude_e7, 2, 'NS')},{_angle(fix.longitude_e7, 3, 'EW')}"
    hdop = fix.accuracy_dm / nmea.ACCURACY_PER_HDOP_DM
    return [
        nmea.sentence(f"BDRMC,{time},A,{place},0.00,0.00,{day},,,A,V"),
        nmea.sentence(f"BDGGA,{time},{place},{fix.fix},{fix.satellites:02d},{hdop:.2f},45.0,M,-9.0,M,,"),
    ]


def _angle(degrees_e7: int, digits: int, sides: str) -> str:
    """ddmm.mmmmmm and its side."""
    whole, rest = divmod(abs(degrees_e7), E7)
    micro = rest * 6  # 1e-7 degree is 6e-6 minutes
    return f"{whole:0{digits}d}{micro // 1_000_000:02d}.{micro % 1_000_000:06d},{sides[degrees_e7 < 0]}"


def _cut(said: bytes, random: Random) -> bytes:
    return said[: random.randrange(len(said))]


def _bent(said: bytes, random: Random) -> bytes:
    at = random.randrange(len(said) - 2)
    return said[:at] + bytes([said[at] ^ 1 << random.randrange(7)]) + said[at + 1 :]


def _torn(said: bytes, random: Random) -> bytes:
    at = random.randrange(len(said))
    return said[:at] + random.randbytes(8) + said[at:]


def _swapped(said: bytes, random: Random) -> bytes:
    """Two neighbours change places, which the checksum does not see; of a key's number, nobody would."""
    if said.startswith(b"$PSXK"):
        return b""
    at = random.randrange(1, said.index(b"*") - 1)
    return said[:at] + said[at + 1 : at + 2] + said[at : at + 1] + said[at + 2 :]


def _foreign(said: bytes, random: Random) -> bytes:
    return nmea.sentence(random.choice(("BDTXR,1,2,3,4,5", "GBGSV,1,1,01,14,30,200,35,B", "PXXX,?", "ABCDE,1"))) + said


_NOISES: Final = (_cut, _bent, _torn, _swapped, _foreign)
