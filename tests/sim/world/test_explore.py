"""The explorer: what holds is counted, what does not is found, shrunk, and can be played again."""

import pytest

from sim.world.defects import DEFECTS, planted
from sim.world.explore import Wish, command_of, explore, one_seed
from sim.world.plan import draw
from sim.world.run import run

A_WHILE = 0.05  # days: 72 minutes


def quiet(done, found) -> None:
    pass


def test_seeds_hold_and_repeat_and_are_counted() -> None:
    found = explore(range(3), Wish(A_WHILE, verify=True), jobs=1, failures_max=1, progress=quiet)
    assert found.good
    assert found.seeds == 3
    assert found.days >= 3 * A_WHILE
    assert found.counts["committed"] > 0
    assert found.rows()[0] > 0
    assert found.as_json()["good"]
    assert len(found.missed()) == found.pairs()[1] - found.pairs()[0]


def test_another_process_comes_to_the_same() -> None:
    plan = draw(4, A_WHILE)
    here = run(plan)
    there = explore(range(4, 5), Wish(A_WHILE), jobs=1, failures_max=1, progress=quiet)
    assert (there.events, there.counts) == (here.events, here.counts)


def test_a_planted_defect_is_found_shrunk_and_played_again() -> None:
    wish = Wish(0.2, defect="acknowledge_before_commit")
    found = explore(range(50), wish, jobs=1, failures_max=1, progress=quiet)
    (broken,) = found.broken
    assert not found.good
    assert broken.failure.name == "unsafe"
    assert len(broken.items) == 1  # one press is enough
    assert (
        broken.command
        == f"sixkit sim explore --seeds {broken.seed} --days 0.2 --only {broken.items[0]} --plant {wish.defect}"
    )
    _, again, _ = one_seed(broken.seed, Wish(0.2, defect=wish.defect, keep=frozenset(broken.items)))
    assert again.failure is not None
    assert again.failure.name == "unsafe"
    _, without, _ = one_seed(broken.seed, Wish(0.2, keep=frozenset(broken.items)))
    assert without.failure is None


def test_a_defect_is_gone_when_it_is_no_longer_planted() -> None:
    owners = [(owner, name, getattr(owner, name)) for _, patches in DEFECTS.values() for owner, name, _ in patches]
    for name in DEFECTS:
        with planted(name):
            pass
    assert all(getattr(owner, name) is was for owner, name, was in owners)


def test_the_command_of_an_empty_plan_says_so() -> None:
    assert command_of(7, Wish(1, keep=frozenset())) == "sixkit sim explore --seeds 7 --days 1 --only none"


@pytest.mark.night
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", DEFECTS)
def test_every_planted_defect_is_found_within_200_seeds(name: str) -> None:
    for seed in range(200):
        _, found, _ = one_seed(seed, Wish(1, defect=name))
        if found.failure is not None:
            return
    pytest.fail(f"{name} was not found")


@pytest.mark.night
@pytest.mark.timeout(1200)
def test_a_night_of_seeds_holds() -> None:
    found = explore(range(1_000_000, 1_000_030), Wish(1, verify=True), jobs=1, failures_max=1, progress=quiet)
    assert found.good, found.as_json()["broken"]
