"""Watching the supply: when mains lost and a low backup battery are troubles, and when they are over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gateway.config import PowerConfig
from gateway.home.messages import Condition
from gateway.lasting import Level
from gateway.power import Supply

WELL_MS: Final = 10_000  # mains must be back for so long: a bad contact rings twice in it at most
CHARGED_PCT: Final = 5  # above the limit before a low backup is over: a load switched off lifts it by some percent
UNREADABLE_MS: Final = 60_000  # a source that says nothing for so long hides a loss; the loss itself has 100 s


class SupplyWatch:
    """Told what the source says; gives the troubles as they begin and end."""

    def __init__(self, config: PowerConfig, now_ms: int):
        self._driver, self._low_pct = config.driver, config.low_pct
        self._supply = Supply()
        self._mains = Level(config.debounce_s * 1000, WELL_MS)
        self._backup = Level(config.debounce_s * 1000, WELL_MS)
        self._silent_since_ms: int | None = now_ms if config.driver != "none" else None
        self._low = False
        self._blind = False  # the source has said nothing for too long

    def told(self, supply: Supply, now_ms: int) -> None:
        """The source says this now (mono ms)."""
        self._supply = supply
        if supply.mains is None:
            if self._silent_since_ms is None:
                self._silent_since_ms = now_ms
            return
        self._silent_since_ms = None
        self._mains.say(not supply.mains, now_ms)
        low = self._is_low(supply)
        if low is not None:
            self._low = low
            self._backup.say(low, now_ms)

    def look(self, now_ms: int, asked_ms: int | None = None) -> Iterator[Condition]:
        """What begins or ends now; `asked_ms` is since when a read of the source has not come back."""
        since_ms = asked_ms if self._silent_since_ms is None else self._silent_since_ms
        self._blind = since_ms is not None and now_ms - since_ms >= UNREADABLE_MS
        if self._blind:
            self._mains.say(True, now_ms)
        elif self._supply.mains is not None:
            self._mains.say(not self._supply.mains, now_ms)
        if (lost := self._mains.look(now_ms)) is not None:
            yield Condition("mains_lost", lost, self._lost_evidence() if lost else {})
        if (low := self._backup.look(now_ms)) is not None:
            yield Condition("backup_low", low, self._evidence() if low else {})

    def deadline(self) -> int | None:
        """When to look again, if the source says nothing before (mono ms)."""
        due = [self._mains.deadline(), self._backup.deadline()]
        if self._silent_since_ms is not None and not self._blind:
            due.append(self._silent_since_ms + UNREADABLE_MS)
        return min((ms for ms in due if ms is not None), default=None)

    def forget(self) -> None:
        """See Level."""
        self._mains.forget()
        self._backup.forget()

    def status(self) -> dict[str, Any] | None:
        """For the status; None where no source is configured."""
        if self._driver == "none":
            return None
        return {"driver": self._driver, **self._supply._asdict()}

    def _is_low(self, supply: Supply) -> bool | None:
        if supply.backup_pct is None:
            return supply.backup_low
        limit_pct = self._low_pct + (CHARGED_PCT if self._low else 0)
        return supply.backup_pct < limit_pct or bool(supply.backup_low)

    def _lost_evidence(self) -> dict[str, int]:
        return {"unreadable_s": UNREADABLE_MS // 1000} if self._blind else self._evidence()

    def _evidence(self) -> dict[str, int]:
        return {} if self._supply.backup_pct is None else {"backup_pct": self._supply.backup_pct}
