"""A faulty line: what each fault does to the frames, and that nothing else does anything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sim.line import BURST_BYTES_MAX, CLEAN, FRAME_BYTES_MAX, RECORDED_MAX, Faults, Line, Way

# COBS puts a length before the first byte of the message, which is its type; 3 is an event.
FRAMES = [bytes([5, type, 1 + n, 7, 9]) for n, type in enumerate((1, 3, 4, 3, 5))]


def wire(frames: list[bytes]) -> bytes:
    return b"".join(b"\0" + frame + b"\0" for frame in frames)


def frames_in(data: bytes) -> list[bytes]:
    return [piece for piece in data.split(b"\0") if piece]


def way(**faults: float) -> Way:
    made = Way(7, "test")
    made.faults = Faults(**faults)
    return made


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
