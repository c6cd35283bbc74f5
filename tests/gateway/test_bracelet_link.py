"""A bracelet's link without its port: sentences in, what the core is told and acknowledgements out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridges.bracelet_link import ACKNOWLEDGEMENTS_MAX, ALIVE_MS, BraceletLink
from gateway.home.messages import Alive, Fix, Input, Reading
from protocol.geo import Position
from protocol.nmea import sentence
from protocol.record import Now, Source
from sim.bracelet import located

WHEN = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
WALL_MS = int(WHEN.timestamp() * 1000)
PLACE = Position(399_990_000, 1_163_850_000, 0, 55, 1, 12)


def link(quality: str = "synchronised", wall_ms: int = WALL_MS) -> BraceletLink:
    return BraceletLink("bracelet-1", lambda: Now(wall_ms, 0, quality))


def said(text: str, made: BraceletLink | None = None, now_ms: int = 0) -> list[Input]:
    """What the core is told of one sentence, but for the mere sign of life."""
    return [one for one in (made or link()).receive(sentence(text), now_ms) if one != Alive("bracelet-1")]


def test_a_moment_of_the_receiver_is_one_fix() -> None:
    made = link()
    heard = made.receive(b"".join(located(PLACE, WHEN)), 1000)
    assert [one for one in heard if isinstance(one, Fix)] == [Fix("bracelet-1", PLACE)]
    assert made.counters == {}


def test_the_key_is_a_held_reading_and_is_acknowledged_by_the_number_it_came_with() -> None:
    made = link()
    number = 70_000 << 16 | 5
    (reading,) = said(f"PSXK,SOS,{number}", made, 500)
    assert reading == Reading("bracelet-1", "bracelet_sos", "raised", "held", Source(70_000, 5))
    assert made.deadline() is None
    made.acknowledge("bracelet-1", Source(70_000, 5))
    due_ms = made.deadline()
    assert due_ms is not None
    assert due_ms <= 500
    assert made.poll(501) == sentence(f"PSXK,ACK,{number}")
    assert (made.poll(502), made.deadline()) == (b"", None)


def test_a_fall_is_held_likewise() -> None:
    assert said("PSXK,FALL,65537") == [Reading("bracelet-1", "bracelet_fall", "raised", "held", Source(1, 1))]


@pytest.mark.parametrize(("pct", "low"), [(0, True), (15, True), (16, None), (24, None), (25, False), (100, False)])
def test_a_battery_that_was_low_must_be_charged_well_to_be_so(pct: int, low: bool | None) -> None:
    assert said(f"PSXK,BAT,{pct}") == [Alive("bracelet-1", battery_low=low, battery_pct=pct)]


def test_any_sound_sentence_is_a_sign_of_life_once_in_a_while_and_noise_is_none() -> None:
    made = link()
    assert made.receive(sentence("GBGSV,1,1,01,14,30,200,35,B"), 0) == [Alive("bracelet-1")]
    assert made.receive(sentence("XYZ"), ALIVE_MS - 1) == []
    assert made.receive(b"$GBGSV,1,1*00\r\n", ALIVE_MS) == []
    assert made.receive(sentence("XYZ"), ALIVE_MS) == [Alive("bracelet-1")]
    assert made.counters == {"unused": 3, "bad_checksum": 1}


def test_a_wrong_day_is_counted_where_the_clock_is_known_and_spoils_no_fix() -> None:
    for made, counters in (
        (link(), {"date_rolled_over": 1}),
        (link("unset", 0), {}),
        (link(wall_ms=WALL_MS + 10 * 86_400_000), {"date_wrong": 1}),
    ):
        rolled_over = WHEN.replace(year=2007, month=4, day=12)  # 1024 weeks before
        heard = made.receive(b"".join(located(PLACE, rolled_over)), 0)
        assert Fix("bracelet-1", PLACE) in heard
        assert made.counters == counters


def test_only_its_own_bracelet_is_served_and_acknowledged() -> None:
    made = link()
    assert (made.serves("bracelet-1"), made.serves("bracelet-2")) == (True, False)
    with pytest.raises(KeyError):
        made.acknowledge("bracelet-2", Source(1, 1))


def test_acknowledgements_that_nobody_fetches_are_bounded() -> None:
    made = link()
    for number in range(1, 3 * ACKNOWLEDGEMENTS_MAX):
        made.acknowledge("bracelet-1", Source(1, number))
    assert made.poll(0).count(b"$") == ACKNOWLEDGEMENTS_MAX


@given(
    st.lists(
        st.one_of(st.binary(max_size=80), st.text(alphabet="PSXKOBATFLGRMC,*.0123456789", max_size=60).map(sentence))
    )
)
def test_no_bytes_make_it_raise_or_deaf(pieces: list[bytes]) -> None:
    made = link()
    for now_ms, piece in enumerate(pieces):
        made.receive(piece, now_ms)
        made.poll(now_ms)
    heard = made.receive(b"\r\n" + sentence("PSXK,SOS,7"), 1000)
    assert Reading("bracelet-1", "bracelet_sos", "raised", "held", Source(0, 7)) in heard
