"""Signs of life: what is known of each terminal's, whatever it says and however often it restarts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.home.messages import Sign
from gateway.home.signs import AGE_MS_MAX, Known, Signs


def test_the_last_sign_is_when_the_terminal_says_it_was() -> None:
    signs = Signs()
    signs.take(Sign("motion-1", 5000), 100_000)
    assert signs.of("motion-1") == Known(95_000)
    assert signs.of("motion-2") == Known()


def test_a_terminal_that_starts_anew_takes_no_sign_back() -> None:
    signs = Signs()
    signs.take(Sign("motion-1", 5000), 100_000)
    signs.take(Sign("motion-1", None), 160_000)
    assert signs.of("motion-1") == Known(95_000)


def test_a_sign_may_be_older_than_the_gateways_start() -> None:
    signs = Signs()
    signs.take(Sign("door-1", 3_600_000, False), 1000)
    assert signs.of("door-1") == Known(1000 - 3_600_000, False)


def test_the_door_stands_as_it_was_last_told() -> None:
    signs = Signs()
    for moved in (True, False, True):
        signs.take(Sign("door-1", 0, moved), 0)
        assert signs.of("door-1").open is moved


@given(st.lists(st.tuples(st.integers(0, 10**9), st.one_of(st.none(), st.integers(-(2**70), 2**70))), max_size=30))
def test_whatever_is_said_the_last_sign_only_moves_on_and_never_into_the_future(
    said: list[tuple[int, int | None]],
) -> None:
    signs, now, before = Signs(), 0, None
    for wait, age_ms in said:
        now += wait
        signs.take(Sign("motion-1", age_ms), now)
        last = signs.of("motion-1").last_ms
        assert last is None or now - AGE_MS_MAX <= last <= now or last == before
        assert before is None or (last is not None and last >= before)
        before = last
