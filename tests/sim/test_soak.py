"""A short soak: the agent killed with -9 at random moments under load, and nothing lost or doubled."""

from __future__ import annotations

import pytest

from sim.soak import soak


def soaked(kills: int, seed: int) -> None:
    seen: list[int] = []
    found = soak(kills, seed, lambda done, of, doing: seen.append(done))
    assert [told.en for told in found.differences] == []
    assert found.acknowledged > kills
    assert found.held == 0
    assert found.committed == found.acknowledged
    assert (seen[0], seen[-1]) == (0, kills)


def test_five_kills_lose_and_double_nothing() -> None:
    soaked(5, seed=11)


@pytest.mark.night
@pytest.mark.timeout(900)
def test_a_hundred_kills_lose_and_double_nothing() -> None:
    soaked(100, seed=12)
