"""Mishaps of a terminal: when a sagging supply falls, and when a wild logic strikes."""

from __future__ import annotations

from random import Random

from sim.mishaps import OFF_MS, UP_MS, WILD_MS, BrownOut, Wild


def test_a_sagging_supply_holds_and_is_down_for_as_long_as_its_model_says() -> None:
    supply, now = BrownOut(Random(1), 0), 0
    assert not supply.off
    lasted: dict[bool, list[int]] = {True: [], False: []}
    for _ in range(2000):
        was_off, before = supply.off, now
        now = supply.next_ms
        assert not supply.falls(now - 1)
        assert supply.falls(now) is not was_off
        assert supply.off is not was_off
        lasted[was_off].append(now - before)
    for off, (least, most) in ((False, UP_MS), (True, OFF_MS)):
        assert least <= min(lasted[off]) < least * 1.1
        assert most * 0.9 < max(lasted[off]) <= most


def test_a_wild_logic_strikes_at_its_pace_however_often_it_is_asked() -> None:
    wild = Wild(100)
    assert [now for now in range(90, 200) if wild.strikes(now)] == list(range(100, 200, WILD_MS))
