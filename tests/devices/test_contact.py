"""A contact that bounces: what it is held to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.contact import Contact

DEBOUNCE_MS = 50


def test_a_level_counts_once_it_has_held() -> None:
    contact = Contact(DEBOUNCE_MS)
    assert not contact.step(1, 1000)
    assert (contact.level, contact.steady(), contact.deadline()) == (0, False, 1000 + DEBOUNCE_MS)
    assert not contact.step(None, 1049)
    assert contact.step(None, 1050)
    assert (contact.level, contact.since, contact.steady(), contact.deadline()) == (1, 1000, True, None)


def test_bouncing_counts_from_its_last_move() -> None:
    contact = Contact(DEBOUNCE_MS)
    moves = [contact.step(level, now) for now, level in ((0, 1), (20, 0), (40, 1), (89, None), (90, None))]
    assert moves == [False, False, False, False, True]
    assert contact.since == 40


def test_a_first_level_that_is_not_known_is_no_move() -> None:
    for level in (0, 1):
        contact = Contact(DEBOUNCE_MS, None)
        assert contact.level is None
        assert not any(contact.step(level, now) for now in range(0, 1000, 10))
        assert contact.level == level


@given(st.lists(st.tuples(st.integers(0, 200), st.one_of(st.none(), st.integers())), max_size=50))
def test_any_samples_change_it_from_one_level_to_the_other(steps: list[tuple[int, int | None]]) -> None:
    contact, now, level = Contact(DEBOUNCE_MS), 0, 0
    for wait, sample in steps:
        now += wait
        level ^= contact.step(sample, now)
        assert contact.level == level
        due = contact.deadline()
        assert due is None or due > now - DEBOUNCE_MS
