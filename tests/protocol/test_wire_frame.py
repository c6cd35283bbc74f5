"""protocol.wire.frame: messages get through any garbage, in any split, within a bound."""

from __future__ import annotations

import binascii
from itertools import pairwise

from cobs import cobs  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from protocol.wire.frame import RAW_BYTES_MAX, Deframer, wrap

REASONS = ("oversize", "bad_cobs", "bad_crc")
MESSAGES = st.binary(min_size=1, max_size=RAW_BYTES_MAX - 4)
GARBAGE = st.one_of(st.binary(max_size=200), st.binary(max_size=300).map(lambda b: b.replace(b"\0", b"\1")))
STREAMS = st.lists(st.one_of(GARBAGE, MESSAGES.map(wrap), MESSAGES.map(lambda m: wrap(m)[3:])), max_size=8)


def deframer() -> Deframer:
    return Deframer(dict.fromkeys(REASONS, 0))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@given(STREAMS.map(b"".join), st.lists(st.integers(0, 10_000), max_size=12))
def test_any_bytes_in_any_split_give_the_same(data: bytes, cuts: list[int]) -> None:
    counts: list[dict[str, int]] = [dict.fromkeys(REASONS, 0) for _ in range(3)]
    whole, split, single = (Deframer(c) for c in counts)
    expected = whole.feed(data)
    assert [m for piece in pieces(data, cuts) for m in split.feed(piece)] == expected
    assert [m for byte in data for m in single.feed(bytes([byte]))] == expected
    assert counts[0] == counts[1] == counts[2]


ADDRESSES = st.one_of(
    st.integers(1, 2**32 - 1), st.integers(1, 255).flatmap(lambda b: st.sampled_from([b << 8, b << 24]))
)
ADDRESSED = st.builds(
    lambda type, address, body: bytes([type]) + address.to_bytes(4) + body,
    st.integers(1, 6),
    ADDRESSES,
    st.binary(max_size=40),
)


@given(st.lists(ADDRESSED, max_size=6), GARBAGE, st.data())
def test_with_an_address_its_own_messages_are_found_and_most_others_are_not(
    messages: list[bytes], garbage: bytes, data: st.DataObject
) -> None:
    address = data.draw(st.sampled_from([int.from_bytes(m[1:5]) for m in messages]) if messages else ADDRESSES)
    stream = b"".join(wrap(m) for m in messages) + garbage + b"\0"
    cuts = data.draw(st.lists(st.integers(0, 10_000), max_size=6))
    everything = deframer().feed(stream)
    counts = [dict.fromkeys(REASONS, 0) for _ in range(2)]
    whole, split = (Deframer(c, address) for c in counts)
    found = whole.feed(stream)
    assert [m for piece in pieces(stream, cuts) for m in split.feed(piece)] == found
    assert counts[0] == counts[1]
    assert [m for m in found if m[1:5] == address.to_bytes(4)] == [
        m for m in everything if m[1:5] == address.to_bytes(4)
    ]
    mark = address.to_bytes(4).rstrip(b"\0")[-1]
    place = len(address.to_bytes(4).rstrip(b"\0"))  # in the message, behind its type
    assert all(len(m) <= place or m[place] in (mark, 0) for m in found)


def test_a_frame_of_another_is_passed_over_uncounted_even_where_it_is_bent() -> None:
    counters = dict.fromkeys(REASONS, 0)
    tested = Deframer(counters, 1001)
    other = bytearray(wrap(bytes([5]) + (1002).to_bytes(4) + b"body"))
    other[-2] ^= 1
    mine = wrap(bytes([5]) + (1001).to_bytes(4) + b"body")
    assert tested.feed(bytes(other) + mine) == [bytes([5]) + (1001).to_bytes(4) + b"body"]
    assert counters == dict.fromkeys(REASONS, 0)


def naive(data: bytes) -> tuple[list[bytes], dict[str, int]]:
    """The messages in `data`, and how many of what was refused, as the definition has it."""
    found, counts = [], dict.fromkeys(REASONS, 0)
    for coded in filter(None, data.split(b"\0")[:-1]):
        try:
            raw = cobs.decode(coded)
        except cobs.DecodeError:
            raw = b""
        if len(coded) > RAW_BYTES_MAX + 1:
            counts["oversize"] += 1
        elif len(raw) <= 4:
            counts["bad_cobs"] += 1
        elif raw[-4:] != binascii.crc32(raw[:-4]).to_bytes(4):
            counts["bad_crc"] += 1
        else:
            found.append(raw[:-4])
    return found, counts


@given(STREAMS.map(b"".join))
def test_finds_and_counts_what_a_naive_reading_does(data: bytes) -> None:
    counts = dict.fromkeys(REASONS, 0)
    assert (Deframer(counts).feed(data), counts) == naive(data)


@given(GARBAGE, st.lists(MESSAGES, min_size=1, max_size=5))
def test_a_message_gets_through_right_after_any_garbage(garbage: bytes, messages: list[bytes]) -> None:
    found = deframer().feed(garbage + b"".join(wrap(m) for m in messages))
    assert found[-len(messages) :] == messages


@given(MESSAGES, st.integers(0, 10_000), st.integers(1, 255))
def test_no_bent_byte_gets_through(message: bytes, place: int, change: int) -> None:
    bent = bytearray(wrap(message))
    bent[place % len(bent)] ^= change
    assert [m for m in deframer().feed(bytes(bent) + b"\0") if m != message] == []


@given(MESSAGES)
def test_takes_bytearrays_and_views_too(message: bytes) -> None:
    assert deframer().feed(bytearray(wrap(message))) == [message]  # type: ignore[arg-type]
    assert deframer().feed(memoryview(wrap(message))) == [message]  # type: ignore[arg-type]


def test_holds_no_more_than_one_frame_of_what_has_no_end() -> None:
    counters = dict.fromkeys(REASONS, 0)
    tested = Deframer(counters)
    for _ in range(1000):
        assert tested.feed(b"x" * 50) == []
        assert len(tested._part) <= RAW_BYTES_MAX + 2  # a byte more than the longest coded one: so it is too long
    assert tested.feed(b"\0" + wrap(b"after")) == [b"after"]
    assert counters == {"oversize": 1, "bad_cobs": 0, "bad_crc": 0}


def test_the_longest_message_passes_and_one_byte_more_is_oversize() -> None:
    counters = dict.fromkeys(REASONS, 0)
    longest = b"x" * (RAW_BYTES_MAX - 4)
    assert Deframer(counters).feed(wrap(longest) + wrap(longest + b"x")) == [longest]
    assert counters["oversize"] == 1


def test_what_is_refused_is_counted_by_reason() -> None:
    counters = dict.fromkeys(REASONS, 0)
    broken = bytearray(wrap(b"message"))
    broken[4] ^= 1
    assert Deframer(counters).feed(b"\0\xffcut\0" + bytes(broken) + b"\0\0") == []
    assert counters == {"oversize": 0, "bad_cobs": 1, "bad_crc": 1}
