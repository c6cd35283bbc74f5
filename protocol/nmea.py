"""What a GNSS receiver in a bracelet says: bytes to NMEA 0183 sentences, sentences to fixes, and the bracelet's key.

Fields are split by pynmea2 and judged here: its own `is_valid` and its coordinates take what no receiver means.
Sentences of ours, with the manufacturer's mnemonic SXK (n is an integer, see `Key`):

    $PSXK,SOS,<n>*hh    the key was pressed; repeated until $PSXK,ACK,<n>*hh is written back
    $PSXK,FALL,<n>*hh   a fall was felt; likewise
    $PSXK,BAT,<pct>*hh  how full the battery is
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import reduce
from math import hypot, isfinite
from operator import xor
from typing import Any, Final, NamedTuple

import pynmea2

from protocol.geo import E7, LATITUDE_E7_MAX, LONGITUDE_E7_MAX, Position, distance_m

SENTENCE_BYTES_MAX: Final = 120  # from $ to *hh: NMEA allows 82, receivers with many constellations exceed it
TALKERS: Final = ("GN", "BD", "GB", "PQ", "GP", "GL", "GA", "GI", "GQ")  # BD, GB, PQ: BeiDou, by three customs
AGREE_M: Final = 5.0  # RMC and GGA of one moment are one solution, rounded at most to 0.2 m
ACCURACY_PER_HDOP_DM: Final = 50  # user range error of 5 m, which HDOP multiplies
GST_MS_MAX: Final = 5_000  # what a GST said holds for so long
ROLLOVER_DAYS: Final = 7168  # 1024 weeks: a receiver that lost count of GPS weeks is wrong by a multiple of it
DATE_DAYS_MAX: Final = 2  # a date off by more than this is wrong
KEY_MAX: Final = 2**48 - 1

_MEASURED_MODES: Final = ("", "A", "D", "R", "F", "P")  # of RMC, as far as it has one; E, M and S are not measured
_MEASURED_QUALITIES: Final = (1, 2, 3, 4, 5)  # of GGA; 6, 7 and 8 are estimated, manual and simulated
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]*")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{2}")
_TIME: Final = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(?:\.(\d{1,9}))?")  # 60: a leap second
_LATITUDE: Final = re.compile(r"(\d{2})([0-5]\d(?:\.\d{1,9})?)")
_LONGITUDE: Final = re.compile(r"(\d{3})([0-5]\d(?:\.\d{1,9})?)")
_DATE: Final = re.compile(r"(\d{2})(\d{2})(\d{2})")
_OURS: Final = re.compile(r"PSXK,(SOS|FALL|BAT),(\d{1,15})")


def checksum(text: bytes) -> int:
    """The XOR of all characters between $ and *."""
    return reduce(xor, text, 0)


def sentence(text: str) -> bytes:
    """The sentence for `text` (ASCII, without $ and *), with its checksum and the end of its line."""
    return b"$%s*%02X\r\n" % (text.encode("ascii"), checksum(text.encode("ascii")))


def acknowledgement(number: int) -> bytes:
    """What is written back to a key's event `number` once it is safe."""
    return sentence(f"PSXK,ACK,{number}")


