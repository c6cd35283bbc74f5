"""What a bracelet's fixes say of its fence: nothing, until they have agreed for long enough."""

from gateway.home.fence import IN, OUT, UNCLEAR
from sim.sides import PAUSE_MS_MAX, SURE_MS, Sides

MINUTE_MS = 60_000


def said(*away_m: float, every_ms: int = MINUTE_MS) -> Sides:
    sides = Sides(100)
    for number, one in enumerate(away_m):
        sides.fixed(one, number * every_ms)
    return sides


def test_four_fixes_a_minute_apart_are_sure_and_three_are_not() -> None:
    assert SURE_MS == 3 * MINUTE_MS
    assert said(10, 90, 10, 10).sure == IN
    assert said(300, 310, 320, 330).sure == OUT
    assert said(300, 310, 320).sure == UNCLEAR


def test_near_the_edge_nothing_is_said() -> None:
    assert said(*[150] * 9).sure == UNCLEAR


def test_one_fix_on_the_other_side_casts_doubt_and_what_comes_back_must_last_again() -> None:
    assert said(10, 10, 10, 10, 400).sure == UNCLEAR
    assert said(10, 10, 10, 10, 400, 10, 10, 10).sure == UNCLEAR
    assert said(10, 10, 10, 10, 400, 10, 10, 10, 10).sure == IN


def test_fixes_far_apart_say_nothing_new_and_take_nothing_back() -> None:
    assert said(*[10] * 9, every_ms=PAUSE_MS_MAX + 1).sure == UNCLEAR
    sides = said(10, 10, 10, 10)
    sides.fixed(10, 100 * MINUTE_MS)
    assert sides.sure == IN


def test_what_was_said_may_be_forgotten() -> None:
    sides = said(10, 10, 10, 10)
    sides.forget()
    assert sides.sure == UNCLEAR
