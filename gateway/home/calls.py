"""What the resident is told of a call for help: sending, received or not received in time, the centre is calling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.home.messages import Receipted, Tell
from protocol.record import EventId

SENDING: Final = "sending"
RECEIVED: Final = "received"
NOT_RECEIVED: Final = "not_received"  # phone 120 or 119
CALLING: Final = "calling"  # the centre is on the phone
RECEIPT_MS: Final = 30_000  # how long the resident waits before being told to phone


@dataclass(slots=True)
class _Call:
    alarm: EventId
    due_ms: int | None  # None: told to phone


class Calls:
    """The calls that wait for their receipt, by (terminal, kind): the newest of each."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], _Call] = {}

    def begin(self, terminal: str, kind: str, alarm: EventId, now_ms: int) -> Tell:
        self._calls[terminal, kind] = _Call(alarm, now_ms + RECEIPT_MS)
        return Tell(SENDING, kind, terminal)

    def receipted(self, receipted: Receipted) -> list[Tell]:
        done = [key for key, call in self._calls.items() if receipted.covers(call.alarm)]
        for key in done:
            del self._calls[key]
        return [Tell(RECEIVED, kind, terminal) for terminal, kind in done]

    def due(self, now_ms: int) -> list[Tell]:
        """The calls that nobody has received in time; each is told once."""
        late = [key for key, call in self._calls.items() if call.due_ms is not None and now_ms >= call.due_ms]
        for key in late:
            self._calls[key].due_ms = None
        return [Tell(NOT_RECEIVED, kind, terminal) for terminal, kind in late]

    def deadline(self) -> int | None:
        return min((call.due_ms for call in self._calls.values() if call.due_ms is not None), default=None)
