"""Who says hello again and again for a minute is told of; noise, an echo and a passer-by are not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.bridges.strangers import ADDRESSES_MAX, GAP_MS, INSISTS_MS, TELL_MS, Strangers


def hellos(strangers: Strangers, times: list[int], address: int = 7) -> list[int]:
    return [ms for ms in times if strangers.insists(address, ms)]


def test_one_that_insists_is_told_of_after_a_minute_and_then_now_and_again() -> None:
    assert hellos(Strangers(), list(range(0, 100_000, 5_000))) == [60_000, 70_000, 80_000, 90_000]


def test_an_echo_and_a_passer_by_are_not() -> None:
    assert hellos(Strangers(), [0, 1, INSISTS_MS - 1]) == []
    assert hellos(Strangers(), list(range(0, INSISTS_MS, 1000))) == []


def test_a_gap_begins_it_anew() -> None:
    assert hellos(Strangers(), [0, GAP_MS, 2 * GAP_MS, 3 * GAP_MS]) == [3 * GAP_MS]
    assert hellos(Strangers(), [0, GAP_MS, 2 * GAP_MS + 1, 3 * GAP_MS, 4 * GAP_MS]) == []


def test_each_address_counts_for_itself() -> None:
    strangers = Strangers()
    found = [(address, ms) for ms in range(0, 75_000, 5_000) for address in (7, 8) if strangers.insists(address, ms)]
    assert found == [(7, 60_000), (8, 60_000), (7, 70_000), (8, 70_000)]


def test_one_that_insists_is_found_among_any_number_that_do_not() -> None:
    strangers, told = Strangers(), False
    for number in range(200_000 // 40):  # 25 hellos a second under ever new addresses
        strangers.insists(1000 + number, number * 40)
        if number % 125 == 0:
            told |= strangers.insists(7, number * 40)
    assert told


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 3000)), max_size=600))
def test_memory_is_bounded_and_nobody_is_told_of_too_soon_or_too_often(said: list[tuple[int, int]]) -> None:
    strangers, now_ms, told, first = Strangers(), 0, dict[int, int](), dict[int, int]()
    for address, pause_ms in said:
        now_ms += pause_ms
        first.setdefault(address, now_ms)
        if strangers.insists(address, now_ms):
            assert now_ms - first[address] >= INSISTS_MS
            assert now_ms - told.get(address, -TELL_MS) >= TELL_MS
            told[address] = now_ms
        assert len(strangers._heard) <= ADDRESSES_MAX


def test_where_too_many_are_watched_a_new_one_waits_until_some_have_gone() -> None:
    strangers = Strangers()
    for address in range(ADDRESSES_MAX):
        strangers.insists(address, 0)
    late = list(range(1000, 100_000, 5_000))
    assert hellos(strangers, late, ADDRESSES_MAX) == [ms for ms in late if ms >= 81_000 and (ms - 81_000) % 10_000 == 0]
