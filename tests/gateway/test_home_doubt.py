"""Doubt: what could not be verified never silences a life alarm, and never becomes a plain one."""

from collections.abc import Sequence

import pytest

from gateway.home.core import Home
from gateway.home.doubts import DOUBT_MS, QUIET_MS
from gateway.home.messages import Acknowledge, Commit, Committed, Doubt, Effect, Reading, Siren, Tell
from gateway.home.roster import Roster, Terminal
from protocol.record import Event, EventId, Now, Source

ROSTER = Roster((Terminal("smoke-1", "smoke", "kitchen", "native", 86_400),))


def at(ms: int) -> Now:
    return Now(ms, ms)


def new_home(now_ms: int = 0, state: dict[str, bytes] | None = None, boot: int = 7) -> Home:
    return Home("gw-1", 1, boot, ROSTER, now=at(now_ms), state=state)


def doubt(number: int = 1, kind: str = "smoke", phase: str = "raised", terminal: str = "smoke-1") -> Doubt:
    return Doubt(terminal, kind, phase, Source(9, number), "bad_tag")


def said(phase: str, number: int = 1) -> Reading:
    return Reading("smoke-1", "smoke", phase, "held", Source(9, number))


def events(effects: Sequence[Effect]) -> list[Event]:
    return [event for effect in effects if isinstance(effect, Commit) for event in effect.events]


def test_a_doubt_that_nothing_dispels_is_raised_marked_and_told_without_the_siren() -> None:
    home = new_home()
    assert home.handle(doubt(), at(0)) == []
    assert home.deadline() == DOUBT_MS
    assert home.tick(at(DOUBT_MS - 1)) == []
    effects = home.tick(at(DOUBT_MS))
    (event,) = events(effects)
    assert (event.kind, event.phase, event.flags, event.evidence) == ("smoke", "raised", ("unverified",), {"doubts": 1})
    assert (event.terminal, event.link, event.alarm) == ("smoke-1", "heard", event.id)
    assert Tell("sending", "smoke", "smoke-1") in effects
    assert not any(isinstance(effect, Siren) for effect in effects)
    assert home.tick(at(DOUBT_MS)) == []


def test_the_verified_event_dispels_it() -> None:
    home = new_home()
    home.handle(doubt(), at(0))
    home.handle(said("raised"), at(DOUBT_MS - 1))
    assert events(home.tick(at(DOUBT_MS))) == []


def test_another_verified_event_does_not() -> None:
    home = new_home()
    home.handle(doubt(2), at(0))
    home.handle(said("raised", 1), at(1))
    assert len(events(home.tick(at(DOUBT_MS)))) == 1


def test_what_is_known_already_is_not_doubted() -> None:
    home = new_home()
    home.handle(said("raised", 5), at(0))
    home.handle(doubt(4), at(1))
    assert events(home.tick(at(1 + DOUBT_MS))) == []


def test_at_most_one_in_ten_minutes_whatever_a_stranger_sends() -> None:
    home = new_home()
    raised_at = []
    for ms in range(0, 2 * QUIET_MS, 1000):
        home.handle(doubt(ms), at(ms))
        raised_at += [ms for event in events(home.tick(at(ms)))]
    assert raised_at == [DOUBT_MS, DOUBT_MS + QUIET_MS]
    assert home.counters == {"doubts": 1200, "doubts_quiet": 198}  # one a second; each that is let go stood for six


def test_they_are_counted_in_the_evidence() -> None:
    home = new_home()
    for number in range(3):
        home.handle(doubt(number), at(number))
    (event,) = events(home.tick(at(DOUBT_MS)))
    assert event.evidence == {"doubts": 3}


@pytest.mark.parametrize(
    "message",
    [
        doubt(phase="restored"),
        doubt(phase="test"),
        doubt(kind="tamper"),
        doubt(kind="flood"),
        doubt(kind="meteor"),
        doubt(terminal="smoke-9"),
    ],
)
def test_what_is_not_of_life_or_raises_nothing_is_counted_only(message: Doubt) -> None:
    home = new_home()
    assert home.handle(message, at(0)) == []
    assert events(home.tick(at(DOUBT_MS))) == []
    assert sum(home.counters.values()) == 1


def test_a_doubtful_restore_restores_nothing() -> None:
    home = new_home()
    home.handle(said("raised"), at(0))
    home.handle(doubt(2, phase="restored"), at(1))
    home.tick(at(1 + DOUBT_MS))
    assert [alarm["alarm"] for alarm in home.alarms(at(DOUBT_MS))] == ["1-1"]


def test_the_verified_alarm_is_an_alarm_of_its_own_afterwards() -> None:
    home = new_home()
    home.handle(doubt(), at(0))
    (unverified,) = events(home.tick(at(DOUBT_MS)))
    effects = home.handle(said("raised"), at(9000))
    (event,) = events(effects)
    assert (event.phase, event.alarm, event.flags) == ("raised", event.id, ())
    assert effects[0] == Siren(True, "smoke")
    # The centre knows an event by its source too: the doubtful one must not stand in the way of the verified one.
    assert unverified.source is None


def test_a_stranger_gets_no_acknowledgement() -> None:
    home = new_home()
    home.handle(doubt(), at(0))
    (event,) = events(home.tick(at(DOUBT_MS)))
    assert event.id == EventId(1, 1)
    committed = home.handle(Committed((event.id,)), at(DOUBT_MS + 1))
    assert not any(isinstance(effect, Acknowledge) for effect in committed)


@pytest.mark.parametrize(("boot", "raised"), [(7, 0), (8, 1)], ids=["same boot", "another boot"])
def test_a_restart_of_the_agent_does_not_let_a_stranger_raise_again(boot: int, raised: int) -> None:
    home = new_home()
    home.handle(doubt(), at(0))
    (commit,) = [effect for effect in home.tick(at(DOUBT_MS)) if isinstance(effect, Commit)]
    state = {key: data for key, data in commit.state.items() if data is not None}
    again = new_home(10_000, state, boot)
    assert again.counters["state_ignored"] == 0
    again.handle(doubt(2), at(11_000))
    assert len(events(again.tick(at(11_000 + DOUBT_MS)))) == raised
