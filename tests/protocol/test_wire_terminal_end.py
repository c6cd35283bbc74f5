"""protocol.wire.terminal_end: what it sends, when, and that nothing from the line can upset it."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.wire import codes, frame, mac, messages
from protocol.wire import terminal_end as tuning
from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.held import EVENTS_MAX
from protocol.wire.messages import ACK, ASK, EVENT, HEARTBEAT, HELLO, WELCOME, Doubt, Message, Stranger
from protocol.wire.session import COUNTER_MAX, COUNTER_RENEW
from protocol.wire.terminal_end import TerminalEnd

KEY = bytes(range(32))
ADDRESS = 1001
SMOKE, BUTTON, TAMPER = (codes.KINDS.index(kind) for kind in ("smoke", "button", "tamper"))
RAISED, RESTORED = (codes.PHASES.index(phase) for phase in ("raised", "restored"))


def terminal(seed: int = 1, now: int = 0) -> TerminalEnd:
    return TerminalEnd(ADDRESS, SMOKE, KEY, Random(seed).randbytes, now)


def gateway(seed: int = 2, key: bytes = KEY, heartbeat_s: int = 60) -> GatewayEnd:
    return GatewayEnd({ADDRESS: key}, Random(seed).randbytes, heartbeat_s)


def parsed(data: bytes) -> list[Message]:
    deframer = frame.Deframer(dict.fromkeys(("oversize", "bad_cobs", "bad_crc"), 0))
    return [m for m in map(messages.parse, deframer.feed(data)) if m is not None]


def types(data: bytes) -> list[int]:
    return [message.type for message in parsed(data)]


def talk(end: TerminalEnd, gate: GatewayEnd, now: int, rounds: int = 3, safe: bool = True) -> list[Any]:
    """A few turns without delay; what the gateway end handed out."""
    out = []
    for _ in range(rounds):
        for said in gate.receive(end.poll(now), now):
            out.append(said)
            if safe and isinstance(said, messages.Event):
                gate.acknowledge(said.address, said.boot, said.number)
        end.receive(gate.poll(now), now)
    return out


def met(heartbeat_s: int = 60) -> tuple[TerminalEnd, GatewayEnd]:
    end, gate = terminal(), gateway(heartbeat_s=heartbeat_s)
    talk(end, gate, 0)
    assert end.online()
    return end, gate


def from_gateway(type: int, fields: tuple[object, ...], key: bytes = KEY, context: bytes = b"") -> bytes:
    return frame.wrap(messages.seal(key, type, ADDRESS, 0, fields, context))


def unanswered(end: TerminalEnd, until: int, wanted: int) -> list[int]:
    """When the terminal says `wanted` while nobody answers."""
    times = []
    while end.deadline() <= until:
        now = end.deadline()
        times += [now] * types(end.poll(now)).count(wanted)
    return times


def within_jitter(times: list[int], waits: tuple[int, ...]) -> bool:
    found = [later - earlier for earlier, later in itertools.pairwise(times)][: len(waits)]
    return len(found) == len(waits) and all(w <= f <= w * 5 // 4 for w, f in zip(waits, found, strict=True))


# --- hello ---


def test_begins_with_a_hello_and_is_welcomed() -> None:
    end, gate = terminal(), gateway()
    assert end.deadline() == 0
    assert not end.online()
    said = talk(end, gate, 0)
    assert said == [
        messages.Hello(ADDRESS, end.boot, SMOKE, tuning.FIRMWARE),
        messages.Heartbeat(ADDRESS, end.boot, 0, codes.BATTERY_UNKNOWN, 0, 0),
    ]
    assert end.online()
    assert end.deadline() == 60_000


def test_repeats_its_hello_with_the_same_bytes_and_growing_waits() -> None:
    end = terminal()
    first = end.poll(0)
    times = [0, *unanswered(end, 60_000, HELLO)]
    assert within_jitter(times, (200, 400, 800, 1600, 3200, 5000, 5000))
    assert end.poll(end.deadline()) == first


def test_takes_any_of_the_welcomes_that_its_repeated_hello_brings() -> None:
    end, gate = terminal(), gateway()
    gate.receive(end.poll(0), 0)
    late_welcome = gate.poll(0)
    gate.receive(end.poll(end.deadline()), 300)
    end.receive(late_welcome, 310)
    end.receive(gate.poll(300), 311)
    assert [type(said) for said in gate.receive(end.poll(311), 311)] == [messages.Hello, messages.Heartbeat]


def test_a_welcome_of_another_key_or_for_another_hello_is_refused() -> None:
    end = terminal()
    nonce = parsed(end.poll(0))[0].fields[0]
    end.receive(from_gateway(WELCOME, (bytes(8), 60), key=bytes(32), context=nonce), 0)
    end.receive(from_gateway(WELCOME, (bytes(8), 60), context=bytes(8)), 0)
    assert not end.online()
    assert end.counters["bad_tag"] == 2


def test_the_gateway_sets_the_heartbeat() -> None:
    end, _ = met(heartbeat_s=7)
    assert end.deadline() == 7_000


def test_without_a_session_a_new_event_hastens_the_hello() -> None:
    end = terminal()
    unanswered(end, 30_000, HELLO)
    assert end.deadline() > 30_300
    end.offer(BUTTON, RAISED, 1, 30_300)
    assert end.deadline() <= 30_300 + tuning.HELLO_MS_FIRST


# --- events ---


def test_an_event_goes_out_at_once_and_again_until_acknowledged() -> None:
    end, _ = met()
    assert end.offer(BUTTON, RAISED, 3, 1_000) == 1
    (event,) = parsed(end.poll(1_000))
    assert event.fields == (end.boot, 1, BUTTON, RAISED, 0, 3, 0, codes.BATTERY_UNKNOWN)
    assert within_jitter([1_000, *unanswered(end, 7_000, EVENT)], (300, 600, 1200, 2400))


def test_each_repeat_has_a_fresh_counter_and_a_fresh_age() -> None:
    end, _ = met()
    end.offer(BUTTON, RAISED, 0, 1_000)
    first = parsed(end.poll(1_000))[0]
    now = end.deadline()
    again = parsed(end.poll(now))[0]
    assert again.counter > first.counter
    assert (first.fields[4], again.fields[4]) == (0, now - 1_000)


def test_the_next_event_waits_for_the_acknowledgement_of_the_one_before() -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    end.offer(SMOKE, RESTORED, 0, 1_000)
    assert [s.number for s in talk(end, gate, 1_000, safe=False)] == [1]
    gate.acknowledge(ADDRESS, end.boot, 1)
    end.receive(gate.poll(1_001), 1_001)
    assert [s.number for s in talk(end, gate, 1_001)] == [2]
    assert end.pending() == 0


def test_a_lost_acknowledgement_is_given_again_and_the_event_not() -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    gate.receive(end.poll(1_000), 1_000)
    gate.acknowledge(ADDRESS, end.boot, 1)
    assert types(gate.poll(1_000)) == [ACK]  # lost
    assert talk(end, gate, end.deadline()) == []
    assert end.pending() == 0
    assert gate.counters["repeats"] == 1


def test_an_acknowledgement_taken_once_is_a_replay_the_second_time() -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    gate.receive(end.poll(1_000), 1_000)
    gate.acknowledge(ADDRESS, end.boot, 1)
    acknowledgement = gate.poll(1_000)
    end.receive(acknowledgement, 1_000)
    end.offer(SMOKE, RESTORED, 0, 1_001)
    end.receive(acknowledgement, 1_001)
    assert end.pending() == 1
    assert end.counters["replays"] == 1


def test_a_new_event_brings_a_repeat_forward_but_not_closer_than_the_first_wait() -> None:
    end, _ = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    end.poll(1_000)
    end.offer(SMOKE, RESTORED, 0, 1_010)
    assert end.deadline() == 1_000 + tuning.EVENT_MS_FIRST
    unanswered(end, 4_000, EVENT)
    assert end._event.at_ms is not None
    assert end._event.at_ms > 5_000
    end.offer(BUTTON, RAISED, 0, 4_500)
    assert end.deadline() == 4_500


def test_age_and_value_stay_at_their_limits() -> None:
    end, _ = met()
    end.conditions(0x1FF, 300, -(1 << 40))
    end.offer(SMOKE, RAISED, 1 << 40, 1_000)
    message = next(m for m in parsed(end.poll(1_000 + (1 << 40))) if m.type == EVENT)
    assert message.fields[4:] == (messages.U32_MAX, messages.I32_MAX, 0xFF, 0xFF)


def test_a_full_queue_tells_so_until_the_gateway_knows() -> None:
    end, gate = met()
    for _ in range(EVENTS_MAX + 1):
        end.offer(TAMPER, RAISED, 0, 1_000)
    said = talk(end, gate, 1_000, rounds=2)
    assert said[0].conditions & codes.EVENTS_DROPPED
    beats = [s for s in talk(end, gate, 60_000, rounds=40) if isinstance(s, messages.Heartbeat)]
    assert beats[0].conditions & codes.EVENTS_DROPPED
    beats = [s for s in talk(end, gate, 120_000) if isinstance(s, messages.Heartbeat)]
    assert not beats[0].conditions & codes.EVENTS_DROPPED


# --- finding out that the gateway is gone, or has forgotten ---


def test_heartbeats_that_nobody_answers_end_in_a_hello() -> None:
    end, _ = met()
    beats = unanswered(end, 70_000, HEARTBEAT)
    assert len(beats) == tuning.HEARTBEAT_TRIES_MAX
    assert not end.online()
    assert types(end.poll(end.deadline())).count(HELLO) == 1


def test_an_event_that_nobody_answers_brings_the_heartbeat_forward() -> None:
    end, _ = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    assert unanswered(end, 5_000, HEARTBEAT)
    assert len(unanswered(end, 10_000, HELLO)) >= 1


def test_a_slow_commit_alone_does_not_end_the_session() -> None:
    end, gate = met()
    session = end._session
    end.offer(SMOKE, RAISED, 0, 1_000)
    while end.deadline() < 60_000:
        talk(end, gate, end.deadline(), safe=False)
    assert end._session is session
    assert end.online()


def test_asked_by_a_restarted_gateway_it_says_hello_and_repeats_its_event_at_once() -> None:
    end, _ = met()
    restarted = gateway(seed=3)
    end.offer(SMOKE, RAISED, 0, 1_000)
    said = talk(end, restarted, 1_000, rounds=4)
    assert [type(s) for s in said] == [messages.Doubt, messages.Hello, messages.Event, messages.Heartbeat]
    assert end.pending() == 0


def test_a_gateway_that_comes_back_late_is_greeted_at_once() -> None:
    end, _ = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    unanswered(end, 120_000, HELLO)
    restarted = gateway(seed=3)
    while restarted.deadline() is None:
        now = end.deadline()
        heard = [m for m in parsed(end.poll(now)) if m.type == EVENT and m.counter]  # its hellos are lost
        restarted.receive(b"".join(frame.wrap(m.signed + m.tag) for m in heard), now)
    end.receive(restarted.poll(now), now)
    assert end.deadline() <= now + tuning.HELLO_MS_FIRST


def test_asked_right_after_a_hello_it_waits_until_200_ms_after_it() -> None:
    end, _ = met()
    restarted = gateway(seed=3)
    end.offer(SMOKE, RAISED, 0, 50)
    restarted.receive(end.poll(50), 50)
    end.receive(restarted.poll(50), 50)
    assert end.poll(50) == b""
    assert end.deadline() == tuning.HELLO_MS_FIRST
    assert types(end.poll(tuning.HELLO_MS_FIRST)) == [HELLO]


def test_the_answer_to_an_earlier_heartbeat_does_not_settle_this_one() -> None:
    end, gate = met()
    (beat,) = parsed(end.poll(60_000))
    session = gate._peers[ADDRESS]._confirmed[-1]
    end.receive(frame.wrap(session.seal(ACK, ADDRESS, (HEARTBEAT, beat.counter - 1))), 60_001)
    assert end.deadline() < 61_000
    end.receive(frame.wrap(session.seal(ACK, ADDRESS, (HEARTBEAT, beat.counter))), 60_002)
    assert end.deadline() == 120_002


def test_an_ask_must_mean_a_message_of_ours_and_be_the_gateways() -> None:
    end, _ = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    tag = parsed(end.poll(1_000))[0].tag
    end.receive(from_gateway(ASK, (bytes(8),)), 1_000)
    end.receive(from_gateway(ASK, (tag,), key=bytes(32)), 1_000)
    assert end.online()
    assert (end.counters["asks_refused"], end.counters["bad_tag"]) == (1, 1)


def test_an_ask_that_is_replayed_after_the_new_welcome_is_refused() -> None:
    end, _ = met()
    restarted = gateway(seed=3)
    end.offer(SMOKE, RAISED, 0, 1_000)
    restarted.receive(end.poll(1_000), 1_000)
    ask = restarted.poll(1_000)
    end.receive(ask, 1_000)
    talk(end, restarted, 1_000)
    end.receive(ask, 2_000)
    assert end.online()
    assert end.counters["asks_refused"] == 1


def test_asks_bring_no_more_hellos_than_one_in_200_ms() -> None:
    end, _ = met()
    hellos = []
    for now in range(1_000, 3_000, 10):
        end.offer(SMOKE, RAISED, 0, now)
        for message in parsed(end.poll(now)):
            end.receive(from_gateway(ASK, (message.tag,)), now)
            hellos += [now] * (message.type == HELLO)
    assert len(hellos) > 2
    assert min(b - a for a, b in itertools.pairwise(hellos)) >= tuning.HELLO_MS_FIRST


def test_where_no_session_can_be_had_a_life_event_is_still_told() -> None:
    end, wrong = terminal(), gateway(key=bytes(32))
    end.offer(TAMPER, RAISED, 0, 0)
    end.offer(SMOKE, RAISED, 9, 0)
    said = []
    while end.deadline() < 10_000:
        said += talk(end, wrong, end.deadline(), rounds=1)
    doubts = [one for one in said if isinstance(one, Doubt)]
    assert {(d.boot, d.number, d.kind, d.phase) for d in doubts} == {(end.boot, 2, SMOKE, RAISED)}
    assert {one for one in said if one not in doubts} == {Stranger(1001)}  # its hellos


def test_without_a_life_event_only_hellos_are_repeated() -> None:
    end = terminal()
    end.offer(TAMPER, RAISED, 0, 0)
    assert unanswered(end, 10_000, EVENT) == []


# --- counters ---


def test_a_session_is_renewed_long_before_its_counter_ends() -> None:
    end, gate = met()
    assert end._session is not None
    end._session.sent = COUNTER_RENEW
    said = talk(end, gate, 60_000, rounds=4)
    assert [type(s) for s in said] == [messages.Heartbeat, messages.Hello, messages.Heartbeat]
    assert end.online()
    assert end._session.sent < 10


def test_a_session_whose_counter_ends_is_given_up() -> None:
    end, gate = met()
    assert end._session is not None
    end._session.sent = COUNTER_MAX - 1
    end.poll(60_000)
    assert not end.online()
    end.offer(SMOKE, RAISED, 0, 60_500)
    assert any(isinstance(s, messages.Event) for s in talk(end, gate, 60_500, rounds=4))
    assert end.pending() == 0


# --- bad input ---


def test_messages_for_another_terminal_and_of_other_terminals_are_passed_over() -> None:
    end, _ = met()
    other, gate = TerminalEnd(7, SMOKE, KEY, Random(6).randbytes, 0), GatewayEnd({7: KEY}, Random(5).randbytes)
    for _ in range(3):
        said = other.poll(0)
        gate.receive(said, 0)
        answer = gate.poll(0)
        other.receive(answer, 0)
        end.receive(said + answer, 0)
    assert other.online()
    assert set(end.counters.values()) == {0}


def test_a_key_of_another_length_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TerminalEnd(1, SMOKE, b"short", Random(1).randbytes, 0)


SEALED = st.one_of(
    st.tuples(st.just(WELCOME), st.tuples(st.binary(min_size=8, max_size=8), st.integers(0, 0xFFFF))),
    st.tuples(st.just(ACK), st.tuples(st.integers(0, 255), st.integers(0, messages.U32_MAX))),
    st.tuples(st.just(ASK), st.tuples(st.binary(min_size=8, max_size=8))),
).map(lambda m: from_gateway(*m))


@given(st.lists(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(frame.wrap), SEALED), max_size=20))
def test_no_bytes_make_it_raise_or_take_its_event_away(line: list[bytes]) -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    for now, data in enumerate(line, 1_000):
        end.receive(data, now)
        end.poll(now)
        assert end.deadline() > now
    assert end.held() == [1]
    end.receive(b"\0", 2_000)
    talk(end, gate, 8_000, rounds=5)
    assert end.held() == []


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 10_000), max_size=8))
def test_any_split_gives_the_same(seed: int, cuts: list[int]) -> None:
    ends = [met()[0] for _ in range(2)]
    noise = Random(seed)
    data = noise.randbytes(30) + from_gateway(WELCOME, (bytes(8), 5)) + frame.wrap(b"x") + noise.randbytes(30)
    places = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    ends[0].receive(data, 5)
    for a, b in itertools.pairwise(places):
        ends[1].receive(data[a:b], 5)
    assert ends[0].counters == ends[1].counters
    assert ends[0].poll(60_000) == ends[1].poll(60_000)


def test_two_boots_differ() -> None:
    assert terminal(1).boot != terminal(2).boot
    assert len(KEY) == mac.KEY_BYTES
