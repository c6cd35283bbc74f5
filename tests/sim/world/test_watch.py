"""The watch itself: each invariant that is broken is told, by its name."""

import pytest

from sim.terminals import Promise
from sim.world.timeline import Timeline
from sim.world.watch import CALM_MS, LIVE_MS_MAX, Broken, Watch


def promise(number: int, offered_ms: int = 0) -> Promise:
    return Promise("button-1", 5, number, "button", "raised", offered_ms)


def row(number: int | None, **more):
    fields = {"terminal": "button-1", "kind": "button", "phase": "raised", "link": "held", "unverified": False}
    return {**fields, "source_boot": 5, "source_number": number, **more}


@pytest.fixture
def watch() -> Watch:
    found = Watch(Timeline())
    for number in (1, 2, 3):
        found.offered(promise(number))
    return found


def broken(watch: Watch, *rows) -> str:
    for one in rows[:-1]:
        watch.committed(one)
    with pytest.raises(Broken) as error:
        watch.committed(rows[-1])
    return error.value.name


def test_what_was_offered_may_come_once_and_in_order(watch: Watch) -> None:
    for number in (1, 2, 3):
        watch.committed(row(number))
    assert watch.counts["committed"] == 3
    assert watch.at_centre(promise(3))


def test_twice_is_doubled(watch: Watch) -> None:
    assert broken(watch, row(1), row(1)) == "doubled"


def test_an_answer_that_died_with_its_process_may_become_a_call_and_either_is_there_once(watch: Watch) -> None:
    watch.committed(row(1, phase="test"))
    assert watch.at_centre(promise(1))
    watch.committed(row(1))
    assert broken(watch, row(1)) == "doubled"
    assert broken(watch, row(2, phase="test"), row(2, phase="test")) == "doubled"


def test_an_older_one_after_a_newer_one_is_disorder(watch: Watch) -> None:
    assert broken(watch, row(2), row(1)) == "order"


def test_what_nobody_offered_is_foreign(watch: Watch) -> None:
    assert broken(watch, row(9)) == "foreign"


def test_what_is_marked_unverified_or_the_gateways_own_is_no_promise(watch: Watch) -> None:
    watch.committed(row(9, unverified=True))
    watch.committed(row(None, link="own", source_boot=None))


def test_a_live_alarm_is_late_only_where_nothing_was_wrong() -> None:
    for wrong in (False, True):
        timeline = Timeline()
        watch = Watch(timeline)
        timeline.until(CALM_MS + 1)
        if wrong:
            watch.disturbed(1)
        watch.offered(promise(1, timeline.now))
        timeline.until(timeline.now + LIVE_MS_MAX + 1)
        if wrong:
            watch.committed(row(1))
            assert watch.latencies_ms == []
        else:
            assert broken(watch, row(1)) == "late"


def test_a_centre_that_lost_its_memory_may_be_told_again_in_any_order(watch: Watch) -> None:
    for number in (1, 2, 3):
        watch.committed(row(number))
    watch.restored([row(2)])
    assert broken(watch, row(2)) == "doubled"


def test_an_alarm_without_its_siren_is_told(watch: Watch) -> None:
    raised = {"id": "1-1", "kind": "smoke", "phase": "raised", "terminal": "smoke-1", "flags": [], "source": None}
    watch.gateway("raised", {**raised, "flags": ["unverified"]})
    watch.gateway("siren", {"state": "on", "kind": "smoke"})
    watch.gateway("raised", raised)
    watch.gateway("siren", {"state": "off", "kind": "smoke"})
    with pytest.raises(Broken, match="quiet"):
        watch.gateway("raised", raised)


def test_an_error_in_the_agent_and_a_damaged_outbox_are_told(watch: Watch) -> None:
    with pytest.raises(Broken, match="boom"):
        watch.gateway("error", {"trace": "boom"})
    damaged = {"ok": False, "detail": "damaged database kept aside as x; 0 events saved from it"}
    with pytest.raises(Broken, match="kept aside"):
        watch.gateway("storage", damaged)
    watch.may_damage = True
    watch.gateway("storage", damaged)


def test_an_alarm_whose_raise_is_on_the_card_may_not_be_forgotten(watch: Watch) -> None:
    smoke = {"id": "1-1", "kind": "smoke", "phase": "raised", "terminal": "smoke-1", "flags": [], "source": None}
    ended = {**smoke, "id": "2-1", "phase": "restored", "flags": ["no_raise"]}
    watch.gateway("siren", {"state": "on", "kind": "smoke"})
    for remembers in (False, True):
        watch.gateway("raised", smoke)
        watch.gateway("committed", {"ids": ["1-1"]})
        watch.gateway("killed", {})
        watch.gateway("ready", {"epoch": 2, "remembers": remembers})
        if remembers:
            with pytest.raises(Broken, match="on the card"):
                watch.gateway("raised", ended)
        else:
            watch.gateway("raised", ended)


def test_one_event_of_a_terminal_is_taken_once_by_a_process(watch: Watch) -> None:
    press = {"id": "1-1", "kind": "button", "phase": "raised", "terminal": "button-1", "flags": [], "source": [5, 1]}
    watch.gateway("raised", press)
    watch.gateway("killed", {})
    watch.gateway("raised", press)
    watch.gateway("raised", {**press, "source": [5, 2]})
    with pytest.raises(Broken, match="second time"):
        watch.gateway("raised", {**press, "phase": "updated"})


def test_what_a_crash_took_before_it_was_written_is_forgotten_until_it_is_written(watch: Watch) -> None:
    tamper = {"id": "1-1", "kind": "tamper", "phase": "raised", "terminal": "smoke-1", "flags": [], "source": None}
    watch.gateway("raised", tamper)
    watch.gateway("committed", {"ids": ["1-1"]})
    watch.gateway("killed", {})
    assert watch.forgotten == set()
    watch.gateway("raised", {**tamper, "id": "1-2"})
    watch.gateway("power_cut", {})
    assert watch.forgotten == {("smoke-1", "tamper")}
    watch.gateway("raised", {**tamper, "id": "2-1"})
    watch.gateway("committed", {"ids": ["2-1"]})
    assert watch.forgotten == set()


def test_a_sign_of_life_at_the_centre_is_no_alarm(watch: Watch) -> None:
    assert broken(watch, row(1, terminal="door-1", kind="door", link="own")) == "sign"


def test_what_follows_a_call_comes_after_it_unless_the_centre_has_lost_some(watch: Watch) -> None:
    update = row(None, kind="bracelet_sos", phase="updated", link="own", source_boot=None)
    watch.committed({**update, "alarm_kind": "bracelet_sos"})
    assert broken(watch, {**update, "alarm_kind": None}) == "followed"
    watch._timeline.until(1)
    watch.restored([])
    watch.committed({**update, "alarm_kind": None})
