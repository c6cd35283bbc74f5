"""The report as a browser would read it: all of the story is there, in both languages, and nothing hostile runs."""

from __future__ import annotations

import base64
import hashlib
import random
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.words import Told
from sim.report import html
from sim.report_chart import clock
from sim.story import Entry, Signal, Span, Story

HOSTILE = "</title><script>alert(1)</script>\"' onload='x' \x00\ud800 &amp; <!-- ]]>"
VOID = ("meta", "input")


class Page(HTMLParser):
    """The elements of a page, with the text in each; and whether every element was closed in its turn."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for number in self._open:
            self.elements[number][2].append(data)

    def find(self, tag: str, **attributes: str) -> list[tuple[dict[str, str | None], str]]:
        """The elements of this tag and these attributes; of class any one of its words will do."""
        return [
            (attrs, "".join(text).strip())
            for name, attrs, text in self.elements
            if name == tag
            and all(
                value in ((attrs.get(key) or "").split() if key == "class" else [attrs.get(key)])
                for key, value in ((key.rstrip("_"), value) for key, value in attributes.items())
            )
        ]


ENTRIES = [
    Entry(2000, "button-1", "press"),
    Entry(2030, "button-1", "offered", "emergency call", "button-1 1-1"),
    Entry(2035, "gateway", "raised", "emergency call", "button-1 1-1"),
    Entry(2060, "disk", "committed", "", "button-1 1-1"),
    Entry(2066, "button-1", "acknowledged", "", "button-1 1-1"),
    Entry(2090, "centre", "committed", "", "button-1 1-1"),
    Entry(2120, "gateway", "receipted", "", "button-1 1-1"),
    Entry(9000, "resident", "something_new", "that no table knows"),
]
FAULTS = [Span(6000, 8500, "network", "broker_down", "kill -9"), Span(1000, 3000, "smoke-1", "some_fault")]
SIGNALS = {
    "smoke-1": Signal("mdB/m", [(0, 0.0), (5000, 300.0), (10_000, 600.0)], 150.0),
    "button-1": Signal("", [(0, 0.0), (2000, 0.0), (2000, 1.0)]),
}


def story(**changed: object) -> Story:
    plain = {
        "title": "A press", "seed": 7, "lasts_ms": 20_000, "differences": [], "entries": ENTRIES, "faults": FAULTS,
        "signals": SIGNALS, "counts": {"repeats_absorbed": 17}, "command": "sixkit sim run a.toml",
        "wall_ms0": 1_754_000_000_000,
    }  # fmt: skip
    return Story(**{**plain, **changed})  # type: ignore[arg-type]


def page(language: str = "en", **changed: object) -> Page:
    return Page(html(story(**changed), language))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_entry_is_a_mark_and_a_row(language: str) -> None:
    made = page(language)
    for place, entry in enumerate(ENTRIES):
        number = str(place)
        [(mark, title)] = made.find("g", class_="mark", **{"data-n": number})
        [(_, row)] = made.find("tr", **{"data-n": number})
        assert (mark["data-t"], mark["data-what"], mark["data-event"]) == (str(entry.t_ms), entry.what, entry.event)
        for text in (title, row):
            assert clock(entry.t_ms) in text
            assert entry.about in text
            assert entry.event in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_fault_is_a_band_on_its_lane_and_a_row(language: str) -> None:
    made = page(language)
    for span in FAULTS:
        bands = made.find("rect", class_="band", **{"data-t": str(span.begin_ms), "data-end": str(span.end_ms)})
        assert len(bands) == (2 if span.lane in SIGNALS else 1)  # behind its signal too
        assert any(span.about in text and clock(span.end_ms) in text for _, text in made.find("tr"))


def test_every_signal_is_plotted_with_its_unit_range_and_threshold() -> None:
    made = page()
    plots = {attrs["data-name"]: attrs for attrs, _ in made.find("svg", class_="plot")}
    assert set(plots) == set(SIGNALS)
    assert (plots["smoke-1"]["data-unit"], plots["smoke-1"]["data-greatest"]) == ("mdB/m", "600")
    assert "smoke-1: 0 – 600 mdB/m · alarm from 150" in [text for _, text in made.find("text", class_="name")]
    assert len(made.find("line", class_="threshold")) == 1
    [low, middle, high] = made.find("polyline")[1][0]["points"].split()
    assert [point.split(",")[0] for point in (low, middle, high)] == ["0", "5000", "10000"]
    assert float(low.split(",")[1]) > float(middle.split(",")[1]) > float(high.split(",")[1])  # y grows downwards


def test_the_stations_of_one_event_are_joined_in_their_order() -> None:
    ways = page().find("line", class_="way")
    assert [(attrs["data-t"], attrs["data-end"]) for attrs, _ in ways] == [
        ("2030", "2035"), ("2035", "2060"), ("2060", "2066"), ("2066", "2090"), ("2090", "2120"),
    ]  # fmt: skip
    assert {attrs["data-event"] for attrs, _ in ways} == {"button-1 1-1"}


def test_a_good_story_says_so_first_and_how_to_play_it_again() -> None:
    made = page()
    [(verdict, text)] = made.find("section", id="verdict")
    assert (verdict["class"], text) == ("good", "As it must be")
    assert [text for _, text in made.find("code")] == ["sixkit sim run a.toml"]
    assert "repeats_absorbed17" in [text for _, text in made.find("div")]
    assert "seed 7 · lasts 0:20 · began 2025-07-31 22:13:20 UTC" in made.find("header")[0][1]


def test_a_bad_one_names_each_difference_in_the_language_of_the_reader() -> None:
    found = [Told("lost one", "丢失一条"), Told("<b>two</b>", "<b>两条</b>")]
    for language, texts in (("en", ["lost one", "<b>two</b>"]), ("zh", ["丢失一条", "<b>两条</b>"])):
        made = page(language, differences=found)
        [(verdict, text)] = made.find("section", id="verdict")
        assert verdict["class"] == "bad"
        assert "2" in text
        assert [text for _, text in made.find("li")] == texts
        assert made.find("b") == []


def test_chinese_has_no_english_left_where_a_word_is_known() -> None:
    made = page("zh", command="", counts={})
    assert made.find("html")[0][0]["lang"] == "zh-CN"
    texts = [text for tag in ("h2", "th", "button") for _, text in made.find(tag)]
    assert [text for text in texts if text.isascii() and any(map(str.isalpha, text))] == ["something new 1"]
    assert "消息服务器停机" in "".join(text for _, text in made.find("text", class_="bandname"))
    assert "something new" in "".join(text for _, text in made.find("g", class_="mark"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_words_stay_words_wherever_they_stand(language: str) -> None:
    hostile = html(
        story(
            title=HOSTILE,
            command=HOSTILE,
            differences=[Told(HOSTILE, HOSTILE)],
            entries=[Entry(1, HOSTILE, HOSTILE, HOSTILE, HOSTILE), Entry(2, HOSTILE, HOSTILE, HOSTILE, HOSTILE)],
            faults=[Span(1, 2, HOSTILE, HOSTILE, HOSTILE)],
            signals={HOSTILE: Signal(HOSTILE, [(0, 1.0)])},
            counts={HOSTILE: 1},
        ),
        language,
    )
    hostile.encode("utf-8")
    made = Page(hostile)
    plain = Counter(tag for tag, _, _ in page(language).elements if tag in ("script", "style", "title"))
    assert Counter(tag for tag, _, _ in made.elements if tag in ("script", "style")) == {"script": 1, "style": 1}
    assert plain["script"] == 1
    assert not [name for _, attrs, _ in made.elements for name in attrs if name.startswith("on")]
    assert made.find("title")[0][1] == HOSTILE.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    assert "\x00" not in hostile


def test_it_fetches_nothing_and_runs_its_own_script_alone() -> None:
    made = page()
    assert not [attrs for _, attrs, _ in made.elements if {"src", "href"} & set(attrs)]
    [(policy, _)] = made.find("meta", **{"http-equiv": "Content-Security-Policy"})
    content = policy["content"] or ""
    [(_, script)] = made.find("script")
    digest = base64.b64encode(hashlib.sha256(f"{script}\n".encode()).digest()).decode()
    assert content == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert "url(" not in html(story(), "en").replace("url(#tip)", "")


def test_a_day_of_5000_entries_has_them_all_thin_and_stays_a_file_one_can_open() -> None:
    source = random.Random(1)
    entries = [
        Entry(source.randrange(86_400_000), f"smoke-{n % 6}", source.choice(["offered", "raised"]), "", f"e{n // 7}")
        for n in range(5000)
    ]
    points = [(t_ms, source.gauss(10, 3)) for t_ms in range(0, 86_400_000, 1000)]
    text = html(story(lasts_ms=86_400_000, entries=entries, signals={"smoke-1": Signal("mdB/m", points)}), "en")
    made = Page(text)
    assert len(made.find("g", class_="mark")) == len(made.find("tr", **{"data-what": "offered"})) + len(
        made.find("tr", **{"data-what": "raised"})
    ) == 5000  # fmt: skip
    assert "dense" in made.find("svg", id="chart")[0][0]["class"]
    assert len(text) < 5_000_000


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_empty_story_is_a_page_too(language: str) -> None:
    made = page(language, entries=[], faults=[], signals={}, counts={}, command="", lasts_ms=0, wall_ms0=-(2**70))
    assert made.find("svg", id="chart")
    assert made.find("p", class_="quiet")


WORDS = st.text(max_size=8)
TIMES = st.integers(-(10**12), 10**12)


@given(
    st.lists(st.builds(Entry, TIMES, WORDS, WORDS, WORDS, WORDS), max_size=8),
    st.lists(st.builds(Span, TIMES, TIMES, WORDS, WORDS, WORDS), max_size=4),
    st.dictionaries(WORDS, st.builds(Signal, WORDS, st.lists(st.tuples(TIMES, st.floats()), max_size=5)), max_size=3),
)
def test_any_story_is_a_well_formed_page(entries, faults, signals) -> None:
    made = page(entries=entries, faults=faults, signals=signals)
    assert len(made.find("g", class_="mark")) == len(entries)
    assert len(made.find("svg", class_="plot")) == len(signals)


@pytest.mark.parametrize(
    ("t_ms", "step_ms", "shown"),
    [
        (0, 1000, "0:00"),
        (61_250, 1, "1:01.250"),
        (3_600_000, 60_000, "1:00:00"),
        (86_399_999, 1, "23:59:59.999"),
        (-1500, 1, "-0:01.500"),
    ],
)
def test_moments(t_ms: int, step_ms: int, shown: str) -> None:
    assert clock(t_ms, step_ms) == shown
