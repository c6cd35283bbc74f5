"""protocol.wire.repeat: at once, then after doubled waits up to a limit, with jitter from the caller's random."""

from __future__ import annotations

from protocol.wire.repeat import Repeat


def waits(jitter: int, count: int) -> list[int]:
    timer, now, out = Repeat(300, 5000, lambda n: bytes([jitter]) * n), 0, []
    timer.start(now)
    for _ in range(count):
        assert timer.due(now)
        timer.sent(now)
        assert timer.at_ms is not None
        assert not timer.due(timer.at_ms - 1)
        out.append(timer.at_ms - now)
        now = timer.at_ms
    return out


def test_waits_double_up_to_the_limit() -> None:
    assert waits(0, 7) == [300, 600, 1200, 2400, 4800, 5000, 5000]


def test_jitter_adds_up_to_a_quarter() -> None:
    assert waits(255, 2) == [300 + 74, 600 + 149]


def test_stopped_it_is_never_due_and_cannot_be_hastened() -> None:
    timer = Repeat(300, 5000, bytes)
    timer.hasten(5)
    assert not timer.due(10**9)
    timer.start(5)
    timer.stop()
    assert not timer.due(10**9)


def test_hastening_keeps_the_first_wait_as_the_least() -> None:
    timer = Repeat(300, 5000, bytes)
    timer.start(0)
    for now in (0, 300, 900, 2100):
        timer.sent(now)
    timer.hasten(2150)
    assert timer.at_ms == 2400
    timer.sent(2400)
    assert timer.at_ms == 2700
    timer.hasten(9999)  # nothing that is due sooner is put off
    assert timer.at_ms == 2700
