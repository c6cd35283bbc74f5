"""Where bracelets are, through the whole core: what goes along with a call, what follows it, and the fence's events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.home.core import Home
from gateway.home.fence import SAMPLE_MS, Fence
from gateway.home.messages import Acknowledge, Commit, Committed, Effect, Fix, Input, Reading, Tell
from gateway.home.roster import Roster, Terminal
from gateway.home.whereabouts import FOLLOW_MS, FRESH_MS, MOVED_M, MOVED_MS
from protocol.geo import Position
from protocol.record import Event, Now, Source

METRE_E7 = 90
FENCE = Fence(399_990_000, 1_163_850_000, 100)
ROSTER = Roster((Terminal("bracelet-1", "bracelet", "", "bracelet-1", fence=FENCE),))
SOS = "bracelet_sos"


class Core:
    """A home with one bracelet; what it commits is kept, and what the disk would hold."""

    def __init__(
        self,
        state: dict[str, bytes] | None = None,
        now_ms: int = 0,
        boot: int = 7,
        epoch: int = 1,
        roster: Roster = ROSTER,
    ):
        self.state: dict[str, bytes | None] = dict(state or {})
        self.effects: list[Effect] = []
        self.home = Home("gw-1", epoch, boot, roster, now=_at(now_ms), state=state)

    def tell(self, message: Input, now_ms: int) -> list[Event]:
        """The events that follow."""
        self.effects = self.home.handle(message, _at(now_ms))
        commits = [effect for effect in self.effects if isinstance(effect, Commit)]
        for commit in commits:
            self.state.update(commit.state)
        return [event for commit in commits for event in commit.events]

    def press(self, now_ms: int, number: int = 1, kind: str = SOS) -> Event:
        (event,) = self.tell(Reading("bracelet-1", kind, "raised", "held", Source(9, number)), now_ms)
        return event

    def fix(self, metres: float, now_ms: int, accuracy_dm: int = 50) -> list[Event]:
        return self.tell(Fix("bracelet-1", there(metres, accuracy_dm)), now_ms)


def _at(ms: int) -> Now:
    return Now(1_700_000_000_000 + ms, ms)


def there(metres: float, accuracy_dm: int = 50, age_ms: int = 0) -> Position:
    """So far north of the fence's centre."""
    return Position(FENCE.latitude_e7 + round(metres * METRE_E7), FENCE.longitude_e7, age_ms, accuracy_dm, 1, 9)


# --- calls ---


def test_a_call_goes_out_at_once_with_the_last_known_position_and_its_age() -> None:
    core = Core()
    core.fix(10, 1000)
    event = core.press(61_000)
    assert (event.kind, event.phase, event.link, event.severity) == (SOS, "raised", "held", "life")
    assert event.position == there(10, age_ms=60_000)
    assert event.evidence == {"presses": 1}
    assert Tell("sending", SOS, "bracelet-1") in core.effects
    assert core.home.handle(Committed((event.id,)), _at(61_001)) == [Acknowledge("bracelet-1", Source(9, 1))]


def test_the_age_that_a_fix_has_when_it_comes_is_part_of_its_age() -> None:
    core = Core()
    core.tell(Fix("bracelet-1", there(10, age_ms=900)), 1000)
    assert core.press(3000).position == there(10, age_ms=2900)


def test_a_call_without_any_position_waits_for_none_and_the_first_fix_follows() -> None:
    core = Core()
    raised = core.press(1000)
    assert raised.position is None
    (followed,) = core.fix(20, 9000)
    assert (followed.kind, followed.phase, followed.link) == (SOS, "updated", "own")
    assert (followed.alarm, followed.source, followed.position) == (raised.id, None, there(20))
    assert core.fix(20, 10_000) == []


def test_a_last_known_position_is_followed_by_a_live_one_and_a_live_one_by_nothing() -> None:
    core = Core()
    core.fix(10, 1000)
    core.press(1000 + FRESH_MS + 1)
    assert len(core.fix(10, 20_000)) == 1
    core = Core()
    core.fix(10, 1000)
    core.press(1000 + FRESH_MS)
    assert core.fix(10, 20_000) == []


def test_a_much_better_fix_is_told_at_once_and_a_worse_one_never() -> None:
    core = Core()
    core.fix(10, 1000, accuracy_dm=400)
    core.press(1500)
    assert core.fix(12, 2000, accuracy_dm=201) == []
    assert [event.position for event in core.fix(12, 3000, accuracy_dm=200)] == [there(12, 200)]
    assert core.fix(12, 4000, accuracy_dm=0) == []


def test_who_walks_on_after_a_call_is_followed_for_as_long_as_help_may_take() -> None:
    core = Core()
    core.fix(0, 0)
    core.press(0)
    assert core.fix(MOVED_M + 1, MOVED_MS - 1) == []
    assert len(core.fix(MOVED_M + 1, MOVED_MS)) == 1
    assert core.fix(2 * MOVED_M, 2 * MOVED_MS) == []  # not far from where it was last told
    assert core.fix(40 * MOVED_M, FOLLOW_MS + 1) == []


