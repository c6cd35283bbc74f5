"""A faulty line: what each fault does to the frames, and that nothing else does anything."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.wire import frame
from sim.line import (
    BURST_BYTES_MAX,
    CLEAN,
    FRAME_BYTES_MAX,
    HELD_BACK_MS_MAX,
    MIMIC_MS,
    RECORDED_MAX,
    Faults,
    Line,
    Way,
    faults_of,
)

# COBS puts a length before the first byte of the message, which is its type; 3 is an event.
FRAMES = [bytes([5, type, 1 + n, 7, 9]) for n, type in enumerate((1, 3, 4, 3, 5))]


def wire(frames: list[bytes]) -> bytes:
    return b"".join(b"\0" + frame + b"\0" for frame in frames)


def frames_in(data: bytes) -> list[bytes]:
    return [piece for piece in data.split(b"\0") if piece]


def way(**faults: Any) -> Way:
    made = Way(7, "test")
    made.faults = Faults(**faults)
    return made


def drained(line: Way, now: int) -> bytes:
    """What comes by itself from `now` on until nothing more does."""
    out = b""
    while (due := line.deadline()) is not None:
        now = max(now, due)
        out += line.carry(b"", now)
    return out


def messages_in(data: bytes) -> list[bytes]:
    """What the real deframer makes of it."""
    return frame.Deframer(dict.fromkeys(("oversize", "bad_cobs", "bad_crc"), 0)).feed(data)


# Every fault of a line whose chance is by frame, alone; and all of them together.
BY_FRAME = {
    "loss": {"loss": 0.4},
    "repeat": {"repeat": 0.4},
    "flip": {"flip": 0.4},
    "burst": {"burst_p": 0.2, "burst_r": 0.3, "burst_loss": 0.8},
    "reorder": {"reorder": 0.4, "reorder_by": 4},
    "delay": {"delay_ms": 300},
    "truncate": {"truncate": 0.4},
    "concatenate": {"concatenate": 0.4},
}
BY_FRAME["all"] = {name: value for faults in BY_FRAME.values() for name, value in faults.items()}


@given(st.lists(st.binary(min_size=1, max_size=60).map(lambda b: b.replace(b"\0", b"x"))), st.data())
def test_a_clean_line_carries_every_frame_however_it_is_split(frames: list[bytes], data: st.DataObject) -> None:
    clean, out, rest = Way(1, "test"), b"", wire(frames)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        out, rest = out + clean.carry(rest[:size], 0), rest[size:]
    assert frames_in(out) == frames


@given(st.lists(st.binary(max_size=400)), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_any_bytes_pass_without_error_and_little_is_kept(pieces: list[bytes], loss: int, flip: int, noise: int) -> None:
    faulty = way(loss=loss / 100, flip=flip / 100, repeat=0.5, noise=float(noise))
    for now, piece in enumerate(pieces):
        faulty.carry(piece, now * 100)
    assert len(faulty._partial) <= FRAME_BYTES_MAX
    assert len(faulty._recorded) <= RECORDED_MAX


def test_a_line_that_loses_all_carries_nothing() -> None:
    faulty = way(loss=1.0)
    assert faulty.carry(wire(FRAMES), 0) == b""
    assert faulty.counters["loss"] == len(FRAMES)


def test_a_repeating_line_carries_each_frame_twice_in_order() -> None:
    assert frames_in(way(repeat=1.0).carry(wire(FRAMES), 0)) == [frame for frame in FRAMES for _ in range(2)]


def test_a_flip_turns_exactly_one_bit_of_each_frame() -> None:
    frame = b"\x55" * 40  # no single bit turned gives a zero byte
    bent = frames_in(way(flip=1.0).carry(wire([frame]), 0))[0]
    assert sum((a ^ b).bit_count() for a, b in zip(frame, bent, strict=True)) == 1


def test_the_share_of_lost_frames_is_what_was_asked_for() -> None:
    faulty = way(loss=0.3)
    faulty.carry(wire([b"frame"] * 5000), 0)
    assert 0.27 < faulty.counters["loss"] / 5000 < 0.33


def test_noise_needs_no_frames_and_says_when_it_comes() -> None:
    noisy = way(noise=10.0)
    assert noisy.carry(b"", 1000) == b""
    due = noisy.deadline()
    assert due is not None
    assert 0 < len(noisy.carry(b"", due)) <= BURST_BYTES_MAX
    for now in range(2000, 12_000, 10):
        noisy.carry(b"", now)
    assert 60 < noisy.counters["noise"] < 160


def test_no_noise_has_no_deadline() -> None:
    assert Line(1).deadline() is None


def test_a_replay_repeats_the_event_frames_alone_and_once() -> None:
    recording = way()
    recording.carry(wire(FRAMES), 0)
    assert recording.replay() == 2
    assert frames_in(recording.carry(b"", 10)) == [frame for frame in FRAMES if frame[1] == 3]
    assert recording.carry(b"", 20) == b""


def test_one_fault_more_does_not_reshuffle_the_others() -> None:
    alone, both = way(loss=0.5), way(loss=0.5, repeat=0.5)
    frames = [bytes([1, n]) for n in range(1, 200)]
    survivors = frames_in(alone.carry(wire(frames), 0))
    assert list(dict.fromkeys(frames_in(both.carry(wire(frames), 0)))) == survivors


def test_a_fault_that_comes_later_meets_the_frames_that_it_would_have_met() -> None:
    frames = [bytes([1, n]) for n in range(1, 200)]
    always, later = way(loss=0.5), way()
    always.carry(wire(frames[:100]), 0)
    assert frames_in(later.carry(wire(frames[:100]), 0)) == frames[:100]
    later.faults = Faults(loss=0.5)
    assert frames_in(later.carry(wire(frames[100:]), 1)) == frames_in(always.carry(wire(frames[100:]), 1))
    assert later.counters["loss"] < always.counters["loss"]


def test_the_same_seed_gives_the_same_line() -> None:
    outs = []
    for _ in range(2):
        line = Line(42)
        line.set_faults(Faults(0.2, 0.2, 0.2, 5.0))
        outs.append(
            [line.up.carry(wire(FRAMES), now) + line.down.carry(wire(FRAMES), now) for now in range(0, 5000, 50)]
        )
    assert outs[0] == outs[1]


def test_faults_can_be_put_on_one_direction() -> None:
    line = Line(1)
    line.set_faults(Faults(loss=1.0), "down")
    assert (line.up.faults, line.down.faults.loss) == (CLEAN, 1.0)


@pytest.mark.parametrize("name", BY_FRAME)
@given(st.lists(st.binary(min_size=1, max_size=20).map(lambda b: b.replace(b"\0", b"x")), max_size=20), st.data())
def test_however_the_bytes_are_split_the_same_comes_out(name: str, frames: list[bytes], data: st.DataObject) -> None:
    whole, split, out, rest = way(**BY_FRAME[name]), way(**BY_FRAME[name]), b"", wire(frames)
    expected = whole.carry(rest, 5)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        out, rest = out + split.carry(rest[:size], 5), rest[size:]
    assert (out, split.deadline()) == (expected, whole.deadline())
    assert drained(split, 5) == drained(whole, 5)


@pytest.mark.parametrize("name", BY_FRAME)
@given(st.lists(st.binary(max_size=40), max_size=30))
def test_no_fault_makes_a_message_that_was_not_sent(name: str, messages: list[bytes]) -> None:
    faulty, out = way(**BY_FRAME[name]), b""
    for now, message in enumerate(messages):
        out += faulty.carry(frame.wrap(message), now * 20)
    out += drained(faulty, len(messages) * 20)
    twice = {message: 2 * count for message, count in Counter(messages).items()}
    assert Counter(messages_in(out)) <= Counter(twice)


@pytest.mark.parametrize("name", ["reorder", "delay"])
@given(st.lists(st.binary(min_size=1, max_size=20).map(lambda b: b.replace(b"\0", b"x")), max_size=40))
def test_reordering_and_delaying_lose_and_repeat_nothing(name: str, frames: list[bytes]) -> None:
    faulty, out = way(**BY_FRAME[name]), b""
    for now, one in enumerate(frames):
        out += faulty.carry(wire([one]), now * 20)
    out += drained(faulty, len(frames) * 20)
    assert Counter(frames_in(out)) == Counter(frames)
    assert name != "delay" or frames_in(out) == frames


def test_a_reordered_frame_comes_behind_at_most_so_many_and_soon_where_none_come() -> None:
    faulty = way(reorder=0.3, reorder_by=3)
    frames = [b"%d" % n for n in range(1000)]
    places = {one: place for place, one in enumerate(frames_in(faulty.carry(wire(frames), 0) + drained(faulty, 0)))}
    late = [places[one] - n for n, one in enumerate(frames)]
    assert 200 < sum(n > 0 for n in late) < 330
    assert max(late) <= 6  # three that overtake it, and those that these have let go
    alone = way(reorder=1.0)
    assert alone.carry(wire([b"x"]), 100) == b""
    assert alone.deadline() == 100 + HELD_BACK_MS_MAX
    assert frames_in(alone.carry(b"", 100 + HELD_BACK_MS_MAX)) == [b"x"]


def test_a_delay_is_drawn_for_each_frame_up_to_the_most() -> None:
    waits = []
    for n in range(400):
        faulty = Way(n, "test")
        faulty.faults = Faults(delay_ms=100)
        waits.append(0 if faulty.carry(wire([b"x"]), 50) else (faulty.deadline() or 0) - 50)
    assert (min(waits) < 10, max(waits) > 90, max(waits) <= 100) == (True, True, True)


def test_what_is_delayed_comes_after_the_line_is_clean_again_and_ahead_of_what_is_newer() -> None:
    faulty = way(delay_ms=10_000)
    first = faulty.carry(wire([b"a", b"b", b"c"]), 0)
    faulty.faults = CLEAN
    assert frames_in(first + faulty.carry(wire([b"d"]), 1) + drained(faulty, 1)) == [b"a", b"b", b"c", b"d"]
    assert faulty.deadline() is None
    assert frames_in(faulty.carry(wire([b"e"]), 20_000)) == [b"e"]


def test_bursts_lose_as_much_as_their_model_says_and_in_runs_of_its_length() -> None:
    # Gilbert and Elliott: the share of bad frames is p / (p + r), and a bad run has 1 / r frames on average.
    faulty = way(burst_p=0.02, burst_r=0.2)
    frames = [b"%d" % n for n in range(40_000)]
    kept = set(frames_in(faulty.carry(wire(frames), 0)))
    runs = [len(list(run)) for lost, run in groupby(one not in kept for one in frames) if lost]
    assert 0.08 < sum(runs) / len(frames) < 0.10
    assert 4.5 < sum(runs) / len(runs) < 5.5


def test_a_bad_stretch_may_let_some_through() -> None:
    faulty = way(burst_p=1.0, burst_r=0.0, burst_loss=0.5)
    assert 450 < len(frames_in(faulty.carry(wire([b"x"] * 1000), 0))) < 550


def test_a_truncated_frame_is_a_beginning_of_what_was_sent() -> None:
    out = frames_in(way(truncate=1.0).carry(wire([b"abcdefgh"] * 200), 0))
    assert {len(one) for one in out} == set(range(1, 8))
    assert all(b"abcdefgh".startswith(one) for one in out)


def test_concatenated_frames_have_no_delimiter_between_them() -> None:
    faulty = way(concatenate=1.0)
    assert frames_in(faulty.carry(wire([b"a", b"b", b"c"]), 0) + b"\0") == [b"abc"]
    faulty.faults = CLEAN
    assert frames_in(faulty.carry(wire([b"d", b"e"]), 0)) == [b"d", b"e"]


@pytest.mark.parametrize(("stuck", "byte"), [("zeros", 0x00), ("ones", 0xFF)])
def test_a_stuck_line_reads_the_same_whatever_is_sent(stuck: str, byte: int) -> None:
    faulty = Way(7, "test")
    faulty.faults = faults_of({"stuck": stuck})
    sent = wire([frame.wrap(b"message").strip(b"\0")] * 5)
    assert faulty.carry(sent, 0) == bytes([byte]) * len(sent)
    faulty.faults = CLEAN
    assert messages_in(bytes([byte]) * 9 + faulty.carry(frame.wrap(b"message"), 0)) == [b"message"]


def test_a_mimic_plays_all_that_was_recorded_again_and_again_until_the_line_is_clean() -> None:
    line = Line(7)
    line.up.carry(wire(FRAMES), 0)
    line.do("mimic", {})
    out = [frames_in(line.up.carry(b"", now)) for now in range(1000, 1000 + 10 * MIMIC_MS, MIMIC_MS)]
    assert out == [[one] for one in FRAMES * 2]
    assert (line.up.deadline(), line.down.carry(b"", 1000)) == (1000 + 10 * MIMIC_MS, b"")
    line.do("clean", {})
    assert (line.up.carry(b"", 9000), line.deadline()) == (b"", None)
    line.up.carry(wire([b"new"]), 9000)
    line.do("mimic", {})
    for _ in FRAMES:
        line.up.carry(b"", 9_900 + MIMIC_MS)
    assert b"new" in line.up._tape


def test_a_mimic_that_has_recorded_nothing_says_nothing_and_asks_for_no_turn_in_the_past() -> None:
    empty = way(mimic=True)
    assert empty.carry(b"", 100) == b""
    assert empty.deadline() == 100 + MIMIC_MS


def test_a_mimic_does_not_record_itself() -> None:
    recording = way()
    recording.carry(wire(FRAMES), 0)
    recording.faults = Faults(mimic=True)
    for now in range(0, 1000 * MIMIC_MS, MIMIC_MS):
        recording.carry(b"", now)
    assert list(recording._recorded) == FRAMES


def test_a_fault_on_for_later_frames_alone_hits_the_same_of_them() -> None:
    frames = [bytes([1 + n // 200, 1 + n % 200]) for n in range(2000)]
    always, later = way(loss=0.3), way()
    kept = frames_in(always.carry(wire(frames), 0))
    later.carry(wire(frames[:1000]), 0)
    later.faults = Faults(loss=0.3)
    assert frames_in(later.carry(wire(frames[1000:]), 0)) == [one for one in kept if one in frames[1000:]]


def test_the_faults_of_a_step_are_shares_of_a_hundred_and_of_a_thousand() -> None:
    values = {"loss_pct": 10, "burst_p_permille": 20, "burst_r_permille": 250, "burst_loss_pct": 90, "delay_ms": 7}
    assert faults_of(values) == Faults(loss=0.1, burst_p=0.02, burst_r=0.25, burst_loss=0.9, delay_ms=7)
    assert faults_of({"direction": "both"}).burst_p == 0
