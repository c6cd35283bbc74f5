"""protocol.wire.gateway_end: whoever speaks on the line, good sessions go on and state stays bounded."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.wire import codes, frame, messages, peer
from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.messages import (
    ACK,
    ASK,
    EVENT,
    HEARTBEAT,
    HELLO,
    WELCOME,
    Doubt,
    Event,
    Heartbeat,
    Hello,
    Stranger,
)
from protocol.wire.session import COUNTER_MAX
from protocol.wire.terminal_end import TerminalEnd

KEY = bytes(range(32))
ADDRESS = 1001
SMOKE, RAISED = codes.KINDS.index("smoke"), codes.PHASES.index("raised")


def gateway(*addresses: int, heartbeat_s: int = 60) -> GatewayEnd:
    return GatewayEnd(dict.fromkeys(addresses or (ADDRESS,), KEY), Random(2).randbytes, heartbeat_s)


def terminal(seed: int = 1, now: int = 0) -> TerminalEnd:
    return TerminalEnd(ADDRESS, SMOKE, KEY, Random(seed).randbytes, now)


def parsed(data: bytes) -> list[Any]:
    return [messages.parse(m) for m in frame.Deframer(dict.fromkeys(("oversize", "bad_cobs", "bad_crc"), 0)).feed(data)]


def types(data: bytes) -> list[int]:
    return [message.type for message in parsed(data)]


def talk(end: TerminalEnd, gate: GatewayEnd, now: int, rounds: int = 3) -> list[Any]:
    """A few turns without delay in which every event is safe at once; what the gateway end handed out."""
    out = []
    for _ in range(rounds):
        for said in gate.receive(end.poll(now), now):
            out.append(said)
            if isinstance(said, Event):
                gate.acknowledge(said.address, said.boot, said.number)
        end.receive(gate.poll(now), now)
    return out


def met() -> tuple[TerminalEnd, GatewayEnd]:
    end, gate = terminal(), gateway()
    talk(end, gate, 0)
    return end, gate


def forged(counter: int = 1, boot: int = 5, number: int = 1, kind: int = SMOKE, phase: int = RAISED) -> bytes:
    fields = (boot, number, kind, phase, 0, 0, 0, 255)
    return frame.wrap(messages.seal(bytes(32), EVENT, ADDRESS, counter, fields))


def old_hellos(count: int) -> list[bytes]:
    """Authentic hellos of boots long past, as somebody may have recorded them."""
    return [terminal(seed).poll(0) for seed in range(100, 100 + count)]


def size(thing: Any) -> int:
    """How many values hang on it."""
    if isinstance(thing, (list, tuple, dict)):
        return 1 + sum(map(size, thing.values() if isinstance(thing, dict) else thing))
    return 1 + (size(vars(thing)) if hasattr(thing, "__dict__") and not callable(thing) else 0)


# --- sessions ---


def test_a_hello_alone_changes_nothing_but_is_welcomed() -> None:
    gate = gateway()
    assert gate.receive(terminal().poll(0), 0) == []
    assert gate.deadline() == 0
    assert types(gate.poll(0)) == [WELCOME]
    assert gate.deadline() is None


def test_a_session_is_told_of_with_the_first_message_in_it() -> None:
    end, gate = terminal(), gateway()
    end.conditions(codes.TAMPER, 77, 5)
    assert talk(end, gate, 0) == [Hello(ADDRESS, end.boot, SMOKE, 1), Heartbeat(ADDRESS, end.boot, 1, 77, 5, 0)]


def test_a_replayed_hello_does_not_lock_a_terminal_out() -> None:
    end, gate = terminal(), gateway()
    hello = end.poll(0)
    gate.receive(hello, 0)
    end.receive(gate.poll(0), 0)
    talk(end, gate, 0)
    for now, old in enumerate([hello, *old_hellos(9)], 1):
        gate.receive(old, now * 1000)
        gate.poll(now * 1000)
    end.offer(SMOKE, RAISED, 0, 20_000)
    assert [type(s) for s in talk(end, gate, 20_000)] == [Event]
    assert end.online()


def flooded(recorded: int) -> list[Any]:
    """What a restarted terminal gets through while hellos of the past come each 4 ms, 20 ms of line each way."""
    gate, flood, end = met()[1], old_hellos(recorded), terminal(seed=50, now=2_000)
    end.offer(SMOKE, RAISED, 0, 2_000)
    said, up, down = [], [b""] * 5, [b""] * 5
    for turn in range(2_000):
        now = 1_000 + 4 * turn
        gate.receive(flood[turn % recorded], now)
        if now >= 2_000:
            up.append(end.poll(now))
            said += gate.receive(up.pop(0), now)
            down.append(gate.poll(now))
            end.receive(down.pop(0), now)
    return said


def test_a_flood_of_old_hellos_does_not_keep_a_restarted_terminal_out() -> None:
    assert [type(s) for s in flooded(recorded=40)][:3] == [Hello, Event, Heartbeat]


def test_even_where_a_flood_keeps_it_out_a_life_event_is_doubted_and_not_silenced() -> None:
    assert {type(s) for s in flooded(recorded=200)} == {Doubt}


def test_hellos_cannot_make_it_say_or_hold_more_than_a_little() -> None:
    gate, sizes, welcomes = gateway(), [], 0
    flood = old_hellos(60)
    for now in range(2_000):
        gate.receive(flood[now % 60], now)
        sizes.append(size(gate))
        welcomes += len(parsed(gate.poll(now)))
    assert max(sizes[60:]) <= max(sizes[:60])
    again = 2_000 // peer.WELCOME_MS_MIN * peer.CANDIDATES_MAX
    assert welcomes <= 60 + 2_000 // peer.HELLO_MS_MIN + again
    assert gate.counters["hellos_limited"] == 2_000 - welcomes


def test_a_repeated_hello_is_welcomed_with_the_same_nonce() -> None:
    end, gate = terminal(), gateway()
    welcomes = []
    for _ in range(2):
        now = end.deadline()
        gate.receive(end.poll(now), now)
        welcomes.append(gate.poll(now))
    assert welcomes[0] == welcomes[1] != b""


def test_an_older_hello_of_the_same_boot_is_a_replay() -> None:
    end, gate = terminal(), gateway()
    first = end.poll(0)
    end._start_hello(100)
    gate.receive(end.poll(100), 100)
    gate.poll(100)
    gate.receive(first, 200)
    assert gate.counters["replays"] == 1
    assert gate.poll(200) == b""


def test_a_hello_of_a_session_that_is_over_is_a_replay() -> None:
    end, gate = terminal(), gateway()
    first = end.poll(0)
    gate.receive(first, 0)
    end.receive(gate.poll(0), 0)
    talk(end, gate, 0)
    end._start_hello(1_000)
    talk(end, gate, 1_000)
    gate.receive(first, 2_000)
    assert gate.poll(2_000) == b""
    assert gate.counters["replays"] == 1


def test_a_second_hello_before_the_first_session_was_used_gives_the_second_session() -> None:
    end, gate = terminal(), gateway()
    gate.receive(end.poll(0), 0)
    end.receive(gate.poll(0), 0)
    first_beat = end.poll(0)
    end._start_hello(10)
    gate.receive(end.poll(10), 10)
    assert [type(s) for s in gate.receive(first_beat, 11)] == [Hello, Heartbeat]
    end.receive(gate.poll(12), 12)
    assert [type(s) for s in gate.receive(end.poll(12), 12)] == [Hello, Heartbeat]
    assert gate._peers[ADDRESS]._candidates == []


def test_a_hello_under_another_key_is_counted() -> None:
    gate = gateway()
    gate.receive(TerminalEnd(ADDRESS, SMOKE, bytes(32), Random(1).randbytes, 0).poll(0), 0)
    assert gate.poll(0) == b""
    assert gate.counters["bad_tag"] == 1


def test_a_message_from_the_session_before_is_still_taken() -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    late = end.poll(1_000)
    end._want_hello(1_000)
    gate.receive(end.poll(1_000), 1_000)
    end.receive(gate.poll(1_000), 1_000)
    event, beat = parsed(end.poll(1_000))  # both in the new session; the event is lost
    assert (event.type, beat.type) == (EVENT, HEARTBEAT)
    assert [type(s) for s in gate.receive(frame.wrap(beat.signed + beat.tag), 1_000)] == [Hello, Heartbeat]
    assert [type(s) for s in gate.receive(late, 1_001)] == [Event]
    assert gate.counters["bad_tag"] == 0


def test_an_acknowledgement_for_one_boot_is_never_given_to_the_next() -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    gate.receive(end.poll(1_000), 1_000)
    late_repeat = end.poll(end.deadline())
    restarted = terminal(seed=8, now=2_000)
    restarted.offer(SMOKE, RAISED, 0, 2_000)
    gate.receive(restarted.poll(2_000), 2_000)
    restarted.receive(gate.poll(2_000), 2_000)
    assert [type(s) for s in gate.receive(restarted.poll(2_000), 2_000)] == [Hello, Event, Heartbeat]
    gate.acknowledge(ADDRESS, end.boot, 1)
    gate.receive(late_repeat, 2_001)  # number 1 too, safe, of the boot before
    restarted.receive(gate.poll(2_001), 2_001)
    assert restarted.held() == [1]
    gate.acknowledge(ADDRESS, restarted.boot, 1)
    restarted.receive(gate.poll(2_002), 2_002)
    assert restarted.held() == []


def test_an_acknowledgement_still_unsaid_when_the_terminal_restarts_is_not_for_the_new_boot() -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    gate.receive(end.poll(1_000), 1_000)
    restarted = terminal(seed=8, now=2_000)
    restarted.offer(SMOKE, RAISED, 0, 2_000)
    gate.receive(restarted.poll(2_000), 2_000)
    restarted.receive(gate.poll(2_000), 2_000)
    gate.acknowledge(ADDRESS, end.boot, 1)
    gate.receive(restarted.poll(2_001), 2_001)
    restarted.receive(gate.poll(2_001), 2_001)
    assert restarted.held() == [1]


def test_a_heartbeat_that_a_newer_session_has_overtaken_is_no_sign_of_life() -> None:
    end, gate = met()
    late = end.poll(60_000)
    talk(terminal(seed=8, now=61_000), gate, 61_000)
    assert gate.receive(late, 62_000) == []
    assert gate.counters["replays"] == 1
    assert gate.poll(62_000) == b""


# --- events ---


def test_an_event_is_given_once_and_acknowledged_when_safe() -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 4, 1_000)
    assert gate.receive(end.poll(1_000), 1_000) == [Event(ADDRESS, end.boot, 1, SMOKE, RAISED, 0, 4, 0, 255)]
    assert gate.deadline() is None
    now = end.deadline()
    assert gate.receive(end.poll(now), now) == []
    assert gate.counters["repeats"] == 1
    assert gate.poll(now) == b""
    gate.acknowledge(ADDRESS, end.boot, 1)
    assert gate.deadline() is not None
    assert types(gate.poll(now)) == [ACK]


def test_a_recorded_message_played_again_is_a_replay() -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    event = end.poll(1_000)
    gate.receive(event, 1_000)
    assert gate.receive(event, 1_001) == []
    assert gate.counters["replays"] == 1
    assert gate.poll(1_001) == b""


def test_a_delivered_event_from_long_past_sessions_is_a_replay_and_no_doubt() -> None:
    end, gate = met()
    end.offer(SMOKE, RAISED, 0, 1_000)
    event = end.poll(1_000)
    gate.receive(event, 1_000)
    for seed in range(10, 10 + peer.CONFIRMED_MAX):
        talk(terminal(seed, seed * 1_000), gate, seed * 1_000)
    assert gate.receive(event, 90_000) == []
    assert gate.counters["replays"] == 1


def test_an_event_of_another_boot_than_its_sessions_is_refused() -> None:
    end, gate = met()
    assert end._session is not None
    strange = end._session.seal(EVENT, ADDRESS, (end.boot ^ 1, 1, SMOKE, RAISED, 0, 0, 0, 255))
    assert gate.receive(frame.wrap(strange), 1_000) == []
    assert gate.counters["replays"] == 1


def test_an_event_that_nothing_vouches_for_is_a_doubt_and_a_hello_is_asked_for() -> None:
    end, gate = met()
    data = forged(number=3)
    assert gate.receive(data, 1_000) == [Doubt(ADDRESS, 5, 3, SMOKE, RAISED, "bad_tag")]
    (ask,) = parsed(gate.poll(1_000))
    assert (ask.type, ask.fields[0]) == (ASK, parsed(data)[0].tag)
    end.offer(SMOKE, RAISED, 0, 1_001)
    assert [type(s) for s in talk(end, gate, 1_001)] == [Event]


@pytest.mark.parametrize(("kind", "phase"), [(0, RAISED), (len(codes.KINDS), RAISED), (SMOKE, 0), (SMOKE, 5)])
def test_an_unknown_kind_or_phase_that_nothing_vouches_for_is_no_doubt(kind: int, phase: int) -> None:
    gate = gateway()
    assert gate.receive(forged(kind=kind, phase=phase), 0) == []
    assert gate.counters["bad_tag"] == 1


def test_a_doubted_event_cannot_be_acknowledged_in_the_terminals_stead() -> None:
    end, gate = met()
    gate.receive(forged(boot=end.boot, number=1), 1_000)
    gate.acknowledge(ADDRESS, end.boot, 1)
    gate.acknowledge(ADDRESS, 999, 1)
    gate.acknowledge(2, end.boot, 1)
    assert gate.counters["acks_unknown"] == 3
    end.offer(SMOKE, RAISED, 0, 2_000)
    assert [type(s) for s in gate.receive(end.poll(2_000), 2_000)] == [Event]


def test_a_flood_of_forged_messages_is_asked_about_rarely_and_disturbs_nobody() -> None:
    end, gate = met()
    sizes, asks = [], 0
    for now in range(1_000, 5_000):
        gate.receive(forged(counter=now, boot=now, number=now), now)
        sizes.append(size(gate))
        asks += types(gate.poll(now)).count(ASK)
    assert asks == 4_000 // peer.ASK_MS_MIN
    assert len(set(sizes[10:])) <= 2
    end.offer(SMOKE, RAISED, 0, 5_000)
    assert [type(s) for s in talk(end, gate, 5_000)] == [Event]


def test_the_boots_it_knows_are_bounded() -> None:
    gate, sizes = gateway(), []
    for seed in range(100):
        talk(terminal(seed, seed * 1_000), gate, seed * 1_000)
        sizes.append(size(gate))
    assert len(set(sizes[peer.SEEN_MAX :])) == 1


def test_a_session_out_of_counters_is_silent_instead_of_repeating_one() -> None:
    end, gate = met()
    gate._peers[ADDRESS]._confirmed[-1].sent = COUNTER_MAX
    assert [type(s) for s in gate.receive(end.poll(60_000), 60_000)] == [Heartbeat]
    assert gate.poll(60_000) == b""


# --- several terminals ---


def test_answers_come_in_the_order_of_the_roster_whoever_spoke_first() -> None:
    gate = gateway(1, 2, 3)
    ends = [TerminalEnd(address, SMOKE, KEY, Random(address).randbytes, 0) for address in (3, 1)]
    gate.receive(b"".join(end.poll(0) for end in ends), 0)
    assert [message.address for message in parsed(gate.poll(0))] == [1, 3]


def test_each_terminal_is_answered_though_others_have_nothing_to_be_told() -> None:
    gate = gateway(*range(1, 7))
    ends = [TerminalEnd(address, SMOKE, KEY, Random(address).randbytes, 0) for address in range(1, 7)]
    for end in ends:
        talk(end, gate, 0)
    for end in reversed(ends):
        assert gate.deadline() is None
        assert gate.poll(60_000) == b""
        gate.receive(end.poll(60_000), 60_000)
        assert gate.deadline() == 60_000
        end.receive(gate.poll(60_000), 60_000)
        assert end.deadline() == 120_000


def test_a_message_that_leaves_nothing_to_say_leaves_no_deadline() -> None:
    end, gate = met()
    beat = end.poll(60_000)
    gate.receive(beat, 60_000)
    gate.poll(60_000)
    gate.receive(beat, 60_001)  # a replay
    assert gate.deadline() is None
    assert gate.poll(60_001) == b""


# --- what else comes ---


def test_what_is_not_for_it_is_counted_by_reason() -> None:
    _end, gate = met()
    gate.receive(frame.wrap(b"no message"), 1_000)
    gate.receive(TerminalEnd(7, SMOKE, KEY, Random(1).randbytes, 0).poll(0), 1_000)
    gate.receive(frame.wrap(messages.seal(KEY, WELCOME, ADDRESS, 0, (bytes(8), 60))), 1_000)
    assert {reason: n for reason, n in gate.counters.items() if n} == {"bad_form": 1, "foreign": 1, "not_ours": 1}


@pytest.mark.parametrize(("asked", "given_s"), [(0, 1), (7, 7), (1 << 20, 0xFFFF)])
def test_the_heartbeat_asked_for_fits_the_field(asked: int, given_s: int) -> None:
    gate = gateway(heartbeat_s=asked)
    gate.receive(terminal().poll(0), 0)
    assert parsed(gate.poll(0))[0].fields[1] == given_s


def test_a_key_of_another_length_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        GatewayEnd({1: b"short"}, Random(1).randbytes)


SEALED = st.one_of(
    st.tuples(st.just(HELLO), st.tuples(st.binary(min_size=8, max_size=8), *[st.integers(0, 255)] * 3)),
    st.tuples(st.just(EVENT), st.tuples(*[st.integers(0, 127)] * 8)),
    st.tuples(st.just(HEARTBEAT), st.tuples(*[st.integers(0, 127)] * 5)),
).flatmap(
    lambda m: st.builds(
        lambda key, counter: frame.wrap(messages.seal(key, m[0], ADDRESS, counter, m[1])),
        st.sampled_from([KEY, bytes(32)]),
        st.integers(0, messages.U32_MAX),
    )
)
LINE = st.lists(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(frame.wrap), SEALED), max_size=20)


@given(LINE)
def test_no_bytes_make_it_raise_deliver_or_lose_its_terminal(line: list[bytes]) -> None:
    end, gate = met()
    for now, data in enumerate(line, 1_000):
        assert not [said for said in gate.receive(data, now) if not isinstance(said, Doubt | Stranger)]
        gate.poll(now)
        assert gate.deadline() is None
    gate.receive(b"\0", 2_000)
    end.offer(SMOKE, RAISED, 0, 3_000)
    assert [type(s) for s in talk(end, gate, 3_000)] == [Event]


@given(LINE.map(b"".join), st.lists(st.integers(0, 10_000), max_size=8))
def test_any_split_gives_the_same(data: bytes, cuts: list[int]) -> None:
    whole, split = gateway(), gateway()
    places = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    expected = whole.receive(data, 5)
    assert [said for a, b in itertools.pairwise(places) for said in split.receive(data[a:b], 5)] == expected
    assert whole.poll(6) == split.poll(6)
    assert whole.counters == split.counters
