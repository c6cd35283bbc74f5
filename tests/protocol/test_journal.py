"""The journal's lines: one line each whatever is in them, words that can be told apart."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.journal import line

VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=3)


def test_json_holds_time_what_and_all_else() -> None:
    found = json.loads(line(1_800_000_000_000, "raised", {"kind": "smoke", "room": "厨房"}, as_json=True))
    assert found == {"t": 1_800_000_000_000, "what": "raised", "kind": "smoke", "room": "厨房"}


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("on", "on"),
        ("厨房", "厨房"),
        (7, "7"),
        (None, "null"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ("\x1b[2J", '"\\u001b[2J"'),
        ("\x9b2J", '"\\u009b2J"'),
        (["1-1"], '["1-1"]'),
    ],
)
def test_a_value_is_one_word_or_json(value: object, word: str) -> None:
    assert line(0, "siren", {"state": value}, as_json=False).partition(" ")[2] == f"siren state={word}"


@given(st.dictionaries(st.sampled_from(["kind", "room", "detail"]), VALUES), st.booleans())
def test_whatever_is_noted_stays_on_its_line(details: dict[str, object], as_json: bool) -> None:
    found = line(0, "what", details, as_json)
    assert "\n" not in found
    assert as_json or found.isprintable()