def test_a_press_soon_after_is_the_same_call_and_one_much_later_another() -> None:
    core = Core()
    first, again, anew = core.press(0, 1), core.press(5000, 2), core.press(600_000, 3)
    assert [event.phase for event in (first, again, anew)] == ["raised", "updated", "raised"]
    assert again.alarm == first.id
    assert (again.evidence, anew.evidence) == ({"presses": 2}, {"presses": 1})


def test_following_a_call_does_not_make_a_later_press_part_of_it() -> None:
    core = Core()
    core.press(0, 1)
    assert len(core.fix(0, 25_000)) == 1
    assert core.press(40_000, 2).phase == "raised"


def test_a_fall_and_a_call_of_one_bracelet_are_followed_each() -> None:
    core = Core()
    core.press(0, 1, "bracelet_fall")
    core.press(100, 2)
    assert {event.kind for event in core.fix(0, 5000)} == {"bracelet_fall", SOS}


def test_a_fresh_call_is_followed_after_a_restart_and_one_of_another_boot_is_not() -> None:
    core = Core()
    core.press(0)
    state = {key: data for key, data in core.state.items() if data is not None}
    assert len(Core(state, 20_000, epoch=2).fix(0, 30_000)) == 1
    assert Core(state, 20_000, epoch=2, boot=8).fix(0, 30_000) == []


def test_a_key_that_is_repeated_is_one_event_and_one_of_a_bracelet_that_started_anew_is_another() -> None:
    core = Core()
    core.press(0, 7)
    assert core.tell(Reading("bracelet-1", SOS, "raised", "held", Source(9, 7)), 2000) == []
    assert len(core.tell(Reading("bracelet-1", SOS, "raised", "held", Source(10, 1)), 4000)) == 1


def test_a_fix_of_a_bracelet_that_nobody_knows_is_counted() -> None:
    core = Core()
    assert core.tell(Fix("bracelet-9", there(0)), 0) == []
    assert core.home.counters["unknown_terminal"] == 1


# --- the fence ---


def way(core: Core, *metres: float, since_ms: int = 0) -> list[Event]:
    return [event for n, away_m in enumerate(metres) for event in core.fix(away_m, since_ms + n * SAMPLE_MS)]


def test_leaving_the_fence_is_raised_and_coming_back_is_its_end_each_with_where() -> None:
    core = Core()
    left, back = way(core, 0, 0, 70, 140, 200, 140, 80, 20)
    assert (left.kind, left.phase, left.severity, left.link) == ("fence_exit", "raised", "life", "own")
    assert left.position == there(200)
    assert left.evidence == {"distance_m": pytest.approx(200, abs=1), "radius_m": 100}
    assert (back.phase, back.alarm, back.position) == ("restored", left.id, there(20))


def test_an_exit_is_not_raised_again_after_a_restart_and_ends_all_the_same() -> None:
    core = Core()
    (left,) = way(core, 200, 200)
    state = {key: data for key, data in core.state.items() if data is not None}
    later = Core(state, 100_000, epoch=2)
    (back,) = way(later, 200, 200, 130, 60, 10, since_ms=100_000)
    assert (back.phase, back.alarm) == ("restored", left.id)


def test_an_exit_from_a_fence_that_was_taken_away_is_over() -> None:
    core = Core()
    (left,) = way(core, 200, 200)
    state = {key: data for key, data in core.state.items() if data is not None}
    unfenced = Roster((Terminal("bracelet-1", "bracelet", "", "bracelet-1"),))
    (over,) = Core(state, 100_000, epoch=2, roster=unfenced).fix(200, 101_000)
    assert (over.kind, over.phase, over.alarm) == ("fence_exit", "restored", left.id)


FIXES = st.builds(
    lambda metres, accuracy_dm: Fix("bracelet-1", there(metres, accuracy_dm)), st.integers(0, 900), st.integers(0, 999)
)
KEYS = st.builds(
    lambda kind, boot, number: Reading("bracelet-1", kind, "raised", "held", Source(boot, number)),
    st.sampled_from([SOS, "bracelet_fall"]),
    st.integers(0, 2),
    st.integers(1, 5),
)


@given(st.lists(st.tuples(st.one_of(FIXES, KEYS), st.integers(0, 200_000)), max_size=60))
def test_whatever_a_bracelet_says_a_call_is_one_event_at_once_and_an_exit_ends_before_the_next(
    said: list[tuple[Fix | Reading, int]],
) -> None:
    core, now_ms = Core(), 0
    taken: set[Source] = set()
    last_boot: int | None = None
    outside = False
    for message, passed_ms in said:
        now_ms += passed_ms
        events = core.tell(message, now_ms)
        for event in events:
            if event.kind == "fence_exit":
                assert (event.phase == "raised") != outside
                outside = event.phase == "raised"
            if event.link == "own":
                assert event.position is not None
        if isinstance(message, Reading) and message.source is not None:
            new = message.source.boot != last_boot or message.source.number > max(
                (one.number for one in taken if one.boot == last_boot), default=0
            )
            if message.source.boot != last_boot:
                taken.clear()
            last_boot = message.source.boot
            taken.add(message.source)
            assert sum(event.link == "held" for event in events) == int(new)
