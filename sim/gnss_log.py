"""Recorded receivers: a log of NMEA 0183 in pieces of one second each, and what gpsd made of the same log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from protocol import nmea
from protocol.geo import E7
from protocol.words import Told
from sim.unpacked import unpacked

CHECKED: Final = (".chk", ".chk.gz")  # what gpsd's own tests call the output that belongs to a log


class Piece(NamedTuple):
    """What a receiver said about one moment, up to the next: raw bytes, and that moment in ms of the UTC day."""

    time_ms: int | None  # None: it names none
    data: bytes


def read_log(path: Path) -> tuple[Piece, ...]:
    """The pieces of a log. Comments (lines that begin with #) are left out, whatever else there is stays as it is.

    Raises Told where the file cannot be read, or holds no RMC and no GGA.
    """
    pieces = [Piece(None, b"")]
    for line in unpacked(path).splitlines(keepends=True):
        if line.startswith(b"#"):
            continue
        time_ms = _time_ms(line)
        last = pieces[-1]
        if time_ms is None or last.time_ms in (None, time_ms):
            pieces[-1] = Piece(last.time_ms if time_ms is None else time_ms, last.data + line)
        else:
            pieces.append(Piece(time_ms, line))
    if pieces == [pieces[0]] and pieces[0].time_ms is None:
        raise Told(f"{path}: no RMC or GGA sentence in it", f"{path}：其中没有 RMC 或 GGA 语句")
    return tuple(pieces)


def read_checked(path: Path) -> dict[int, tuple[int, int]]:
    """What gpsd made of the log `path`, from the file beside it (none: nothing): by the moment in ms of the UTC day,
    latitude and longitude in 1e-7 degree. Raises Told where that file cannot be read."""
    found: dict[int, tuple[int, int]] = {}
    beside = [path.with_name(path.name + end) for end in CHECKED]
    for file in beside:
        for line in unpacked(file).splitlines() if file.exists() else ():
            report = _report(line)
            if report.get("class") == "TPV" and {"time", "lat", "lon"} <= report.keys():
                time_ms = nmea.day_ms(str(report["time"])[11:-1].replace(":", ""))
                if time_ms is not None:
                    found[time_ms] = round(float(report["lat"]) * E7), round(float(report["lon"]) * E7)
    return found


def _time_ms(line: bytes) -> int | None:
    """The moment that a line speaks of, if it is a sound RMC or GGA."""
    for text in nmea.Scanner().feed(line):
        try:
            said = nmea.parse(text)
        except nmea.Refused:
            continue
        if isinstance(said, nmea.Located):
            return said.time_ms
    return None


def _report(line: bytes) -> Mapping[str, Any]:
    try:
        report = json.loads(line) if line.startswith(b"{") else {}
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}
