"""The parts of the core's state as they are stored."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.home import parts
from protocol.record import INT_MAX


@given(st.lists(st.integers(-INT_MAX, INT_MAX), max_size=7).map(tuple))
def test_what_is_stored_is_read_again(numbers: tuple[int, ...]) -> None:
    ((key, data),) = parts.stored(numbers, parts.ALARM, "smoke-1", "smoke").items()
    assert data is not None
    assert parts.words(key) == (parts.ALARM, "smoke-1", "smoke")
    assert parts.numbers(data) == numbers


def test_nothing_to_store_is_a_deletion() -> None:
    assert parts.stored(None, parts.SOURCE, "smoke-1") == {"source/smoke-1": None}


@pytest.mark.parametrize("number", [INT_MAX, -INT_MAX])
def test_integers_as_large_as_the_record_allows_are_taken_and_larger_ones_are_not(number: int) -> None:
    largest = [number] * 7
    assert len(cbor2.dumps(largest)) == parts.PART_BYTES_MAX
    assert parts.numbers(cbor2.dumps(largest)) == tuple(largest)
    assert parts.numbers(cbor2.dumps([number * 2])) is None
    assert parts.numbers(cbor2.dumps([*largest, 0])) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_integers_or_nothing(data: bytes) -> None:
    found = parts.numbers(data)
    assert found is None or all(type(number) is int for number in found)


@pytest.mark.parametrize("key", ["", "alarm", "alarm/smoke-1", "source/smoke-1/smoke", "meteor/smoke-1", "/smoke-1"])
def test_a_key_that_is_not_ours_is_none(key: str) -> None:
    assert parts.words(key) is None
