"""When a level that lasts, or something seen again and again, begins to be a trouble, and when it is over."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.lasting import Level, Sightings


def test_a_level_is_a_trouble_once_it_has_been_bad_for_long_enough():
    level = Level(2000, 10_000)
    assert (level.look(0), level.deadline()) == (None, None)
    level.say(True, 1000)
    assert level.deadline() == 3000
    assert level.look(2999) is None
    assert level.look(3000) is True
    assert level.look(3001) is None  # said once
    assert level.deadline() is None


def test_a_flicker_is_none():
    level = Level(2000, 10_000)
    level.say(False, 0)
    assert level.look(0) is False  # one that an earlier process left standing is over
    level.say(True, 1000)
    level.say(False, 2900)
    assert level.look(3000) is None
    level.say(True, 3100)
    assert level.look(5099) is None
    assert level.look(5100) is True


def test_it_is_over_when_it_has_been_good_for_long_enough():
    level = Level(0, 10_000)
    level.say(True, 0)
    assert level.look(0) is True
    level.say(False, 100)
    level.say(False, 5000)  # as it was: counted from the first
    assert level.deadline() == 10_100
    assert level.look(10_099) is None
    assert level.look(10_100) is False


def test_what_was_forgotten_is_said_anew():
    level = Level(1000, 1000)
    level.say(True, 0)
    assert level.look(1000) is True
    level.forget()
    assert level.deadline() == 1000
    assert level.look(2000) is True


def test_what_is_seen_is_a_trouble_at_once_and_until_it_has_not_been_seen_for_long_enough():
    sightings = Sightings(60_000, 0)
    sightings.seen(1000)
    assert sightings.look(1000) is True
    assert sightings.look(1001) is None
    sightings.seen(50_000)
    assert sightings.deadline() == 110_000
    assert sightings.look(109_999) is None
    assert sightings.look(110_000) is False
    assert sightings.deadline() is None
    sightings.seen(200_000)
    assert sightings.look(200_000) is True


def test_what_an_earlier_process_left_standing_has_its_time_to_be_seen_again():
    sightings = Sightings(60_000, 5000)
    assert sightings.deadline() == 65_000
    assert sightings.look(64_999) is None
    assert sightings.look(65_000) is False
    assert sightings.look(65_001) is None
    sightings.forget()
    assert sightings.look(65_002) is False


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=40))
def test_a_level_tells_beginnings_and_ends_in_turn_and_no_closer_than_its_limits(steps):
    level, now_ms, told = Level(10, 20), 0, []
    for bad, ms in steps:
        level.say(bad, now_ms)
        for _ in range(ms):
            if (due := level.deadline()) is not None and due <= now_ms:
                told.append((now_ms, level.look(now_ms)))
            else:
                assert level.look(now_ms) is None
            now_ms += 1
    ends = [present for _, present in told]
    assert all(one is not other for one, other in pairwise(ends))
    raises = [ms for ms, present in told if present]
    assert all(later - earlier >= 30 for earlier, later in pairwise(raises))
