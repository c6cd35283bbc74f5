"""Plans: the same for a seed, with every kind of piece in some home, and in words that the world understands."""

from collections import Counter

from gateway.config import BRACELET
from sim.steps import ACTIONS, KINDS_OF_TERMINAL
from sim.world.acts import ACTS
from sim.world.explore import fault_kinds
from sim.world.lives import LIVES, MISHAPS
from sim.world.plan import FENCES_M, OTHERS_MAX, draw

SEEDS = range(200)
PLANS = [draw(seed, 1) for seed in SEEDS]


def test_a_seed_has_one_plan() -> None:
    assert draw(3, 1) == PLANS[3]
    assert draw(3, 1) != PLANS[4]


def test_every_kind_of_terminal_is_in_some_home_and_no_home_has_more_than_it_may() -> None:
    kinds = [Counter(spec.kind for spec in plan.terminals) for plan in PLANS]
    assert set().union(*kinds) == set(KINDS_OF_TERMINAL) == set(LIVES) == set(MISHAPS)
    assert all(home["button"] >= 1 >= home[BRACELET] for home in kinds)
    assert max(home.total() - home[BRACELET] for home in kinds) == 1 + OTHERS_MAX


def test_bracelets_alone_have_fences_and_some_have_none() -> None:
    specs = [spec for plan in PLANS for spec in plan.terminals]
    assert {spec.fence_m for spec in specs if spec.kind == BRACELET} == set(FENCES_M)
    assert {spec.fence_m for spec in specs if spec.kind != BRACELET} == {None}


def test_every_kind_of_fault_is_drawn() -> None:
    assert {item.fault for plan in PLANS for item in plan.items} == {"", *fault_kinds()}


def test_whatever_is_drawn_can_be_done() -> None:
    for plan in PLANS:
        kinds = {spec.id: spec.kind for spec in plan.terminals}
        steps = [step for item in plan.items for step in (item.begin, item.end) if step is not None]
        for step in steps:
            kind = kinds.get(step.target)
            assert kind is not None or (step.target, step.action) in ACTS
            assert kind not in ("motion", "door") or step.action not in ("babble", "updated", "restored")
            assert kind != BRACELET or step.action in ACTIONS[BRACELET]


def test_what_begins_ends_later() -> None:
    assert all(item.end.t_ms >= item.begin.t_ms for plan in PLANS for item in plan.items if item.end is not None)
