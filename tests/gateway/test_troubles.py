"""The gateway's own troubles: each begins at its deadline, ends, and ends what an earlier process left standing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.bridges.strangers import Stranger
from gateway.config import PowerConfig, TerminalConfig
from gateway.home.messages import Condition
from gateway.power import Supply
from gateway.storage import COMMIT_MS_MAX
from gateway.troubles import CLOCK_UNSET_MS, STRANGER_MS, Seen, Troubles
from protocol.record import Now
from sim.world.gateway import config_of

WELL = Seen(path_lost=False, commit_since_ms=None, power_since_ms=None, refused=0, forged=0)
TERMINALS = [TerminalConfig(f"smoke-{n}", "smoke", "", "native", n, bytes(32), 200) for n in (1, 2)]


def at(ms: int, quality: str = "synchronised") -> Now:
    return Now(1_790_000_000_000 + ms, ms, quality)


@pytest.fixture
def troubles() -> Troubles:
    """After everything was found well."""
    found = Troubles(config_of(TERMINALS, 30), 0)
    found.supply.told(Supply(True, 100), 0)
    found.storage.stored(True, 0)
    list(found.look(at(STRANGER_MS), WELL))
    return found


def test_at_the_start_what_may_stand_since_before_is_ended_each_as_soon_as_it_is_known() -> None:
    fresh = Troubles(config_of(TERMINALS, 30), 0)
    fresh.supply.told(Supply(True, 100), 0)
    fresh.storage.stored(True, 0)
    unknown = WELL._replace(path_lost=None)
    kinds = [condition.kind for condition in fresh.look(at(0), unknown)]
    assert kinds == ["storage_fault", "clock_unset", "mains_lost", "backup_low"]
    assert list(fresh.look(at(1), WELL)) == [Condition("uplink_lost", False)]
    assert list(fresh.look(at(60_000), WELL)) == [Condition("security", False)]
    assert fresh.deadline() == STRANGER_MS
    assert list(fresh.look(at(STRANGER_MS), WELL)) == [
        Condition("not_enrolled", False, {}, name) for name in ("", "smoke-1", "smoke-2")
    ]
    assert list(fresh.look(at(10**9), WELL)) == []
    assert fresh.deadline() is None


def test_a_clock_that_nobody_sets_is_a_trouble_and_over_once_it_is_set(troubles: Troubles) -> None:
    assert list(troubles.look(at(100_000, "unset"), WELL)) == []
    assert troubles.deadline() == 100_000 + CLOCK_UNSET_MS
    assert list(troubles.look(at(99_999 + CLOCK_UNSET_MS, "unset"), WELL)) == []
    assert list(troubles.look(at(100_000 + CLOCK_UNSET_MS, "unset"), WELL)) == [Condition("clock_unset", True)]
    assert list(troubles.look(at(300_000, "holdover"), WELL)) == [Condition("clock_unset", False)]


def test_a_lost_path_is_told_once_with_how_long_it_was_silent(troubles: Troubles) -> None:
    lost = WELL._replace(path_lost=True)
    assert list(troubles.look(at(100_000), lost)) == [Condition("uplink_lost", True, {"silent_s": 90})]
    assert list(troubles.look(at(100_001), lost)) == []
    assert list(troubles.look(at(100_002), WELL)) == [Condition("uplink_lost", False)]


def test_a_commit_that_hangs_is_a_storage_fault(troubles: Troubles) -> None:
    hanging = WELL._replace(commit_since_ms=100_000)
    assert list(troubles.look(at(100_000 + COMMIT_MS_MAX), hanging)) == [Condition("storage_fault", True)]


def test_a_supply_that_does_not_answer_is_lost_mains(troubles: Troubles) -> None:
    hanging = WELL._replace(power_since_ms=100_000)
    assert list(troubles.look(at(160_000), hanging)) == []
    assert list(troubles.look(at(162_000), hanging)) == [Condition("mains_lost", True, {"unreadable_s": 60})]


def test_forged_messages_are_a_security_trouble(troubles: Troubles) -> None:
    found = list(troubles.look(at(100_000), WELL._replace(refused=51)))
    assert found == [Condition("security", True, {"refused": 51, "forged": 0})]
    assert list(Troubles(config_of(TERMINALS, 30), 0).look(at(20_000), WELL._replace(forged=6)))[-1].present


def test_a_stranger_is_the_gateways_trouble_or_that_of_the_terminal_whose_name_it_takes(troubles: Troubles) -> None:
    troubles.stranger(Stranger(77), 100_000)
    troubles.stranger(Stranger(2, "smoke-2"), 110_000)
    assert list(troubles.look(at(110_000), WELL)) == [
        Condition("not_enrolled", True, {"address": 77}),
        Condition("not_enrolled", True, {"address": 2}, "smoke-2"),
    ]
    assert troubles.deadline() == 100_000 + STRANGER_MS
    troubles.stranger(Stranger(78), 120_000)
    assert list(troubles.look(at(100_000 + STRANGER_MS), WELL)) == []
    assert list(troubles.look(at(110_000 + STRANGER_MS), WELL)) == [Condition("not_enrolled", False, {}, "smoke-2")]
    assert list(troubles.look(at(120_000 + STRANGER_MS), WELL)) == [Condition("not_enrolled", False)]
    assert troubles.deadline() is None
    troubles.stranger(Stranger(79), 500_000)
    assert list(troubles.look(at(500_000), WELL)) == [Condition("not_enrolled", True, {"address": 79})]


def test_a_stranger_that_was_there_at_the_start_is_not_ended_first() -> None:
    fresh = Troubles(config_of(TERMINALS, 30), 0)
    fresh.stranger(Stranger(77), 80_000)
    list(fresh.look(at(80_000), WELL))
    found = [condition.terminal for condition in fresh.look(at(STRANGER_MS), WELL) if condition.kind == "not_enrolled"]
    assert found == ["smoke-1", "smoke-2"]


def test_what_the_card_tells_late_is_stated_anew(troubles: Troubles) -> None:
    troubles.stranger(Stranger(77), 100_000)
    list(troubles.look(at(100_000), WELL))
    troubles.forget(100_000)
    kinds = [(condition.kind, condition.present) for condition in troubles.look(at(100_001), WELL)]
    well = [(kind, False) for kind in ("uplink_lost", "clock_unset", "mains_lost", "backup_low", "security")]
    assert kinds == [*well, ("not_enrolled", True)]
    ended = [condition.terminal for condition in troubles.look(at(100_000 + STRANGER_MS), WELL)]
    assert ended == ["smoke-1", "smoke-2", ""]


def test_a_gateway_without_a_power_source_watches_none() -> None:
    found = Troubles(replace(config_of([], 30), power=PowerConfig()), 0)
    kinds = {condition.kind for condition in found.look(at(10**7), WELL)}
    assert not kinds & {"mains_lost", "backup_low"}
