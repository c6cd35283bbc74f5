"""A story's own parts: which lanes there are, from when to when, thinned signals, what can be printed."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from sim.story import Entry, Signal, Span, Story, printable, thinned

POINTS = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300).map(lambda values: [*enumerate(values)])


def story(**changed: object) -> Story:
    plain = {"title": "t", "seed": 1, "lasts_ms": 20_000, "differences": [], "entries": []}
    return Story(**{**plain, **changed})  # type: ignore[arg-type]


def test_lanes_are_the_terminals_by_number_and_then_the_way_to_the_centre() -> None:
    entries = [Entry(0, lane, "step") for lane in ("resident", "smoke-10", "centre", "smoke-2", "button-1")]
    made = story(entries=entries, faults=[Span(0, 1, "disk", "eio")], signals={"gas-1": Signal("", [])})
    assert made.lanes() == ["button-1", "gas-1", "smoke-2", "smoke-10", "disk", "centre", "resident"]


def test_the_range_holds_everything_and_is_never_empty() -> None:
    made = story(entries=[Entry(-500, "line", "up"), Entry(25_000, "line", "down")])
    assert made.range_ms() == (-500, 25_000)
    assert story(faults=[Span(3, 90_000, "line", "loss")]).range_ms() == (0, 90_000)
    assert story(lasts_ms=0).range_ms() == (0, 1000)


def test_thinning_keeps_a_spike_of_one_point() -> None:
    points = [(t, 1.0) for t in range(100_000)]
    points[54_321] = (54_321, 99.0)
    kept = thinned(points, 400)
    assert len(kept) <= 400
    assert (54_321, 99.0) in kept
    assert (kept[0], kept[-1]) == (points[0], points[-1])


@given(POINTS, st.integers(4, 50))
def test_thinned_points_are_some_of_the_points_in_order_with_the_extremes(points, most: int) -> None:
    kept = thinned(points, most)
    assert len(kept) <= max(most, 4)
    assert [t for t, _ in kept] == sorted({t for t, _ in kept})
    finite = [value for _, value in points if math.isfinite(value)]
    if finite:
        seen = [value for _, value in kept if math.isfinite(value)]
        assert (min(seen), max(seen)) == (min(finite), max(finite))


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_printable_is_utf_8_and_xml(text: str) -> None:
    element = ElementTree.Element("a")
    element.text = printable(text)
    ElementTree.fromstring(ElementTree.tostring(element, "utf-8"))
    assert printable("\x00\ud800\ufffe\x1b[31m你好\t") == "\ufffd\ufffd\ufffd\ufffd[31m你好\t"
