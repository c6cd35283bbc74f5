"""protocol.wire.cobs against the definition's own examples and against the cobs package of PyPI."""

from __future__ import annotations

import pytest
from cobs import cobs as reference  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from protocol.wire import cobs

# Long runs without a zero are where COBS is easy to get wrong.
LONG = st.one_of(st.integers(250, 260), st.sampled_from([507, 508, 509])).map(lambda n: b"x" * n)
RUNS = st.lists(st.one_of(st.binary(max_size=6), LONG), max_size=5)


@pytest.mark.parametrize(
    ("plain", "coded"),
    [
        (b"", b"\x01"),
        (b"\0", b"\x01\x01"),
        (b"\0\0", b"\x01\x01\x01"),
        (b"\x11\x22\0\x33", b"\x03\x11\x22\x02\x33"),
        (b"\x11\0\0\0", b"\x02\x11\x01\x01\x01"),
        (b"x" * 254, b"\xff" + b"x" * 254),
        (b"x" * 255, b"\xff" + b"x" * 254 + b"\x02x"),
        (b"x" * 254 + b"\0", b"\xff" + b"x" * 254 + b"\x01\x01"),
    ],
)
def test_the_examples_of_the_definition(plain: bytes, coded: bytes) -> None:
    assert cobs.encode(plain) == coded
    assert cobs.decode(coded) == plain


@given(RUNS.map(b"".join))
def test_encodes_as_the_reference_does_and_back(plain: bytes) -> None:
    coded = cobs.encode(plain)
    assert coded == reference.encode(plain)
    assert 0 not in coded
    assert cobs.decode(coded) == plain


@given(st.binary(max_size=700))
def test_encodes_any_bytes_as_the_reference_does_and_back(plain: bytes) -> None:
    assert cobs.encode(plain) == reference.encode(plain)
    assert cobs.decode(cobs.encode(plain)) == plain


def without_zeros(data: bytes) -> bytes:
    return data.replace(b"\0", b"\x03")


@given(
    st.one_of(
        st.binary(max_size=40),
        st.binary(max_size=40).map(without_zeros),
        # Whole runs and cut ones, at and below their limit.
        st.lists(st.one_of(st.just(b"\xff" + b"x" * 254), st.binary(max_size=9).map(without_zeros)), max_size=5).map(
            b"".join
        ),
    )
)
def test_refuses_what_the_reference_refuses(data: bytes) -> None:
    try:
        expected = reference.decode(data) if data else None  # the reference takes nothing for nothing; we refuse it
    except reference.DecodeError:
        expected = None
    assert cobs.decode(data) == expected
