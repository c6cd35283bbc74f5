"""The people of a played home: a day by habits drawn from chance, and what single words of a case make of them.

The habits are of one elder who lives alone, made up within ordinary bounds: 7 to 9 h of sleep with up to two walks at
night, baths of 20 to 45 min, sitting unseen for up to 100 min, a nap after lunch, visits, going out for up to 5 h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

S: Final = 1000
MIN: Final = 60 * S
H: Final = 60 * MIN
DAY: Final = 24 * H
EVENING: Final = 17 * H  # nobody goes out or comes to see one any more

# What somebody does that a terminal may sense: the word of a case for it, by the kind of the terminal.
PASS: Final = "pass"
OPEN: Final = "open"
CLOSE: Final = "close"
PRESS: Final = "press"
SENSES: Final = {PASS: "motion", OPEN: "door", CLOSE: "door", PRESS: "button"}

RESIDENT: Final = "resident"  # the key of a case's steps, and the stream of chance
LIVES: Final = "lives"  # by habits, until the next word


class Deed(NamedTuple):
    """Something that a terminal may sense, at `t_ms`."""

    t_ms: int
    what: str


# What each other word is, from its moment on; whoever sleeps or has fallen does nothing at all.
WORDS: Final[dict[str, tuple[Deed, ...]]] = {
    "moves": (Deed(0, PASS),),
    "sleeps": (),
    "falls": (),
    "goes_out": (Deed(0, PASS), Deed(8 * S, OPEN), Deed(12 * S, CLOSE)),
    "comes_home": (Deed(0, OPEN), Deed(4 * S, CLOSE), Deed(25 * S, PASS), Deed(90 * S, PASS)),
    "answers": (Deed(0, PRESS),),
}


@dataclass(frozen=True, slots=True)
class Habits:
    """When somebody gets up and goes to bed, ms after midnight, and how the days go."""

    wakes_ms: int
    sleeps_ms: int
    naps: bool
    goes_out_pct: int  # of what is begun
    has_visits_pct: int


def drawn(random: Random) -> Habits:
    """The habits of one person."""
    return Habits(
        wakes_ms=random.randint(5 * H + 30 * MIN, 6 * H + 45 * MIN),
        sleeps_ms=random.randint(21 * H + 30 * MIN, 23 * H),
        naps=random.random() < 0.7,
        goes_out_pct=random.randint(3, 12),
        has_visits_pct=random.randint(2, 10),
    )


def day(habits: Habits, random: Random) -> list[Deed]:
    """One day from midnight to midnight, in order."""
    wakes_ms = habits.wakes_ms + random.randint(-20, 20) * MIN
    sleeps_ms = habits.sleeps_ms + random.randint(-20, 20) * MIN
    night = sorted(random.randint(30 * MIN, wakes_ms - 30 * MIN) for _ in range(random.randint(0, 2)))
    deeds = [deed for t_ms in night for deed in (Deed(t_ms, PASS), Deed(t_ms + 4 * MIN, PASS))]
    nap_ms = random.randint(12 * H + 30 * MIN, 13 * H + 30 * MIN) if habits.naps else DAY
    t_ms = wakes_ms
    while t_ms < sleeps_ms:
        deeds.append(Deed(t_ms, PASS))
        if t_ms >= nap_ms:
            nap_ms, t_ms = DAY, t_ms + random.randint(40, 100) * MIN
            continue
        t_ms += random.randint(20, 60) * S
        begun = list(_begun(habits, random, t_ms))
        deeds += begun[:-1]
        t_ms = begun[-1].t_ms if len(begun) > 1 else min(begun[0].t_ms, sleeps_ms)
    deeds.append(Deed(max(t_ms, sleeps_ms), PASS))
    return deeds


def _begun(habits: Habits, random: Random, t_ms: int) -> Iterator[Deed]:
    """What is begun at `t_ms`; the last deed is when it is over."""
    drawn_pct = random.randrange(100) if t_ms < EVENING else 100
    if drawn_pct < habits.goes_out_pct:
        yield from _at(t_ms, "goes_out")
        t_ms += random.randint(30 * MIN, 5 * H)
        yield from _at(t_ms, "comes_home")
        yield Deed(t_ms + 2 * MIN, PASS)
        return
    if drawn_pct < habits.goes_out_pct + habits.has_visits_pct:
        yield from _at(t_ms, "comes_home")
        for _ in range(random.randint(2, 8)):
            t_ms += random.randint(5, 20) * MIN
            yield Deed(t_ms, PASS)
        yield from _at(t_ms, "goes_out")
        yield Deed(t_ms + random.randint(40, 120) * S, PASS)  # back from the door
        return
    unseen = random.choice(((2, 15), (2, 15), (2, 15), (2, 15), (20, 45), (20, 100)))  # about, in the bath, in a chair
    yield Deed(t_ms + random.randint(*unseen) * MIN, PASS)


def _at(t_ms: int, word: str) -> Iterator[Deed]:
    return (Deed(t_ms + deed.t_ms, deed.what) for deed in WORDS[word])


def deeds(words: Sequence[tuple[int, str]], ends_ms: int, midnight_ms: int, random: Random) -> list[Deed]:
    """What the people of a case do: `words` are at (ms, word), in order; it ends at `ends_ms`; local midnight before
    its beginning is at `midnight_ms`, which is not above 0."""
    habits = drawn(random)
    found: list[Deed] = []
    for number, (t_ms, word) in enumerate(words):
        if word != LIVES:
            found += _at(t_ms, word)
            continue
        until_ms = words[number + 1][0] if number + 1 < len(words) else ends_ms
        for begins_ms in range(midnight_ms, until_ms, DAY):
            lived = [Deed(begins_ms + deed.t_ms, deed.what) for deed in day(habits, random)]
            found += [deed for deed in lived if t_ms <= deed.t_ms < until_ms]
    return found


def terminals_for(what: str, kinds: Mapping[str, str]) -> list[str]:
    """The terminals that may sense it, of those in `kinds`: their kinds by their ids."""
    return [name for name, kind in kinds.items() if kind == SENSES[what]]


def sensed(
    found: Sequence[Deed], kinds: Mapping[str, str], choose: Callable[[Sequence[str]], str]
) -> Iterator[tuple[Deed, str]]:
    """Each deed and the terminal that senses it, if one does: of several motion sensors whichever `choose` says, of
    doors and buttons the first."""
    for deed in found:
        names = terminals_for(deed.what, kinds)
        if names:
            yield deed, choose(names) if deed.what == PASS else names[0]