class Scanner:
    """Finds sentences in any bytes, however they are split; keeps at most one unfinished sentence. `counters` counts
    by reason what began as a sentence and was none."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._open: bytes | None = None  # what came since the last $, while it may still become a sentence

    def feed(self, data: bytes) -> list[str]:
        """The sentences that `data` completes, without $ and checksum."""
        first, *pieces = data.split(b"$")
        found: list[str] = []
        if self._open is not None:
            pieces.insert(0, self._open + first)
        for number, piece in enumerate(pieces, 1):
            self._open = None
            self._judge(piece, number == len(pieces), found)
        return found

    def _judge(self, piece: bytes, last: bool, found: list[str]) -> None:
        """What follows a $, up to the next one or so far. Decided by the same bytes however they came in."""
        match = _PRINTABLE.match(piece)
        body = piece[: match.end()] if match else b""
        star = body.find(b"*")
        if star >= 0 and star + 4 <= SENTENCE_BYTES_MAX and star + 3 <= len(body):
            self._check(body[:star], body[star + 1 : star + 3], found)
        elif len(body) >= SENTENCE_BYTES_MAX:
            self.counters["oversize"] += 1
        elif len(body) == len(piece) and last:
            self._open = piece
        elif body:  # nothing between two $ is a habit of some receivers
            self.counters["truncated"] += 1

    def _check(self, text: bytes, digits: bytes, found: list[str]) -> None:
        if _HEX.fullmatch(digits) and int(digits, 16) == checksum(text):
            found.append(text.decode("ascii"))
        else:
            self.counters["bad_checksum"] += 1


class Key(NamedTuple):
    """The bracelet's key or its sensor of falls. `number` is the boot of the bracelet, drawn at random from 1 to
    2^32 - 1 (0 where it keeps its count over all its life), times 65536, plus its count of events in that boot, from 1
    on: so a bracelet that starts anew is not taken for one that repeats itself."""

    kind: str  # "bracelet_sos" or "bracelet_fall"
    number: int

    @property
    def source(self) -> tuple[int, int]:
        """Boot and event number."""
        return self.number >> 16, self.number & 0xFFFF


class Battery(NamedTuple):
    """How full the battery is."""

    pct: int


class Located(NamedTuple):
    """What one RMC or GGA says: a position (None: it knows of none) at a time of the day."""

    type: str
    time_ms: int  # UTC, since midnight; a leap second is the 86 400th of its day
    position: Position | None
    day: date | None = None  # of an RMC, as far as it says a day that exists


class Spread(NamedTuple):
    """What a GST says of the error."""

    accuracy_dm: int


class Refused(Exception):
    """This sentence says nothing that can be used; `reason` is a short word to count by."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def parse(text: str) -> Key | Battery | Located | Spread:
    """What the sentence `text` (as Scanner finds it) says. Raises Refused for any that is of no use here."""
    if text.startswith("PSXK,"):
        return _ours(text)
    address = text.partition(",")[0]
    read = _READERS.get(address[2:])
    if read is None or address[:2] not in TALKERS:
        raise Refused("unused")  # GSV, VTG, what others have invented, and the RDSS messages that pynmea2 knows none of
    plain = f"GN{text[2:]}"  # PQ would be taken for a manufacturer's
    try:
        return read(pynmea2.parse(f"${plain}*{checksum(plain.encode()):02X}", check=True))
    except (pynmea2.ParseError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Refused("malformed") from error


def _ours(text: str) -> Key | Battery:
    found = _OURS.fullmatch(text)
    number = int(found[2]) if found else -1
    if found and found[1] == "BAT" and number <= 100:
        return Battery(number)
    if found and found[1] != "BAT" and number <= KEY_MAX and number & 0xFFFF:
        return Key("bracelet_sos" if found[1] == "SOS" else "bracelet_fall", number)
    raise Refused("malformed")


def _rmc(said: Any) -> Located:
    time_ms = _time_ms(said.data[0])
    if said.data[1] != "A":
        return Located("RMC", time_ms, None)
    mode = said.data[11] if len(said.data) > 11 else ""
    if mode == "N":
        return Located("RMC", time_ms, None)
    if mode not in _MEASURED_MODES:
        raise Refused("not_measured")
    return Located("RMC", time_ms, _position(said), _day(said.data[8]))


def _gga(said: Any) -> Located:
    time_ms = _time_ms(said.data[0])
    quality = _count(said.data[5])
    satellites = _count(said.data[6])
    if not quality or not satellites:  # some receivers go on with the last position, and 00 satellites
        return Located("GGA", time_ms, None)
    if quality not in _MEASURED_QUALITIES:
        raise Refused("not_measured")
    accuracy_dm = round(_real(said.data[7]) * ACCURACY_PER_HDOP_DM)
    position = _position(said)._replace(fix=quality, satellites=satellites, accuracy_dm=accuracy_dm)
    return Located("GGA", time_ms, position)


def _gst(said: Any) -> Spread:
    return Spread(round(hypot(_real(said.data[5]), _real(said.data[6])) * 10))


_READERS: Final[dict[str, Callable[[Any], Located | Spread]]] = {"RMC": _rmc, "GGA": _gga, "GST": _gst}


def _position(said: Any) -> Position:
    latitude_e7 = _degrees_e7(_LATITUDE, said.lat, said.lat_dir, "NS")
    longitude_e7 = _degrees_e7(_LONGITUDE, said.lon, said.lon_dir, "EW")
    if abs(latitude_e7) > LATITUDE_E7_MAX or abs(longitude_e7) > LONGITUDE_E7_MAX:
        raise Refused("out_of_range")
    if latitude_e7 == longitude_e7 == 0:  # in the sea off Ghana: nobody is there, and many receivers without a fix
        raise Refused("zero_zero")
    return Position(latitude_e7, longitude_e7)


def _degrees_e7(pattern: re.Pattern[str], text: str, side: str, sides: str) -> int:
    found = pattern.fullmatch(text)
    if found is None or side not in sides or len(side) != 1:
        raise Refused("bad_coordinate")
    degrees_e7 = int(found[1]) * E7 + round(float(found[2]) * E7 / 60)
    return degrees_e7 if side == sides[0] else -degrees_e7


def day_ms(text: str) -> int | None:
    """The ms since midnight of "hhmmss.sss", a leap second included; None: it is no time of a day."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int((found[4] or "0").ljust(3, "0")[:3])


def _time_ms(text: str) -> int:
    time_ms = day_ms(text)
    if time_ms is None:
        raise Refused("bad_time")
    return time_ms


def _day(text: str) -> date | None:
    found = _DATE.fullmatch(text)
    try:
        return date(2000 + int(found[3]), int(found[2]), int(found[1])) if found else None
    except ValueError:
        return None


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 0


def _real(text: str) -> float:
    """A number that is none is unknown, and so is one that no receiver means."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if isfinite(value) and 0 <= value < 1000 else 0.0


def date_fault(day: date, arrival_ms: int) -> str | None:
    """What is wrong with the day that a receiver says, beside the wall clock (ms since 1970 UTC) at its arrival:
    "date_rolled_over" where it is a multiple of 1024 weeks, "date_wrong" for anything else; None: nothing. It is only
    counted: the moment of a fix is that of its arrival."""
    off_days = abs((day - datetime.fromtimestamp(arrival_ms / 1000, UTC).date()).days)
    if off_days <= DATE_DAYS_MAX:
        return None
    beside = (off_days + ROLLOVER_DAYS // 2) % ROLLOVER_DAYS - ROLLOVER_DAYS // 2
    return "date_rolled_over" if abs(beside) <= DATE_DAYS_MAX else "date_wrong"


class Receiver:
    """The sentences of one receiver to fixes: at most one for each moment that it measures. Where RMC and GGA speak of
    the same moment they must agree, for a checksum does not see two characters change places; what stands alone is
    taken when the next moment begins. `counters` counts what was refused."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._time_ms: int | None = None
        self._said: dict[str, Position | None] = {}
        self._arrived_ms = 0  # of what has not become a fix yet
        self._told = False
        self._accuracy_dm = 0
        self._accuracy_until_ms = 0

    def take(self, said: Located | Spread, now_ms: int) -> Position | None:
        """The fix that is complete with `said`, which came at `now_ms`; its age is that of its arrival."""
        if isinstance(said, Spread):
            self._accuracy_dm, self._accuracy_until_ms = said.accuracy_dm, now_ms + GST_MS_MAX
            return None
        alone = None
        if said.time_ms != self._time_ms:
            alone = self._fix(now_ms) if not self._told and len(self._said) == 1 else None
            self._time_ms, self._said, self._told = said.time_ms, {}, False
            self._arrived_ms = now_ms
        self._said[said.type] = said.position
        if self._told or len(self._said) < 2:
            return alone
        self._told = True
        return self._fix(now_ms)

    def _fix(self, now_ms: int) -> Position | None:
        positions = list(self._said.values())
        if None in positions:
            return None
        rmc, gga = self._said.get("RMC"), self._said.get("GGA")
        if rmc and gga and distance_m(rmc, gga) > AGREE_M:
            self.counters["disagree"] += 1
            return None
        fix = gga or rmc
        assert fix is not None
        accuracy_dm = self._accuracy_dm if now_ms < self._accuracy_until_ms else 0
        fix = fix._replace(accuracy_dm=accuracy_dm or fix.accuracy_dm)
        return fix.aged(now_ms - self._arrived_ms)
