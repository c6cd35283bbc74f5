"""One turn of the core: the effects of one input, as they come together."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.home.messages import Acknowledge, Commit, Effect, Keep, Siren, Tell
from protocol.record import Event, Now


@dataclass(slots=True)
class Turn:
    """What this turn does, by sort; `effects` puts it into order."""

    now: Now
    sirens: list[Siren] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    state: dict[str, bytes | None] = field(default_factory=dict)  # to be stored at once, in one with the events
    kept: dict[str, bytes | None] = field(default_factory=dict)  # to be stored when something else is
    acknowledgements: list[Acknowledge] = field(default_factory=list)
    tells: list[Tell] = field(default_factory=list)

    def effects(self) -> list[Effect]:
        """In the order of urgency: the siren waits for nothing, the resident for the commit and the sending."""
        stored: list[Effect] = []
        if self.events or self.state:
            stored.append(Commit(tuple(self.events), {**self.kept, **self.state}))
        elif self.kept:
            stored.append(Keep(self.kept))
        return [*self.sirens, *stored, *self.acknowledgements, *self.tells]
