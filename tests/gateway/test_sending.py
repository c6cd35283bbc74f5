"""The order of sending, held against a naive oracle and against an outbox that holds more than fits in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway import sending as sending_module
from gateway.database import key_of
from gateway.sending import (
    AGAIN_HELD_MAX,
    AGAIN_TRIES_MAX,
    HELD_MAX,
    RESEND_MS,
    RESEND_MS_MAX,
    WINDOW,
    Sending,
)
from gateway.urgency import by_urgency
from protocol.record import Event, EventId, Interval, Stamp
from protocol.words import LIFE, PROPERTY, SEVERITIES, TROUBLE


def event(sequence: int, severity: str = LIFE, terminal: str = "smoke-1", epoch: int = 7) -> Event:
    name = EventId(epoch, sequence)
    time = Stamp(1_800_000_000_000, 100 + sequence, 1, "synchronised")
    return Event("gw-1", name, name, "smoke", "raised", severity, "held", terminal, "kitchen", time)


def sent(sending: Sending, now_ms: int = 0) -> list[tuple[int, int]]:
    return [(one.id.sequence, attempt) for one, attempt in sending.ready(now_ms)]


def receipt(*sequences: int) -> list[Interval]:
    return [Interval(7, sequence, sequence) for sequence in sequences]


# --- the order ---


def test_life_goes_before_property_before_trouble() -> None:
    sending = Sending()
    for one in (event(1, TROUBLE, "a"), event(2, PROPERTY, "b"), event(3, LIFE, "c")):
        assert sending.add(one, live=True)
    assert sent(sending) == [(3, 1), (2, 1), (1, 1)]


def test_live_goes_before_backlog_between_terminals() -> None:
    sending = Sending()
    sending.add(event(1, LIFE, "a"), live=False)
    sending.add(event(2, LIFE, "b"), live=True)
    assert sent(sending) == [(2, 1), (1, 1)]


def test_within_a_terminal_the_next_goes_only_after_the_receipt() -> None:
    sending = Sending()
    for sequence in (2, 1, 3):
        sending.add(event(sequence), live=True)
    assert sent(sending) == [(1, 1)]
    assert sent(sending) == []
    assert sending.settle(receipt(1)) == [EventId(7, 1)]
    assert sent(sending) == [(2, 1)]
    assert sending.settle([Interval(7, 0, 9), Interval(8, 0, 9)]) == [EventId(7, 2), EventId(7, 3)]
    assert sending.waiting() == 0


def test_an_earlier_epoch_goes_first() -> None:
    sending = Sending()
    sending.add(event(1, epoch=8), live=True)
    sending.add(event(900, epoch=7), live=False)
    assert [one.id.epoch for one, _ in sending.ready(0)] == [7]


def test_an_alarm_lends_its_urgency_to_the_trouble_before_it() -> None:
    sending = Sending()
    for sequence in range(10, 20):
        sending.add(event(sequence, PROPERTY, f"p-{sequence}"), live=True)
    sending.add(event(30, TROUBLE, "a"), live=True)
    sending.add(event(31, LIFE, "a"), live=True)
    assert sent(sending)[0] == (30, 1)
    sending.settle(receipt(30))
    assert sent(sending)[0] == (31, 1)


@pytest.mark.parametrize(
    ("severity", "live", "taken"), [(TROUBLE, True, 4), (PROPERTY, True, 6), (LIFE, False, 7), (LIFE, True, 8)]
)
def test_the_last_places_of_the_window_are_kept_for_what_is_more_urgent(severity: str, live: bool, taken: int) -> None:
    sending = Sending()
    for sequence in range(20):
        sending.add(event(sequence, severity, f"t-{sequence}"), live)
    assert len(sent(sending)) == taken
    sending.add(event(50, LIFE, "fire"), live=True)
    assert sent(sending) == ([] if taken == WINDOW else [(50, 1)])


def test_a_wild_terminal_takes_no_room_from_an_alarm_as_urgent_as_its_own() -> None:
    sending = Sending()
    for sequence in range(HELD_MAX):
        assert sending.add(event(sequence, terminal="wild"), live=True)
    assert sending.add(event(HELD_MAX, terminal="button-1"), live=True)
    assert sent(sending) == [(0, 1), (HELD_MAX, 1)]
    assert not sending.add(event(HELD_MAX + 1, terminal="wild"), live=True)  # it waits behind what went back


# --- sending again ---


def test_what_gets_no_receipt_is_sent_again_and_counted() -> None:
    sending = Sending()
    assert sending.deadline() is None
    sending.add(event(1), live=True)
    assert sent(sending, 5) == [(1, 1)]
    assert sending.deadline() == 5 + RESEND_MS
    assert sent(sending, 4 + RESEND_MS) == []
    assert sent(sending, 5 + RESEND_MS) == [(1, 2)]
    assert sending.waiting() == 1


def test_the_wait_for_a_receipt_doubles_up_to_its_limit_and_begins_anew_with_the_next_connection() -> None:
    sending = Sending()
    sending.add(event(1), live=True)
    now_ms, waits = 0, []
    for _ in range(5):
        sending.ready(now_ms)
        due_ms = sending.deadline()
        assert due_ms is not None
        waits.append(due_ms - now_ms)
        now_ms = due_ms
    assert waits == [2_000, 4_000, 8_000, RESEND_MS_MAX, RESEND_MS_MAX]
    sending.lost()
    sending.ready(now_ms)
    assert sending.deadline() == now_ms + RESEND_MS


def test_what_was_in_flight_when_the_connection_went_is_sent_at_once_on_the_next() -> None:
    sending = Sending()
    sending.add(event(1), live=True)
    sent(sending, 0)
    sending.lost()
    assert sending.deadline() is None
    assert sent(sending, 1) == [(1, 2)]


def test_events_that_the_centre_never_answers_do_not_block_others() -> None:
    sending = Sending()
    for sequence in range(8):
        sending.add(event(sequence, LIFE, f"t-{sequence}"), live=True)
    assert len(sent(sending, 0)) == 8
    sending.add(event(100, LIFE, "other"), live=True)
    assert sent(sending, 1) == []
    assert sent(sending, RESEND_MS)[0] == (100, 1)


def test_the_same_event_twice_is_one() -> None:
    sending = Sending()
    sending.add(event(1), live=True)
    sent(sending, 0)
    assert sending.add(event(1), live=False)
    assert sending.waiting() == 1
    assert sent(sending, 1) == []


def test_the_oldest_counts_from_its_time_or_from_its_loading() -> None:
    sending = Sending()
    assert sending.oldest_ms() is None
    sending.add(event(5), live=True)
    assert sending.oldest_ms() == 105
    sending.loaded([event(1)], {}, 50)
    assert sending.oldest_ms() == 50


@dataclass
class Row:
    event: Event
    live: bool
    attempts: int = 0
    unanswered: int = 0
    sent_ms: int | None = None

    def due_ms(self) -> int | None:
        if self.sent_ms is None:
            return None
        return self.sent_ms + {0: 2_000, 1: 4_000, 2: 8_000}.get(self.unanswered, 10_000)


class AgainstAnOracle(RuleBasedStateMachine):
    """Everything asked of Sending is worked out a second time from a plain list, the slow way."""

    def __init__(self) -> None:
        super().__init__()
        self.window = WINDOW
        self.sending = Sending()
        self.now_ms = 0
        self.number = 0
        self.rows: list[Row] = []

    @initialize(window=st.sampled_from((1, 2, 8)))
    def begin(self, window: int) -> None:
        self.window = window
        self.sending = Sending(window)

    @rule(
        severity=st.sampled_from(SEVERITIES),
        terminal=st.sampled_from("abcdefghijkl"),
        live=st.booleans(),
        epoch=st.integers(6, 7),
    )
    def add(self, severity: str, terminal: str, live: bool, epoch: int) -> None:
        self.number += 1
        one = event(self.number, severity, terminal, epoch)
        assert self.sending.add(one, live)
        self.rows.append(Row(one, live))

    @rule(step_ms=st.sampled_from((0, 1, 400, RESEND_MS - 1, RESEND_MS, 2 * RESEND_MS, RESEND_MS_MAX)))
    def ready(self, step_ms: int) -> None:
        self.now_ms += step_ms
        assert self.sending.ready(self.now_ms) == self.expected()

    def expected(self) -> list[tuple[Event, int]]:
        for row in self.rows:
            due_ms = row.due_ms()
            if due_ms is not None and self.now_ms >= due_ms:
                row.unanswered, row.sent_ms = row.unanswered + 1, None
        out: list[tuple[Event, int]] = []
        for severity, _, backlog, _, row in sorted(self.candidates(), key=lambda found: found[:4]):
            life = self.window * 7 // 8 if backlog else self.window
            places = (life, self.window * 6 // 8, self.window // 2)[severity]
            if sum(other.sent_ms is not None for other in self.rows) < max(1, places):
                row.attempts, row.sent_ms = row.attempts + 1, self.now_ms
                out.append((row.event, row.attempts))
        return out

    def candidates(self) -> list[tuple[int, int, int, EventId, Row]]:
        found = []
        for terminal in "abcdefghijkl":
            mine = sorted((row for row in self.rows if row.event.terminal == terminal), key=lambda row: row.event.id)
            if mine and all(row.sent_ms is None for row in mine):
                severity, backlog = min((SEVERITIES.index(row.event.severity), int(not row.live)) for row in mine)
                found.append((severity, mine[0].unanswered, backlog, mine[0].event.id, mine[0]))
        return found

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        some = data.draw(st.lists(st.integers(1, self.number + 2), max_size=4))
        gone = [row.event.id for row in self.rows if {row.event.id.sequence, row.event.id.sequence - 1} & set(some)]
        intervals = [Interval(epoch, one, one + 1) for one in some for epoch in (6, 7)]
        assert self.sending.settle(intervals) == sorted(gone)
        self.rows = [row for row in self.rows if row.event.id not in gone]

    @rule()
    def lost(self) -> None:
        self.sending.lost()
        for row in self.rows:
            row.unanswered, row.sent_ms = 0, None

    @invariant()
    def the_rest_agrees(self) -> None:
        flying = [due_ms for row in self.rows if (due_ms := row.due_ms()) is not None]
        assert self.sending.deadline() == min(flying, default=None)
        assert self.sending.waiting() == len(self.rows)
        assert self.sending.room() == HELD_MAX - len(self.rows)
        assert len(flying) <= self.window


TestAgainstAnOracle = AgainstAnOracle.TestCase


# --- more than there is room for ---


class Disk:
    """All unsettled events, as the outbox has them; what it is asked for comes a turn later."""

    def __init__(self) -> None:
        self.rows: dict[EventId, Event] = {}
        self.answer: tuple[list[Event], dict[str, EventId]] | None = None

    def load(self, sending: Sending, limit: int) -> None:
        if self.answer is not None:
            sending.loaded(*self.answer, 0)
            self.answer = None
        elif sending.behind() and sending.room() > 0:
            held = sending.held()
            keys = sorted((key_of(one) for one in self.rows.values()), key=lambda key: key.id)
            order, more = by_urgency(lambda: keys, limit, held)
            self.answer = [self.rows[key.id] for key in order], more


def test_a_live_alarm_finds_room_at_the_cost_of_the_last_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending_module, "HELD_MAX", 3)
    sending = Sending()
    for sequence in range(3):
        assert sending.add(event(sequence, TROUBLE, "a"), live=True)
    assert not sending.behind()
    assert sending.add(event(5, LIFE, "b"), live=True)
    assert sending.behind()
    assert sending.waiting() == 3
    assert not sending.add(event(6, TROUBLE, "a"), live=True)  # 2 went back to the outbox, and 6 may not overtake it
    assert sent(sending) == [(5, 1), (0, 1)]


def test_a_live_event_does_not_overtake_those_of_its_terminal_that_are_still_on_disk() -> None:
    sending = Sending()
    sending.loaded([event(1), event(2)], {"smoke-1": EventId(7, 3)}, 0)
    assert not sending.add(event(9), live=True)
    assert sending.add(event(10, LIFE, "smoke-2"), live=True)
    sending.held()
    sending.loaded([event(3), event(9)], {}, 0)
    assert not sending.behind()
    assert sending.add(event(11), live=True)


def test_what_came_before_the_disk_could_be_read_goes_back_behind_what_is_on_it() -> None:
    sending = Sending()
    sending.add(event(8), live=True)
    sending.add(event(9), live=True)
    sent(sending)
    sending.loaded([event(1)], {"smoke-1": EventId(7, 2)}, 0)
    assert sending.held() == {EventId(7, 1), EventId(7, 8)}  # 8 is in flight already
    assert sending.behind()


def test_refusals_while_the_outbox_is_asked_count_for_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending_module, "HELD_MAX", 2)
    sending = Sending()
    sending.add(event(1), live=True)
    sending.add(event(2), live=True)
    sending.held()
    assert not sending.add(event(3), live=True)
    sending.settle(receipt(1))
    sending.loaded([], {}, 0)
    assert sending.behind()


@given(
    plan=st.lists(
        st.tuples(st.sampled_from(SEVERITIES), st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=60
    ),
    room=st.integers(1, 6),
    data=st.data(),
)
def test_whatever_the_room_everything_is_sent_and_in_order(
    plan: Sequence[tuple[str, str, bool]], room: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending_module, "HELD_MAX", room)
        disk, sending, first = Disk(), Sending(), []
        for sequence, (severity, terminal, step) in enumerate(plan):
            one = event(sequence, severity, terminal)
            disk.rows[one.id] = one
            sending.add(one, live=True)
            if step:
                first += turn(sending, disk, data)
        for _ in range(10):
            first += turn(sending, disk, data)
        for _ in range(10 * len(plan)):
            first += turn(sending, disk, None)
        assert not disk.rows
        for terminal in "abcd":
            mine = [one.id for one in first if one.terminal == terminal]
            assert mine == sorted(mine)
        assert len({one.id for one in first}) == len(plan)


def turn(sending: Sending, disk: Disk, data: st.DataObject | None) -> list[Event]:
    """One round: load if there is more, send, and have a receipt for some or (without `data`) all; what was sent for
    the first time while it was in memory."""
    disk.load(sending, limit=3)
    out = sending.ready(0)
    for one, _ in out:
        if data is None or data.draw(st.booleans()):
            sending.settle(receipt(one.id.sequence))
            del disk.rows[one.id]
    sending.lost()
    assert sending.waiting() <= sending_module.HELD_MAX
    return [one for one, attempt in out if attempt == 1]


# --- what a centre has lost ---


def test_what_a_centre_has_lost_goes_in_order_and_holds_up_no_news_of_its_terminal() -> None:
    sending = Sending()
    assert sending.again([event(2), event(1)], 0) == [EventId(7, 2), EventId(7, 1)]
    sending.add(event(9), live=True)
    assert sent(sending) == [(9, 1), (1, 1)]
    assert sending.waiting() == 3
    assert sending.settle(receipt(1, 9)) == [EventId(7, 1), EventId(7, 9)]
    assert sent(sending) == [(2, 1)]
    assert sending.settle(receipt(2)) == [EventId(7, 2)]
    assert (sending.waiting(), sending.deadline()) == (0, None)


def test_what_is_here_already_is_not_taken_again() -> None:
    sending = Sending()
    sending.add(event(1), live=True)
    assert sending.again([event(1)], 0) == []
    assert sending.again([event(2)], 0) == [EventId(7, 2)]
    assert sending.again([event(2)], 0) == []
    assert sending.waiting() == 2


def test_what_a_centre_has_lost_and_does_not_take_is_let_go_and_the_next_has_its_turn() -> None:
    sending = Sending()
    sending.again([event(1), event(2)], 0)
    now_ms, tries = 0, []
    while (found := sent(sending, now_ms)) != [(2, 1)]:
        tries += found
        deadline = sending.deadline()
        assert deadline is not None
        now_ms = deadline
    assert tries == [(1, attempt) for attempt in range(1, AGAIN_TRIES_MAX + 1)]
    assert sending.waiting() == 1


def test_what_a_centre_has_lost_leaves_room_and_makes_it() -> None:
    sending = Sending()
    assert len(sending.again([event(n) for n in range(HELD_MAX)], 0)) == AGAIN_HELD_MAX
    for n in range(HELD_MAX):
        assert sending.add(event(n, TROUBLE, "other", epoch=8), live=True)
    assert sending.waiting() == HELD_MAX
    assert not sending.behind()  # what was let go waits in no outbox: the centre asks for it
    assert sending.again([event(0, epoch=9)], 0) == []


def test_what_a_centre_has_lost_survives_a_lost_connection_and_stays_when_older_events_load() -> None:
    sending = Sending()
    sending.again([event(5)], 0)
    assert sent(sending) == [(5, 1)]
    sending.lost()
    sending.loaded([event(1)], {"smoke-1": EventId(7, 3)}, 0)  # 3 is still in the outbox
    assert sent(sending) == [(1, 1), (5, 2)]
