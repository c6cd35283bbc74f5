"""When what the supply's source says is a trouble: mains lost, a low backup, a source that says nothing."""

from __future__ import annotations

from pathlib import Path

from gateway.config import PowerConfig
from gateway.home.messages import Condition
from gateway.mains import CHARGED_PCT, UNREADABLE_MS, WELL_MS, SupplyWatch
from gateway.power import Supply

FILE = PowerConfig("file", Path("power"), debounce_s=2, low_pct=20)
WELL = Supply(True, 100)


def watch(supply: Supply = WELL, config: PowerConfig = FILE) -> SupplyWatch:
    found = SupplyWatch(config, 0)
    found.told(supply, 0)
    return found


def gone(watch: SupplyWatch, now_ms: int, asked_ms: int | None = None) -> list[Condition]:
    return list(watch.look(now_ms, asked_ms))


def test_all_is_well_is_said_once_so_that_what_stood_before_the_start_ends() -> None:
    one = watch()
    assert gone(one, 0) == [Condition("mains_lost", False), Condition("backup_low", False)]
    assert gone(one, 1) == []
    assert one.deadline() is None


def test_lost_mains_is_told_after_the_debounce_with_the_charge_that_is_left() -> None:
    one = watch()
    gone(one, 0)
    one.told(Supply(False, 99), 1000)
    assert one.deadline() == 3000
    assert gone(one, 2999) == []
    assert gone(one, 3000) == [Condition("mains_lost", True, {"backup_pct": 99})]


def test_without_a_debounce_it_is_told_at_once() -> None:
    one = watch(config=PowerConfig("file", Path("power"), debounce_s=0))
    gone(one, 0)
    one.told(Supply(False), 1000)
    assert gone(one, 1000) == [Condition("mains_lost", True)]


def test_it_is_over_when_mains_has_been_back_for_a_while() -> None:
    one = watch(Supply(False, 100))
    gone(one, 2000)
    one.told(Supply(True, 100), 5000)
    assert one.deadline() == 5000 + WELL_MS
    assert gone(one, 5000 + WELL_MS - 1) == []
    assert gone(one, 5000 + WELL_MS) == [Condition("mains_lost", False)]


def test_a_backup_is_low_below_its_limit_and_until_it_is_well_above() -> None:
    one = watch()
    gone(one, 0)
    one.told(Supply(True, 20), 1000)
    assert gone(one, 9000) == []
    one.told(Supply(True, 19), 10_000)
    assert gone(one, 12_000) == [Condition("backup_low", True, {"backup_pct": 19})]
    one.told(Supply(True, 20 + CHARGED_PCT - 1), 20_000)
    assert gone(one, 60_000) == []
    one.told(Supply(True, 20 + CHARGED_PCT), 70_000)
    assert gone(one, 70_000 + WELL_MS) == [Condition("backup_low", False)]


def test_hardware_may_say_that_its_backup_is_low() -> None:
    one = watch(Supply(True, None, True))
    assert Condition("backup_low", True) in gone(one, 2000)
    one = watch(Supply(True, 90, True))
    assert Condition("backup_low", True, {"backup_pct": 90}) in gone(one, 2000)


def test_a_supply_without_a_backup_is_never_low() -> None:
    assert gone(watch(Supply(True)), 99_000) == [Condition("mains_lost", False)]


def test_a_source_that_cannot_be_read_for_a_minute_counts_as_lost_mains_until_it_can() -> None:
    one = watch()
    gone(one, 0)
    one.told(Supply(detail="gone"), 1000)
    one.told(Supply(detail="gone still"), 30_000)
    assert one.deadline() == 1000 + UNREADABLE_MS
    assert gone(one, 999 + UNREADABLE_MS) == []
    gone(one, 1000 + UNREADABLE_MS)
    assert gone(one, 3000 + UNREADABLE_MS) == [Condition("mains_lost", True, {"unreadable_s": 60})]
    assert one.deadline() is None
    one.told(Supply(True, 100), 100_000)
    assert gone(one, 100_000 + WELL_MS) == [Condition("mains_lost", False)]


def test_so_does_one_that_has_never_said_anything() -> None:
    one = SupplyWatch(FILE, 5000)
    assert one.deadline() == 5000 + UNREADABLE_MS
    gone(one, 5000 + UNREADABLE_MS)
    assert gone(one, 7000 + UNREADABLE_MS) == [Condition("mains_lost", True, {"unreadable_s": 60})]


def test_and_a_read_that_does_not_come_back() -> None:
    one = watch()
    gone(one, 0)
    assert gone(one, 1000 + UNREADABLE_MS, 1001) == []
    gone(one, 1001 + UNREADABLE_MS, 1001)
    assert gone(one, 3001 + UNREADABLE_MS, 1001) == [Condition("mains_lost", True, {"unreadable_s": 60})]
    assert gone(one, 70_000, None) == []
    assert gone(one, 70_000 + WELL_MS, None) == [Condition("mains_lost", False)]


def test_where_no_source_is_configured_nothing_is_watched() -> None:
    one = SupplyWatch(PowerConfig(), 0)
    assert gone(one, 10**9) == []
    assert one.deadline() is None
    assert one.status() is None


def test_the_status_shows_what_the_source_says() -> None:
    assert watch(Supply(False, 80)).status() == {
        "driver": "file",
        "mains": False,
        "backup_pct": 80,
        "backup_low": None,
        "detail": "",
    }


def test_what_was_forgotten_is_said_anew() -> None:
    one = watch(Supply(False, 10))
    assert len(gone(one, 2000)) == 2
    one.forget()
    assert [condition.present for condition in gone(one, 2001)] == [True, True]
