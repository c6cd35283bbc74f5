"""The order in which events that wait on disk are to be sent, when they are more than fit in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from gateway.database import Key
from protocol.record import EventId


def by_urgency(
    keys: Callable[[], Iterable[Key]], limit: int, held: Collection[EventId] = ()
) -> tuple[list[Key], dict[str, EventId]]:
    """Up to `limit` of `keys` in the order to send them, without those `held`; and the first that each terminal has
    beyond these. `keys` gives all of them as often as it is called, their ids rising: after a long outage they are
    more than fit in memory.

    An event is as urgent as the most urgent one behind it of the same terminal, since that one may not overtake it.
    Among equals terminals take turns: a call for help does not wait for all that a wild sensor has left behind.
    """
    last = {(key.terminal, key.severity): key.id for key in keys()}
    turns: Counter[tuple[str, int]] = Counter()
    first: list[tuple[int, int, Key]] = []
    more: dict[str, EventId] = {}
    for key in keys():
        if key.id in held:
            continue
        terminal = key.terminal
        urgency = min(at for at in range(key.severity + 1) if (terminal, at) in last and last[terminal, at] >= key.id)
        turn = turns[terminal, urgency]
        turns[terminal, urgency] += 1
        if turn < limit:
            first.append((urgency, turn, key))
        else:
            more.setdefault(terminal, key.id)
    first.sort(key=lambda found: (found[0], found[1], found[2].id))
    order = [key for _, _, key in first]
    for key in order[limit:]:
        more[key.terminal] = min(key.id, more.get(key.terminal, key.id))
    return order[:limit], more
