"""Alarms whose terminal says that they do not stand: since when, and whether that is to be believed.

A terminal that has just restarted knows of no alarm, in the thick of the smoke too; and one of two units with the same
address may hang in clean air. So it is believed only of one boot that has said so, and nothing else, for long enough to
have seen the end of the alarm itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.home.lifecycle import Alarm

QUIET_MS: Final = 60_000  # the clean air after which a smoke alarm ends its own alarm


@dataclass(frozen=True, slots=True)
class _Since:
    boot: int | None
    alarm: Alarm
    since_ms: int


class Quiet:
    """By terminal; forgotten with a restart, which only makes an alarm end later."""

    def __init__(self) -> None:
        self._since: dict[str, _Since] = {}

    def broken(self, terminal: str) -> None:
        """It says that its alarm stands, or there is none to end."""
        self._since.pop(terminal, None)

    def lasts(self, terminal: str, boot: int | None, alarm: Alarm, now_ms: int) -> bool:
        """Its boot `boot` says that `alarm` does not stand: whether it has said so for long enough."""
        since = self._since.get(terminal)
        if since is None or (since.boot, since.alarm) != (boot, alarm):
            self._since[terminal] = _Since(boot, alarm, now_ms)
            return False
        return now_ms - since.since_ms >= QUIET_MS
