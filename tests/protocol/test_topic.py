"""The topics of the contract, and nothing else, are understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.topic import DOWN, UP, Topic, build, context, down_filter, parse

ids = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)


@given(ids, st.sampled_from(UP + DOWN))
def test_what_is_built_is_understood(gateway: str, leaf: str) -> None:
    assert parse(build(gateway, leaf)) == Topic(gateway, leaf)


@given(st.text())
def test_any_text_is_a_topic_of_ours_or_none(text: str) -> None:
    found = parse(text)
    assert found is None or str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sixkit/1/gw-1/up/alarm/",
        "sixkit/1/gw-1/up/alarm\n",
        "/sixkit/1/gw-1/up/alarm",
        "sixkit/2/gw-1/up/alarm",
        "sixkit/1//up/alarm",
        "sixkit/1/+/up/alarm",
        "sixkit/1/GW-1/up/alarm",
        f"sixkit/1/{'g' * 33}/up/alarm",
        "sixkit/1/gw-１/up/alarm",
        "sixkit/1/gw-1/down/alarm",
        "sixkit/1/gw-1/up/receipt",
        "sixkit/1/gw-1/up/other",
    ],
)
def test_what_is_not_of_the_contract_is_none(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(("gateway", "leaf"), [("", "alarm"), ("a/b", "alarm"), ("#", "alarm"), ("gw-1", "alarms")])
def test_no_topic_is_built_of_what_is_not_allowed(gateway: str, leaf: str) -> None:
    with pytest.raises(ValueError, match="no such topic"):
        build(gateway, leaf)


def test_the_contract_word_for_word() -> None:
    assert build("gw-1", "alarm") == "sixkit/1/gw-1/up/alarm"
    assert build("gw-1", "receipt") == "sixkit/1/gw-1/down/receipt"
    assert down_filter("gw-1") == "sixkit/1/gw-1/down/+"
    assert context("alarm") == b"sixkit/1/alarm"
