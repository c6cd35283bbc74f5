"""Records survive the way through CBOR, fit the schema, and whatever else arrives is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycddl import Schema, ValidationError

import protocol.record
from protocol.record import (
    CLOCK_QUALITIES,
    INT_MAX,
    INTERVALS_MAX,
    LINKS,
    RECORD_BYTES_MAX,
    RESEND,
    SETTLED_MAX,
    Command,
    Event,
    EventId,
    Heartbeat,
    Interval,
    Now,
    Receipt,
    RecordError,
    Sent,
    Source,
    Stamp,
    decode,
)
from protocol.words import KINDS, PHASES, SEVERITIES

SCHEMA = Schema((Path(protocol.record.__file__).parent / "record.cddl").read_text())

counts = st.integers(0, INT_MAX)
amounts = st.integers(-INT_MAX, INT_MAX)
names = st.text(max_size=64)
event_ids = st.builds(EventId, counts, counts)
stamps = st.builds(Stamp, counts, counts, counts, st.sampled_from(CLOCK_QUALITIES))
events = st.builds(
    Event,
    gateway=names,
    id=event_ids,
    alarm=event_ids,
    kind=st.sampled_from(sorted(KINDS)) | names,
    phase=st.sampled_from(PHASES),
    severity=st.sampled_from(SEVERITIES),
    link=st.sampled_from(LINKS),
    terminal=names,
    room=names,
    time=stamps,
    source=st.none() | st.builds(Source, counts, counts),
    position=st.none() | st.lists(amounts, max_size=8).map(tuple),
    evidence=st.dictionaries(st.text(max_size=20), amounts, max_size=16),
    flags=st.lists(st.text(max_size=20), max_size=16).map(tuple),
)
intervals = st.tuples(counts, counts, counts).map(lambda n: Interval(n[0], *sorted(n[1:])))
receipts = st.builds(Receipt, names, st.lists(intervals, max_size=INTERVALS_MAX).map(tuple), counts, st.none() | counts)
heartbeats = st.builds(
    Heartbeat,
    *(names, counts, stamps, names, counts, counts, counts, counts, counts),
    st.lists(intervals, max_size=SETTLED_MAX).map(tuple),
)
commands = st.builds(
    Command,
    *(names, counts, counts, st.just(RESEND)),
    st.lists(intervals, min_size=1, max_size=INTERVALS_MAX).map(tuple),
)

EVENT = Event(
    gateway="gw-1",
    id=EventId(3, 17),
    alarm=EventId(3, 16),
    kind="smoke",
    phase="updated",
    severity="life",
    link="held",
    terminal="smoke-1",
    room="kitchen",
    time=Stamp.of(Now(1_790_000_000_000, 60_000), boot=5, age_ms=250),
    source=Source(0xDEADBEEF, 4),
    evidence={"obscuration_mdb_m": 142, "battery_pct": 91},
    flags=("unverified",),
)


def changed(record: bytes, **fields: Any) -> bytes:
    """The record with fields replaced, `_3=...` for key 3; None takes one out."""
    item = {**cbor2.loads(record), **{int(name[1:]): value for name, value in fields.items()}}
    return cbor2.dumps({key: value for key, value in item.items() if value is not None}, canonical=True)


def reason(data: bytes) -> str:
    with pytest.raises(RecordError) as refused:
        decode(data)
    return refused.value.reason


@given(events, counts, st.none() | counts)
def test_an_event_comes_out_as_it_went_in_and_fits_the_schema(event: Event, attempt: int, age_ms: int | None) -> None:
    data = event.to_record(attempt, age_ms)
    SCHEMA.validate_cbor(data)
    if len(data) > RECORD_BYTES_MAX:
        assert reason(data) == "too_long"
    else:
        assert decode(data) == Sent(event, attempt, age_ms)


@given(receipts | heartbeats | commands)
def test_every_other_record_comes_out_as_it_went_in_and_fits_the_schema(record: Receipt | Heartbeat | Command) -> None:
    data = record.to_record()
    SCHEMA.validate_cbor(data)
    assert decode(data) == record


LAST = Interval(INT_MAX, INT_MAX, INT_MAX)
NEVER = Stamp(INT_MAX, INT_MAX, INT_MAX, "synchronised")


@pytest.mark.parametrize(
    "full",
    [
        Receipt("g" * 32, (LAST,) * INTERVALS_MAX, INT_MAX, INT_MAX),
        Command("g" * 32, INT_MAX, INT_MAX, RESEND, (LAST,) * INTERVALS_MAX),
        Heartbeat("g" * 32, INT_MAX, NEVER, "v" * 64, *(INT_MAX,) * 5, (LAST,) * SETTLED_MAX),
    ],
    ids=["receipt", "command", "heartbeat"],
)
def test_the_largest_of_each_fits_the_size_limit(full: Receipt | Heartbeat | Command) -> None:
    assert decode(full.to_record()) == full


def test_an_event_is_the_same_bytes_on_every_machine() -> None:
    assert EVENT.to_record(attempt=2, age_ms=1250).hex() == (
        "b10001016467772d31020303110482031005821adeadbeef040665736d6f6b6507677570646174656408646c696665096468"
        "656c640a67736d6f6b652d310b676b69746368656e0c841b000001a0c4506b0619e96605020ea26b626174746572795f7063"
        "74185b716f62736375726174696f6e5f6d64625f6d188e0f816a756e76657269666965641002111904e2"
    )


@given(events)
def test_keys_are_sorted_at_every_level(event: Event) -> None:
    item = cbor2.loads(event.to_record())
    assert list(item) == sorted(item)
    assert list(item[14]) == sorted(item[14], key=cbor2.dumps)


@given(st.binary(max_size=RECORD_BYTES_MAX + 64))
@example(b"\xa1" * 2000)
@example(b"\xa1\x00" * 1000)
@example(b"\xa1\x00" + b"\x81" * 2000)
@example(b"\xa1\x00" + b"\xd8\x1c\x81\xd8\x1d\x00")  # a list that holds itself
@example(b"\xa1\x00\xbb" + b"\xff" * 8)
@example(b"\xa1\x00\x9b\x7f" + b"\xff" * 7)
@example(b"\xa1\x00\x5b\x7f" + b"\xff" * 7)
@example(b"\xa1\x00\xc5\x82\x1a\x7f\xff\xff\xff\x03")  # a bigfloat of 2 to the power of 2 billion
@example(b"\xa1\x00\xc4\x82\x1a\x7f\xff\xff\xff\x03")
@example(b"\xa1\x00\xd8\x23\x78\x18((((a{1,99}){1,99}){1,99}")  # a regular expression
@example(b"\xa1\xa0\x00")
@example(b"\xa1\x9f\xff\x00")
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except RecordError:
        return
    SCHEMA.validate_cbor(data)


@given(events | receipts | heartbeats | commands, st.data())
def test_what_a_changed_byte_leaves_is_refused_or_a_record_of_the_schema(record: Any, data: st.DataObject) -> None:
    good = bytearray(record.to_record())
    good[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decode(bytes(good))
    except RecordError:
        return
    SCHEMA.validate_cbor(bytes(good))


@given(events, st.binary(min_size=1, max_size=8))
def test_trailing_bytes_are_refused(event: Event, more: bytes) -> None:
    assert reason(event.to_record() + more) in ("not_deterministic", "too_long")


@given(events, st.data())
def test_a_record_that_was_cut_off_is_refused(event: Event, data: st.DataObject) -> None:
    good = event.to_record()
    reason(good[: data.draw(st.integers(0, len(good) - 1))])


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"_0": 9}, "unknown_type"),
        ({"_0": None}, "field_missing"),
        ({"_1": None}, "field_missing"),
        ({"_1": b"gw-1"}, "field_type"),
        ({"_2": -1}, "field_range"),
        ({"_2": INT_MAX + 1}, "field_range"),
        ({"_3": True}, "field_type"),
        ({"_3": 1.5}, "field_type"),
        ({"_4": [1]}, "field_size"),
        ({"_4": [1, 2, 3]}, "field_range"),
        ({"_5": [1, "2"]}, "field_type"),
        ({"_6": "k" * 65}, "field_range"),
        ({"_7": "ended"}, "field_value"),
        ({"_8": "grave"}, "field_value"),
        ({"_9": "lost"}, "field_value"),
        ({"_12": [1, 2, 3, 3]}, "field_range"),
        ({"_13": ["x"]}, "field_type"),
        ({"_14": {1: 2}}, "field_type"),
        ({"_14": {"x": "y"}}, "field_type"),
        ({"_14": {"x": INT_MAX + 1}}, "field_type"),
        ({"_14": {str(n): n for n in range(17)}}, "field_range"),
        ({"_15": [1]}, "field_type"),
        ({"_15": ["x"] * 17}, "field_range"),
        ({"_17": "old"}, "field_type"),
        ({"_18": 0}, "field_unknown"),
    ],
)
def test_a_field_that_is_not_as_it_must_be_is_refused(fields: dict[str, Any], word: str) -> None:
    assert reason(changed(EVENT.to_record(), **fields)) == word


@pytest.mark.parametrize(
    "fields",
    [
        {"_0": 9},
        {"_1": None},
        {"_1": 1},
        {"_2": -1},
        {"_2": INT_MAX + 1},
        {"_4": [1]},
        {"_7": "ended"},
        {"_12": [1, 2, 3, 3]},
        {"_14": {1: 2}},
        {"_15": [1]},
        {"_15": ["x"] * 17},
        {"_18": 0},
    ],
)
def test_the_schema_refuses_what_the_decoder_refuses(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SCHEMA.validate_cbor(changed(EVENT.to_record(), **fields))


BEAT = Heartbeat("gw-1", 1, Stamp(1, 2, 3, "unset"), "0.1.0", 4, 5, 6, 7, 8)
ASKED = Command("gw-1", 7, 1_790_000_000_000, RESEND, (Interval(3, 17, 20),))


@pytest.mark.parametrize(
    ("record", "fields", "word"),
    [
        (BEAT, {"_10": []}, "field_range"),
        (BEAT, {"_9": None}, "field_missing"),
        (BEAT, {"_10": [[1, 2]]}, "field_type"),
        (BEAT, {"_10": 3}, "field_type"),
        (BEAT, {"_19": 1}, "field_unknown"),
        (ASKED, {"_2": None}, "field_missing"),
        (ASKED, {"_4": "silence"}, "field_value"),
        (ASKED, {"_5": []}, "field_range"),
        (ASKED, {"_5": [[1, -2, 3]]}, "field_type"),
        (ASKED, {"_19": 0}, "field_unknown"),
    ],
)
def test_a_heartbeat_or_a_command_that_is_not_as_it_must_be_is_refused(
    record: Heartbeat | Command, fields: dict[str, Any], word: str
) -> None:
    data = changed(record.to_record(), **fields)
    assert reason(data) == word
    with pytest.raises(ValidationError):
        SCHEMA.validate_cbor(data)


def test_more_intervals_than_there_may_be_are_refused() -> None:
    assert reason(changed(BEAT.to_record(), _10=[[1, 2, 3]] * (SETTLED_MAX + 1))) == "field_range"
    assert reason(changed(ASKED.to_record(), _5=[[1, 2, 3]] * (INTERVALS_MAX + 1))) == "field_range"


@given(st.integers(11, 15), st.none() | counts | st.text(max_size=20) | st.lists(counts, max_size=5))
def test_what_a_newer_gateway_adds_to_its_heartbeat_is_passed_over(key: int, value: Any) -> None:
    data = cbor2.dumps({**cbor2.loads(BEAT.to_record()), key: value}, canonical=True)
    assert decode(data) == BEAT
    SCHEMA.validate_cbor(data)


def test_a_kind_nobody_here_knows_is_taken() -> None:
    record = decode(changed(EVENT.to_record(), _6="meteorite"))
    assert isinstance(record, Sent)
    assert record.event.kind == "meteorite"


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("a3000201616702f6"),  # not all there
        bytes.fromhex("a4000201616702800300") + b"\x00",  # one byte too many
        bytes.fromhex("bf000201616702800300ff"),  # of indefinite length
        bytes.fromhex("a400020161670280031800"),  # zero in two bytes
        bytes.fromhex("a4016167000202800300"),  # keys out of order
        bytes.fromhex("a50002000201616702800300"),  # a key twice
        bytes.fromhex("a40002f5616702800300"),  # true for the key 1
        bytes.fromhex("a40002f93c00616702800300"),  # 1.0 for the key 1
    ],
)
def test_only_the_one_deterministic_form_is_taken(data: bytes) -> None:
    assert decode(bytes.fromhex("a4000201616702800300")) == Receipt("g", (), 0)
    reason(data)


def test_an_interval_that_runs_backwards_is_refused() -> None:
    assert reason(Receipt("g", (Interval(1, 5, 4),), 0).to_record()) == "field_range"


@given(event_ids, intervals)
def test_an_interval_holds_the_events_of_its_epoch_between_its_ends(event: EventId, interval: Interval) -> None:
    assert interval.holds(event) == (
        event.epoch == interval.epoch and event.sequence in range(interval.first, interval.last + 1)
    )


def test_a_stamp_counts_back_by_the_age_and_never_below_zero() -> None:
    assert Stamp.of(Now(1000, 500, "unset"), boot=2, age_ms=600) == Stamp(400, 0, 2, "unset")
