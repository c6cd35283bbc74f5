"""The picture of a story as SVG: a lane for each terminal and place, faults as bands, entries as marks, signals below.

Everything lies at a percentage of the width, so that the picture fits any screen without a script; page/report.js
moves it when somebody zooms. Heights are px.
"""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sim.markup import esc, tag
from sim.report_words import colour_of, fault_name, lane_name, text, what_name
from sim.story import Entry, Signal, Span, Story, printable, thinned

WIDTH_PX: Final = 1000  # that rows are laid out for; the script measures the true one
AXIS_PX: Final = 22
LABEL_PX: Final = 18
ROW_PX: Final = 15
ROWS_MAX: Final = 4  # of marks in a lane; what finds no room lies over another until somebody zooms
BAND_LABEL_PX: Final = 14
GAP_PX: Final = 5
PLOT_PX: Final = 72
MARK_PX: Final = 12  # with a little air
DENSE_PX: Final = 3  # of width for each mark: closer than this they are thin and wordless
VALUE_MAX: Final = 1e12  # beyond it a value is a gap: no sensor reads so, and differences would be lost in rounding
POINTS_MAX: Final = 4000  # of one signal: two for each pixel of a wide screen
TICKS: Final = 9
MARGIN: Final = 0.08  # of the time after the last thing, for its word
_S, _MIN, _H = 1000, 60_000, 3_600_000
STEPS_MS: Final = (
    *(step * scale for scale in (1, 10, 100) for step in (1, 2, 5)),
    *(step * scale for scale in (_S, _MIN) for step in (1, 2, 5, 10, 15, 30)),
    *(step * _H for step in (1, 2, 3, 6, 12, 24, 48, 168, 720, 8760)),
)


class Lane(NamedTuple):
    """Where a lane lies, and in which of its rows each of its entries."""

    name: str
    top_px: int
    height_px: int
    rows: dict[int, int]  # by the entry's place in the story


