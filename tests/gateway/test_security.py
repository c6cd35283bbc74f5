"""How many refused messages in a minute are more than faults and restarts account for."""

from __future__ import annotations

from gateway.home.messages import Condition
from gateway.security import FORGED_MAX, LOOK_MS, REFUSED_MAX, REFUSED_MAX_EACH, WELL_MS, SecurityWatch

LIMIT = REFUSED_MAX + 3 * REFUSED_MAX_EACH


def quiet() -> SecurityWatch:
    watch = SecurityWatch(3, 0)
    assert watch.look(0, 0, WELL_MS) == Condition("security", False)
    return watch


def test_what_faults_explain_is_none() -> None:
    assert quiet().look(LIMIT, 0, 70_000) is None
    assert quiet().look(0, FORGED_MAX, 70_000) is None


def test_more_than_that_is_one() -> None:
    assert quiet().look(LIMIT + 1, 0, 70_000) == Condition("security", True, {"refused": LIMIT + 1, "forged": 0})
    assert quiet().look(2, FORGED_MAX + 1, 70_000) == Condition("security", True, {"refused": 2, "forged": 6})


def test_each_terminal_has_its_share() -> None:
    watch = SecurityWatch(0, 0)
    assert watch.look(REFUSED_MAX + 1, 0, LOOK_MS) == Condition("security", True, {"refused": 31, "forged": 0})


def test_what_comes_slowly_is_none_however_much_it_is() -> None:
    watch = quiet()
    for minute in range(2, 60):
        assert watch.look((minute - 1) * (LIMIT - 10), 0, minute * 60_000) is None


def test_a_minute_is_made_of_the_looks_within_it() -> None:
    watch = quiet()
    for number in range(1, 6):
        found = watch.look(number * 13, 0, 60_000 + number * LOOK_MS)
        assert found == (Condition("security", True, {"refused": 65, "forged": 0}) if number == 5 else None)


def test_it_is_over_a_minute_after_the_last_of_them() -> None:
    watch = quiet()
    watch.look(LIMIT + 1, 0, 70_000)
    assert watch.look(LIMIT + 2, 0, 80_000) is None
    assert watch.deadline() == 80_000 + WELL_MS
    assert watch.look(LIMIT + 2, 0, 79_999 + WELL_MS) is None
    assert watch.look(LIMIT + 2, 0, 80_000 + WELL_MS) == Condition("security", False)


def test_looks_close_together_wait_for_their_time() -> None:
    watch = quiet()
    assert watch.look(999, 0, WELL_MS + LOOK_MS - 1) is None
    assert watch.look(999, 0, WELL_MS + LOOK_MS) is not None


def test_what_was_forgotten_is_said_anew() -> None:
    watch = quiet()
    watch.forget()
    assert watch.look(0, 0, 2 * WELL_MS) == Condition("security", False)
