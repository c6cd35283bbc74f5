"""When a battery is low: a percentage in, the condition out."""

from protocol.wire.codes import BATTERY_LOW, BATTERY_UNKNOWN

LOW_PCT = 15  # about a month for the usual lithium cell: GB 20517-2025 5.11 has it told before the alarm fails
FINE_PCT = 25  # a cell that recovers in the warmth of the day is not new


class Battery:
    """Low from LOW_PCT on until it is at FINE_PCT again."""

    def __init__(self) -> None:
        self._low = False

    def conditions(self, charge_pct: int) -> int:
        """BATTERY_LOW or 0, for a charge in percent; one that is BATTERY_UNKNOWN is never low."""
        known = charge_pct != BATTERY_UNKNOWN
        self._low = known and charge_pct < FINE_PCT and (self._low or charge_pct <= LOW_PCT)
        return BATTERY_LOW if self._low else 0