class Picture:
    """Lays a story out; `svg()` is the picture of it."""

    def __init__(self, story: Story, language: str):
        self._story = story
        self._language = language
        self._begin_ms, end_ms = story.range_ms()
        self._end_ms = end_ms + math.ceil((end_ms - self._begin_ms) * MARGIN)
        self._entries = sorted(enumerate(story.entries), key=lambda item: item[1].t_ms)
        self._spans: dict[str, list[Span]] = defaultdict(list)
        for span in sorted(story.faults):
            self._spans[span.lane].append(span)
        self._lanes: dict[str, Lane] = {}
        top = AXIS_PX
        for name in story.lanes():
            lane = self._lane(name, top)
            self._lanes[name] = lane
            top += lane.height_px
        self._signals_px = top
        self.height_px = top + len(story.signals) * (LABEL_PX + PLOT_PX + GAP_PX)

    def svg(self) -> str:
        arrow = tag("path", d="M0 0 6 3 0 6z")
        size = {"viewBox": "0 0 6 6", "refX": 9, "refY": 3, "markerWidth": 6, "markerHeight": 6, "orient": "auto"}
        inner = [
            tag("defs", tag("marker", arrow, id="tip", **size)),
            *self._stripes(),
            tag("g", "".join(self._ticks()), id="ticks"),
            *self._bands(),
            *self._plots(),
            *self._ways(),
            *self._marks(),
            tag("line", id="cross", x1=-9, x2=-9, y1=0, y2=self.height_px),
        ]
        return tag(
            "svg",
            "\n".join(["", *inner, ""]),
            id="chart",
            class_="dense" if len(self._entries) * DENSE_PX > WIDTH_PX else "",
            role="img",
            width="100%",
            height=self.height_px,
            data_begin=self._begin_ms,
            data_end=self._end_ms,
            data_steps=" ".join(map(str, STEPS_MS)),
        )

    # --- where things lie ---

    def _at(self, t_ms: float) -> str:
        return f"{(t_ms - self._begin_ms) * 100 / (self._end_ms - self._begin_ms):.4f}%"

    def _px(self, t_ms: int) -> float:
        return (t_ms - self._begin_ms) * WIDTH_PX / (self._end_ms - self._begin_ms)

    def _lane(self, name: str, top_px: int) -> Lane:
        """Each mark goes to the first row that has room for its word, else to where the last one is longest ago."""
        free = [-1.0] * ROWS_MAX  # px from which a row is free
        rows: dict[int, int] = {}
        for place, entry in self._entries:
            if entry.lane == name:
                px = self._px(entry.t_ms)
                row = next((row for row in range(ROWS_MAX) if free[row] <= px), free.index(min(free)))
                rows[place] = row
                free[row] = px + MARK_PX + width_px(what_name(entry.what, self._language))
        used = max(rows.values(), default=0) + 1
        height = LABEL_PX + used * ROW_PX + (BAND_LABEL_PX if self._spans[name] else 0) + GAP_PX
        return Lane(name, top_px, height, rows)

    def _y(self, place: int, entry: Entry) -> float:
        lane = self._lanes[entry.lane]
        return lane.top_px + LABEL_PX + (lane.rows[place] + 0.5) * ROW_PX

    # --- what is drawn, from the back to the front ---

    def _stripes(self) -> Iterator[str]:
        for n, lane in enumerate(self._lanes.values()):
            look = "lane odd" if n % 2 else "lane"
            yield tag("rect", class_=look, y=lane.top_px, width="100%", height=lane.height_px)
            yield _name(lane_name(lane.name, self._language), lane.top_px)

    def _ticks(self) -> Iterator[str]:
        step = next((step for step in STEPS_MS if (self._end_ms - self._begin_ms) / step <= TICKS), STEPS_MS[-1])
        first = math.ceil(self._begin_ms / step)
        for n in range(first, min(first + 2 * TICKS, self._end_ms // step + 1)):
            at = self._at(n * step)
            yield tag("line", x1=at, x2=at, y1=AXIS_PX, y2=self.height_px)
            yield tag("text", clock(n * step, step), x=at, dx=3, y=15)

    def _bands(self) -> Iterator[str]:
        for lane in self._lanes.values():
            for span in self._spans[lane.name]:
                yield self._band(span, lane.top_px, lane.height_px - 1)
            for span in self._spans[lane.name]:
                name = fault_name(span.kind, self._language)
                data = {"data_t": span.begin_ms, "data_end": span.end_ms, "data_w": width_px(name)}
                place = {"x": self._at(span.begin_ms), "dx": 4, "y": lane.top_px + lane.height_px - GAP_PX - 2}
                yield tag("text", esc(name), class_="bandname", data_row=lane.name, **data, **place)

    def _band(self, span: Span, top_px: int, height_px: int) -> str:
        about = f"{clock(span.begin_ms)} – {clock(span.end_ms)} {lane_name(span.lane, self._language)}: "
        about += f"{fault_name(span.kind, self._language)} {span.about}"
        width = max(0, span.end_ms - span.begin_ms) * 100 / (self._end_ms - self._begin_ms)
        return tag(
            "rect",
            tag("title", esc(about.strip())),
            class_="band",
            data_t=span.begin_ms,
            data_end=span.end_ms,
            x=self._at(span.begin_ms),
            width=f"{width:.4f}%",
            y=top_px,
            height=height_px,
        )

    def _ways(self) -> Iterator[str]:
        """A line from each station of an event to its next one."""
        last: dict[str, tuple[int, Entry]] = {}
        for place, entry in self._entries:
            if not entry.event:
                continue
            if before := last.get(entry.event):
                begin_ms, y1 = before[1].t_ms, self._y(*before)
                data = {"data_event": entry.event, "data_t": begin_ms, "data_end": entry.t_ms}
                ends = {"x1": self._at(begin_ms), "y1": y1, "x2": self._at(entry.t_ms), "y2": self._y(place, entry)}
                yield tag("line", class_="way", **data, **ends)
            last[entry.event] = place, entry

    def _marks(self) -> Iterator[str]:
        for place, entry in self._entries:
            name, at, y = what_name(entry.what, self._language), self._at(entry.t_ms), self._y(place, entry)
            title = f"{clock(entry.t_ms)} {lane_name(entry.lane, self._language)}: {name}"
            title += "".join(f" · {part}" for part in (entry.about, entry.event) if part)
            yield tag(
                "g",
                tag("title", esc(title)) + tag("rect", x=at, y=y) + tag("text", esc(name), x=at, dx=8, y=y + 4),
                class_=f"mark {colour_of(entry.what)}",
                data_n=place,
                data_t=entry.t_ms,
                data_w=width_px(name),
                data_row=f"{entry.lane} {self._lanes[entry.lane].rows[place]}",
                data_what=entry.what,
                data_event=entry.event,
            )

    def _plots(self) -> Iterator[str]:
        top = self._signals_px
        for name in (name for name in self._lanes if name in self._story.signals):
            yield from self._plot(name, self._story.signals[name], top)
            top += LABEL_PX + PLOT_PX + GAP_PX

    def _plot(self, name: str, signal: Signal, top_px: int) -> Iterator[str]:
        least, greatest = _bounds(signal)
        label = f"{lane_name(name, self._language)}: {_figure(least)} – {_figure(greatest)} {signal.unit}"
        if signal.threshold is not None:
            label += f" · {text('threshold', self._language)} {_figure(signal.threshold)}"
        for span in self._spans[name]:
            yield self._band(span, top_px, LABEL_PX + PLOT_PX)
        yield _name(label, top_px)

        def y(value: float) -> float:
            return PLOT_PX - 2 - (value - least) / (greatest - least) * (PLOT_PX - 4)

        if signal.threshold is not None:
            at = top_px + LABEL_PX + y(signal.threshold)
            yield tag("line", class_="threshold", x1=0, x2="100%", y1=at, y2=at)
        runs = [
            " ".join(f"{t_ms},{y(value):.2f}" for t_ms, value in run)
            for run in _unbroken(thinned(signal.points, POINTS_MAX))
        ]
        yield tag(
            "svg",
            "".join(tag("polyline", points=run) for run in runs),
            class_="plot",
            y=top_px + LABEL_PX,
            width="100%",
            height=PLOT_PX,
            preserveAspectRatio="none",
            viewBox=f"{self._begin_ms} 0 {self._end_ms - self._begin_ms} {PLOT_PX}",
            data_name=name,
            data_unit=signal.unit,
            data_least=least,
            data_greatest=greatest,
        )


def clock(t_ms: int, step_ms: int = 1) -> str:
    """A moment of the story as [h:]mm:ss, with as many digits after the point as steps of `step_ms` need."""
    sign, ms = ("-" if t_ms < 0 else ""), abs(t_ms)
    head = f"{ms // _H}:{ms // _MIN % 60:02}" if ms >= _H else f"{ms // _MIN}"
    return f"{sign}{head}:{ms // _S % 60:02}" + (f".{ms % _S:03}" if step_ms % _S else "")


def width_px(words: str) -> int:
    """About how wide small text is: a Chinese character takes two columns."""
    return sum(12 if unicodedata.east_asian_width(character) in "WF" else 7 for character in printable(words))


def _name(words: str, top_px: int) -> str:
    return tag("text", esc(words), class_="name", x=6, y=top_px + 13)


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _bounds(signal: Signal) -> tuple[float, float]:
    """The least and the greatest value to be shown, never the same."""
    values = [value for _, value in signal.points if _readable(value)]
    values += [] if signal.threshold is None else [signal.threshold]
    least, greatest = min(values, default=0.0), max(values, default=1.0)
    return (least, greatest) if least < greatest else (least - 1, least + 1)


def _readable(value: float) -> bool:
    return abs(value) <= VALUE_MAX  # which no NaN is


def _unbroken(points: Iterable[tuple[int, float]]) -> Iterator[list[tuple[int, float]]]:
    """The runs between the gaps."""
    run: list[tuple[int, float]] = []
    for point in points:
        if _readable(point[1]):
            run.append(point)
        elif run:
            yield run
            run = []
    if run:
        yield run
