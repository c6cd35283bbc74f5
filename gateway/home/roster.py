"""The roster: the terminals that are known here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.home.fence import Fence

TERMINALS_MAX: Final = 64  # a home has six and a few bracelets; what is kept for each is bounded, so all of it is
SILENCE_S_MAX: Final = 200  # native and mains-powered terminals must be missed within 300 s


@dataclass(frozen=True, slots=True)
class Terminal:
    """One sensing piece of the kit, and how long it may be silent."""

    id: str
    kind: str
    room: str
    bridge: str
    silence_s_max: int = SILENCE_S_MAX
    fence: Fence | None = None  # of a bracelet: the circle that it should not leave unseen
    installed_ms: int | None = None  # wall time; None: how old it is nobody has said


class Roster:
    """The terminals by id. Raises ValueError for two of one id, too many, or a silence below a second."""

    def __init__(self, terminals: tuple[Terminal, ...] = ()):
        self._terminals = {terminal.id: terminal for terminal in terminals}
        if len(self._terminals) != len(terminals):
            raise ValueError("two terminals of one id")
        if len(terminals) > TERMINALS_MAX:
            raise ValueError(f"{len(terminals)} terminals, at most {TERMINALS_MAX}")
        if any(terminal.silence_s_max < 1 for terminal in terminals):
            raise ValueError("silence_s_max is at least 1")

    def get(self, terminal: str) -> Terminal | None:
        return self._terminals.get(terminal)

    def __getitem__(self, terminal: str) -> Terminal:
        return self._terminals[terminal]

    def __contains__(self, terminal: object) -> bool:
        return terminal in self._terminals

    def __iter__(self) -> Iterator[Terminal]:
        return iter(self._terminals.values())

    def __len__(self) -> int:
        return len(self._terminals)
