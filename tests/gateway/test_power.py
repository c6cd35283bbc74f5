"""What the supply is read as: from the kernel's power supplies, from input lines, and from a file."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import PowerConfig
from gateway.power import PowerSource, Supply, line, parsed, percent, power_supplies, read


def supply(folder: Path, name: str, **attributes: object) -> None:
    (folder / name).mkdir()
    for attribute, value in attributes.items():
        (folder / name / attribute).write_text(f"{value}\n")


def test_mains_is_there_while_a_supply_from_outside_is_online(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online=0)
    supply(tmp_path, "usb", type="USB_PD", online=0)
    assert power_supplies(tmp_path) == Supply(False)
    (tmp_path / "usb" / "online").write_text("2\n")  # a programmable supply
    assert power_supplies(tmp_path) == Supply(True)


def test_a_battery_has_a_charge_and_may_say_itself_that_it_is_low(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online=1)
    supply(tmp_path, "BAT0", type="Battery", present=1, capacity=40, capacity_level="Low", status="Charging")
    supply(tmp_path, "BAT1", type="UPS", capacity=70, capacity_level="Normal")
    assert power_supplies(tmp_path) == Supply(True, 40, True)
    (tmp_path / "BAT0" / "capacity_level").write_text("Normal\n")
    assert power_supplies(tmp_path) == Supply(True, 40, False)


def test_a_battery_that_was_taken_out_is_empty(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online=1)
    supply(tmp_path, "BAT0", type="Battery", present=0)
    assert power_supplies(tmp_path) == Supply(True, 0, True)


@pytest.mark.parametrize(("status", "mains"), [("Discharging", False), ("Charging", True), ("Full", True)])
def test_without_a_supply_from_outside_to_ask_a_discharging_battery_tells(
    tmp_path: Path, status: str, mains: bool
) -> None:
    supply(tmp_path, "ups", type="UPS", capacity=90, status=status)
    assert power_supplies(tmp_path) == Supply(mains, 90, False)


def test_the_battery_of_a_mouse_feeds_nothing(tmp_path: Path) -> None:
    supply(tmp_path, "hid", type="Battery", scope="Device", capacity=3, status="Discharging")
    with pytest.raises(ValueError, match="no power supply"):
        power_supplies(tmp_path)
    with pytest.raises(FileNotFoundError):
        power_supplies(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("value", "active_low", "trouble"), [("1", False, True), ("0", False, False), ("0", True, True), ("1", True, False)]
)
def test_an_input_line_says_trouble_by_its_level(tmp_path: Path, value: str, active_low: bool, trouble: bool) -> None:
    (tmp_path / "value").write_text(value + "\n")
    assert line(tmp_path / "value", active_low) is trouble
    config = PowerConfig("gpio", tmp_path / "value", None, active_low)
    assert read(config) == Supply(not trouble)
    (tmp_path / "low").write_text("1")
    config = PowerConfig("gpio", tmp_path / "value", tmp_path / "low", active_low)
    assert read(config) == Supply(not trouble, None, not active_low)


def test_an_input_line_that_says_anything_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "value").write_text("on\n")
    with pytest.raises(ValueError, match="instead of 0 or 1"):
        line(tmp_path / "value", False)


@pytest.mark.parametrize(
    ("text", "found"),
    [("mains 87", Supply(True, 87)), ("lost 0", Supply(False, 0)), ("mains", Supply(True)), ("lost", Supply(False))],
)
def test_a_file_says_it_in_a_line(tmp_path: Path, text: str, found: Supply) -> None:
    (tmp_path / "power").write_text(text + "\n")
    assert read(PowerConfig("file", tmp_path / "power")) == found


@pytest.mark.parametrize("text", ["", "on", "mains 101", "mains -1", "mains 1 1", "lost ²", "Mains", "lost 0100"])
def test_a_file_that_says_anything_else_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="instead of"):
        parsed(text)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_supply_or_a_clear_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    (folder / "BAT0").mkdir(parents=True, exist_ok=True)
    for name in ("type", "capacity", "status", "present"):
        (folder / "BAT0" / name).write_bytes(b"Battery" if name == "type" else data)
    for config in (
        PowerConfig("sysfs", folder),
        PowerConfig("gpio", folder / "BAT0" / "status"),
        PowerConfig("file", folder / "BAT0" / "status"),
    ):
        try:
            found = read(config)
        except ValueError:
            continue
        assert found.mains in (True, False)
        assert found.backup_pct is None or 0 <= found.backup_pct <= 100


@given(st.text(max_size=8))
def test_a_charge_is_from_0_to_100_or_an_error(text: str) -> None:
    try:
        assert 0 <= percent(text) <= 100
    except ValueError:
        assert text not in [str(number) for number in range(101)]


def test_each_change_is_put_once_and_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    path, told = tmp_path / "power", list[object]()
    source = PowerSource(PowerConfig("file", path), told.append, lambda: 5)
    source.look()
    source.look()
    path.write_text("mains 100")
    source.look()
    source.look()
    path.write_text("lost 100")
    source.look()
    (nothing, *rest) = told
    assert isinstance(nothing, Supply)
    assert nothing.mains is None
    assert "No such file" in nothing.detail
    assert rest == [Supply(True, 100), Supply(False, 100)]
    assert source.counters == {"power_unreadable": 2}


def test_a_read_that_does_not_come_back_is_seen_from_outside(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "power")  # opening it hangs until somebody writes
    told = threading.Event()
    source = PowerSource(PowerConfig("file", tmp_path / "power"), lambda found: told.set(), lambda: 7)
    assert source.asked_ms() is None
    source.start()
    with (tmp_path / "power").open("w") as pipe:  # opens once the thread reads
        assert source.asked_ms() == 7
        pipe.write("mains")
    assert told.wait(5)
    (tmp_path / "power").unlink()
    source.stop()
