"""What is done in the home itself for each kind of alarm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple


class Action(NamedTuple):
    """Whether the siren sounds while it stands, and whether the resident is told how the call goes."""

    siren: bool = False
    tell: bool = False


# In order of precedence on the siren. Kinds that are not here are troubles: for the centre and the status only.
ACTIONS: Final[dict[str, Action]] = {
    "smoke": Action(siren=True, tell=True),
    "gas": Action(siren=True, tell=True),
    "flood": Action(siren=True, tell=True),
    # A person who calls, or who lies still, is not helped by noise.
    "button": Action(tell=True),
    "inactivity": Action(tell=True),
    "bracelet_sos": Action(tell=True),
    "bracelet_fall": Action(tell=True),
    "fence_exit": Action(tell=True),
}
_NOTHING: Final = Action()


def action(kind: str) -> Action:
    return ACTIONS.get(kind, _NOTHING)


def loudest(kinds: Iterable[str]) -> str | None:
    """The kind that the siren sounds for while alarms of these kinds stand; None: it is quiet."""
    standing = set(kinds)
    return next((kind for kind, does in ACTIONS.items() if does.siren and kind in standing), None)
