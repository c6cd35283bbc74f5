"""Recorded fires: the smoke columns of NIST TN 1455 as curves, and when the real alarms of each fire sounded."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from protocol.words import Told
from sim.stimuli import Curve, piecewise
from sim.unpacked import unpacked

SOURCE: Final = "NIST TN 1455 (Home Smoke Alarm Tests), National Institute of Standards and Technology, public domain"
TIME_COLUMN: Final = "TIME"
# The SM* columns are optical density in 1/m: the decadic logarithm of the attenuation; ten times that is dB/m.
_MDB_PER_OD: Final = 10_000


class Fire(NamedTuple):
    """One recorded column: its points (s since ignition, mdB/m), and how many rows had no usable value."""

    name: str
    column: str
    points: tuple[tuple[float, float], ...]
    skipped: int

    def curve(self) -> Curve:
        """What an alarm at that place would have seen, in mdB/m."""
        return piecewise(self.points)

    @property
    def seconds(self) -> float:
        """The time of its last point, in s since ignition."""
        return self.points[-1][0]


def read_fire(path: Path, column: str) -> Fire:
    """The column `column` of a recorded fire; blank, unreadable and backward rows are skipped and counted.

    Raises Told where the file is missing or is no such table, or has no such column.
    """
    rows = csv.DictReader(io.StringIO(unpacked(path).decode("utf-8-sig", errors="replace")))
    columns = [name for name in (rows.fieldnames or []) if name.startswith("SM")]
    if TIME_COLUMN not in (rows.fieldnames or []) or not columns:
        raise Told(
            f"{path} is not a recording of NIST TN 1455: it needs a header with {TIME_COLUMN} and SM* columns.",
            f"{path} 不是 NIST TN 1455 记录：表头必须包含 {TIME_COLUMN} 和 SM* 列。",
        )
    if column not in columns:
        raise Told(
            f"{path} has no smoke column {column}; it has {', '.join(columns)}.",
            f"{path} 没有烟雾列 {column}；可用的列：{', '.join(columns)}。",
        )
    points, skipped = _points((row.get(TIME_COLUMN), row.get(column)) for row in rows)
    if not points:
        raise Told(f"{path}: column {column} holds no number.", f"{path}：列 {column} 中没有数值。")
    return Fire(_fire_name(path), column, points, skipped)


def read_activations(path: Path, fire: str) -> dict[str, int]:
    """When the real alarms of `fire` ("SDC02") sounded, in s since ignition; empty where the file knows none.

    Raises Told where the file cannot be read.
    """
    rows = list(csv.reader(io.StringIO(unpacked(path).decode("utf-8-sig", errors="replace"))))
    if len(rows) < 2:
        return {}
    found = {}
    for name, value in zip(rows[0], rows[1], strict=False):
        seconds = _number(value)
        if name.startswith(f"{fire}-") and seconds is not None and seconds >= 0:
            found[name.removeprefix(f"{fire}-")] = round(seconds)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def activations_beside(path: Path) -> Path | None:
    """The file of activation times in the folder of the recording `path`, if there is one."""
    return next(iter(sorted(path.parent.glob("Activation_Times.csv*"))), None)


def _points(cells: Iterable[tuple[str | None, str | None]]) -> tuple[tuple[tuple[float, float], ...], int]:
    points: list[tuple[float, float]] = []
    skipped = 0
    for time_text, value_text in cells:
        time, value = _number(time_text), _number(value_text)
        if time is None or value is None or (points and time <= points[-1][0]):
            skipped += 1
            continue
        points.append((time, max(0.0, value) * _MDB_PER_OD))
    return tuple(points), skipped


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _fire_name(path: Path) -> str:
    found = re.search(r"SDC\d+", path.name)
    return found.group() if found else path.name.split(".")[0]
