"""Recorded signals of sensors in rooms, brought to the scale of a smoke chamber: what they do is theirs, not the unit.

Licences: `gas_mq2` MIT (garystafford/aws-iot-analytics-demo), `faults_suthaharan` ODC-BY 1.0 / CC BY 4.0 (Suthaharan et
al. 2010), `faults_nab` MIT (Numenta NAB).
"""

from __future__ import annotations

import csv
import io
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Final, NamedTuple

from sim.sensor_faults.fault import Signal
from sim.unpacked import unpacked

SOURCES: Final = "gas_mq2 (MIT), faults_suthaharan (ODC-BY 1.0 / CC BY 4.0), faults_nab (MIT)"
SHARE: Final = 0.3  # of a span, from the 1st to the 99th percentile: as much as a room may do without anybody minding
GAP_MS_MAX: Final = 30 * 60_000  # what is not recorded for longer is cut out


class Recorded(NamedTuple):
    """One recording: its points (ms from 0, value in mdB/m), how far apart they are as a rule, and the stretches in
    which something is labelled as wrong."""

    name: str
    points: Sequence[tuple[int, float]]
    every_ms: int
    wrong_ms: Sequence[tuple[int, int]] = ()

    def signal(self) -> Signal:
        """The recording, and back, and again: without an end, and without a step that was not recorded."""
        times = [t_ms for t_ms, _ in self.points]
        length = times[-1]

        def value(t_ms: int) -> float:
            laps, at_ms = divmod(max(0, t_ms), length)
            if laps % 2:
                at_ms = length - at_ms
            return self.points[max(0, bisect_right(times, at_ms) - 1)][1]

        return value


def read_rooms(folder: Path, span: float) -> list[Recorded]:
    """Gas, temperature and humidity of rooms, some seconds apart, with nothing wrong. Raises Told."""
    found = []
    boards: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in json.loads(unpacked(folder / "gas_mq2" / "raw_data_large.json.gz")):
        boards[row["device_id"]].append((float(row["ts"]), float(row["data"]["lpg"])))
    found += [_recorded(f"mq2 {number}", rows, span) for number, rows in enumerate(boards.values(), 1)]
    motes: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    wrong = set()
    for row in csv.DictReader(io.StringIO(_text(folder / "faults_suthaharan" / "single_hop.csv.gz"))):
        for column in ("temperature", "humidity"):
            key = (row["mote_id"], column)
            motes[key].append((5.0 * len(motes[key]), float(row[column])))
            if row["label"] != "0":
                wrong.add(key)
    found += [_recorded(" ".join(("mote", *key)), rows, span) for key, rows in motes.items() if key not in wrong]
    return found


def read_failures(folder: Path, span: float) -> list[Recorded]:
    """Temperatures over months that end in failures, with their labelled windows. Raises Told."""
    windows = json.loads(unpacked(folder / "faults_nab" / "combined_windows.json"))
    found = []
    for name in ("ambient", "machine"):
        rows = csv.DictReader(io.StringIO(_text(folder / "faults_nab" / f"{name}_temperature_system_failure.csv.gz")))
        points = [(datetime.fromisoformat(row["timestamp"]).timestamp(), float(row["value"])) for row in rows]
        first = min(t for t, _ in points)
        labelled = windows[f"realKnownCause/{name}_temperature_system_failure.csv"]
        wrong = [(_since(first, begin), _since(first, end)) for begin, end in labelled]
        found.append(_recorded(f"nab {name}", points, span, cut=False)._replace(wrong_ms=wrong))
    return found


def _since(first: float, moment: str) -> int:
    return round(1000 * (datetime.fromisoformat(moment).timestamp() - first))


def _recorded(name: str, rows: Iterable[tuple[float, float]], span: float, cut: bool = True) -> Recorded:
    ordered = sorted(rows)
    low, *_, high = quantiles((value for _, value in ordered), n=100)
    points: list[tuple[int, float]] = []
    last, t_ms = ordered[0][0], 0
    steps = []
    for t, value in ordered:
        step_ms = round(1000 * (t - last))
        last = t
        if points and step_ms <= 0:
            continue
        steps.append(step_ms)
        t_ms += min(step_ms, GAP_MS_MAX) if cut else step_ms
        points.append((t_ms, max(0.0, (value - low) / (high - low) * SHARE * span)))
    return Recorded(name, points, sorted(steps)[len(steps) // 2])


def _text(path: Path) -> str:
    return unpacked(path).decode()
