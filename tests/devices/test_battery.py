"""When a battery is low."""

from __future__ import annotations

from devices.battery import FINE_PCT, LOW_PCT, Battery
from protocol.wire.codes import BATTERY_LOW, BATTERY_UNKNOWN


def test_it_is_low_until_it_is_fine_again() -> None:
    battery = Battery()
    charges = [100, LOW_PCT + 1, LOW_PCT, LOW_PCT + 1, FINE_PCT - 1, FINE_PCT, LOW_PCT + 1, 0, BATTERY_UNKNOWN, 16]
    low = [bool(battery.conditions(charge) & BATTERY_LOW) for charge in charges]
    assert low == [False, False, True, True, True, False, False, True, False, False]
