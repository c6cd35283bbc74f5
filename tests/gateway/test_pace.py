"""The pace of one terminal: a burst as it is, then one event in two seconds."""

from gateway.home.pace import BURST, REFILL_MS, Pace


def spent(now_ms: int) -> Pace:
    """A pace that was full for long and is spent at `now_ms`."""
    pace = Pace(0)
    for left in range(BURST, 0, -1):
        assert pace.left(now_ms) == left
        pace.spend(now_ms)
    assert pace.left(now_ms) == 0
    return pace


def test_what_is_spent_of_a_full_purse_comes_back_after_its_own_two_seconds() -> None:
    pace = spent(4_999)
    assert pace.next_ms() == 4_999 + REFILL_MS
    assert pace.left(4_999 + REFILL_MS - 1) == 0
    assert pace.left(4_999 + REFILL_MS) == 1


def test_credit_comes_back_evenly_whenever_it_is_asked_for() -> None:
    pace = spent(0)
    assert [pace.left(ms) for ms in range(0, 4 * REFILL_MS, REFILL_MS // 4)] == [step // 4 for step in range(16)]
    pace.spend(4 * REFILL_MS - 1)
    assert pace.left(4 * REFILL_MS - 1) == 2
    assert pace.left(4 * REFILL_MS) == 3
    assert pace.next_ms() == 5 * REFILL_MS


def test_there_is_never_more_than_a_burst_and_never_less_than_nothing() -> None:
    pace = spent(0)
    pace.spend(0)
    assert pace.left(0) == 0
    assert pace.left(REFILL_MS) == 1
    assert pace.left(10**9) == BURST
    assert pace.left(0) == BURST  # an earlier time takes nothing away
