"""The people of a played home: ordinary days ask and raise nothing, a fall is noticed in time, words become deeds."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from gateway.home.core import Home
from gateway.home.messages import Commit, Sign
from gateway.home.roster import Roster, Terminal
from gateway.home.stillness import ORDINARY
from protocol.record import Now
from sim.people import CLOSE, DAY, MIN, OPEN, PASS, WORDS, Deed, H, S, day, deeds, drawn, sensed

ROSTER = Roster(
    (Terminal("motion-1", "motion", "hall", "native", 7200), Terminal("door-1", "door", "hall", "native", 7200))
)
MIDNIGHT_MS = 1_700_006_400_000 - 8 * H  # in the rule's time zone
BEAT = 3 * MIN
SEEN_MS = 6 * S  # a detector holds for so long after somebody has passed


def watched(lived: list[Deed], until_ms: int) -> list[int]:
    """When an alarm of stillness was raised in a home of which sensors tell these deeds at once and each BEAT."""
    home = Home("gw-1", 1, 7, ROSTER, now=Now(MIDNIGHT_MS, 0))
    seen: dict[str, int | None] = {"motion-1": None, "door-1": None}
    moments = sorted({*((deed.t_ms, deed.what) for deed in lived), *((t_ms, "") for t_ms in range(0, until_ms, BEAT))})
    opened, raised = False, []
    for t_ms, what in moments:
        now = Now(MIDNIGHT_MS + t_ms, t_ms)
        if what:
            opened = what == OPEN if what in (OPEN, CLOSE) else opened
            seen["motion-1" if what == PASS else "door-1"] = t_ms + (SEEN_MS if what == PASS else 0)
        effects = home.tick(now)
        for terminal, last_ms in seen.items():
            age_ms = None if last_ms is None else max(0, t_ms - last_ms)
            effects += home.handle(Sign(terminal, age_ms, opened if terminal == "door-1" else None), now)
        for effect in effects:
            if isinstance(effect, Commit):
                raised += [t_ms for event in effect.events if (event.kind, event.phase) == ("inactivity", "raised")]
    return raised


def lived(seed: int, days: int) -> list[Deed]:
    random = Random(seed)
    habits = drawn(random)
    return [Deed(number * DAY + one.t_ms, one.what) for number in range(days) for one in day(habits, random)]


@pytest.mark.parametrize("seed", range(20))
def test_ten_ordinary_days_of_anybody_raise_nothing(seed: int) -> None:
    assert watched(lived(seed, 10), 10 * DAY) == []


@pytest.mark.parametrize("seed", range(30))
def test_a_fall_is_noticed_within_the_configured_time(seed: int) -> None:
    whole = lived(seed, 2)
    # Not while nobody is at home, nor before the door's shutting is over: who falls then is taken to have left.
    inside = [one.t_ms for one, after in pairwise(whole) if one.what == PASS and after.what == PASS]
    last_ms = Random(seed).choice([t_ms for t_ms in inside if t_ms > H])
    (raised_ms,) = watched([deed for deed in whole if deed.t_ms <= last_ms], last_ms + DAY)
    # A detector's own holding, and two heartbeats: until a sensor says so, and until the asking is over.
    assert raised_ms - last_ms <= ORDINARY.night_ms + ORDINARY.answer_ms + SEEN_MS + 2 * BEAT
    if 7 * H <= last_ms % DAY <= 18 * H:
        assert raised_ms - last_ms <= ORDINARY.day_ms + ORDINARY.answer_ms + SEEN_MS + 2 * BEAT


@pytest.mark.parametrize("seed", range(20))
def test_a_day_is_in_order_and_its_door_is_shut_after_it_was_opened(seed: int) -> None:
    found = lived(seed, 3)
    assert found == sorted(found, key=lambda deed: deed.t_ms)
    doors = [deed.what for deed in found if deed.what != PASS]
    assert doors == [OPEN, CLOSE] * (len(doors) // 2)
    assert max(after.t_ms - one.t_ms for one, after in pairwise(found)) <= 10 * H
    assert len(found) > 60


def test_the_habits_of_one_seed_are_the_same_and_those_of_others_are_not() -> None:
    assert lived(1, 2) == lived(1, 2) != lived(2, 2)


def test_words_are_done_at_their_moment_and_habits_until_the_next() -> None:
    found = deeds(
        [(H, "goes_out"), (3 * H, "comes_home"), (4 * H, "lives"), (9 * H, "falls")], 20 * H, -8 * H, Random(1)
    )
    assert found[:3] == [Deed(H + deed.t_ms, deed.what) for deed in WORDS["goes_out"]]
    assert found[3:7] == [Deed(3 * H + deed.t_ms, deed.what) for deed in WORDS["comes_home"]]
    assert all(4 * H <= deed.t_ms < 9 * H for deed in found[7:])
    assert len(found) > 12


def test_habits_go_on_until_the_end_of_the_case() -> None:
    found = deeds([(0, "lives")], 3 * DAY, -8 * H, Random(1))
    assert 2 * DAY + 12 * H < found[-1].t_ms < 3 * DAY


def test_a_deed_is_sensed_by_a_terminal_of_its_kind() -> None:
    kinds = {"motion-1": "motion", "motion-2": "motion", "door-1": "door", "smoke-1": "smoke"}
    found = [Deed(1, "pass"), Deed(2, "open"), Deed(3, "press")]
    assert list(sensed(found, kinds, lambda names: names[-1])) == [(found[0], "motion-2"), (found[1], "door-1")]
