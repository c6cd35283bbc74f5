"""What playing a case found, for real or in virtual time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocol.words import Told
from sim.case import COUNTERS, Case
from sim.judge import Outcome
from sim.site import Heard


@dataclass(frozen=True, slots=True)
class Result:
    """One case, and every way in which it did not come out as it must."""

    case: Case
    differences: Sequence[Told]
    outcome: Outcome
    heard: Sequence[Heard] = ()  # the journals of agent and centre
    samples: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)  # (mono ms, value) by terminal
    seconds: float = 0.0  # of real time

    @property
    def good(self) -> bool:
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.case.title,
            "source": self.case.source,
            "good": self.good,
            "seconds": round(self.seconds, 3),
            "differences": [{"en": found.en, "zh": found.zh} for found in self.differences],
            "events": [row._asdict() | {"id": row.id} for row in self.outcome.rows],
            "counters": dict(self.outcome.counters),
        }


def counted(owner: str, counters: Mapping[str, Any]) -> dict[str, int]:
    """The counters that a case may ask for, of "centre" or "agent", from all that it has."""
    return {
        name: sum(int(counters.get(part, 0)) for part in parts)
        for name, (whose, parts) in COUNTERS.items()
        if whose == owner
    }
