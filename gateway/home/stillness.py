"""Stillness: no sign of life at home for too long. The resident is asked first; what nobody answers is an alarm.

Nothing here runs by a timer but the question: what is too long is asked only when a motion sensor that works says again
that it has seen nobody. So a dead sensor asks nothing and raises nothing, and that none works is a trouble of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from gateway.home import parts
from gateway.home.book import Book
from gateway.home.messages import Reading, Tell
from gateway.home.roster import Roster, Terminal
from gateway.home.signs import Known
from gateway.home.supervision import SILENT
from gateway.home.turn import Turn
from protocol.record import Now
from protocol.words import RAISED, TEST, UPDATED

KIND: Final = "inactivity"
BLIND: Final = "sensor_fault"  # of the gateway itself: no motion sensor works
QUESTION: Final = "question"  # messages to the resident: press the button if you are all right
ANSWERED: Final = "answered"  # and: press again to call for help
H_MS: Final = 3_600_000
DAY_MS: Final = 24 * H_MS
SAVE_MS: Final = 600_000  # stillness is stored as often as it grows by this, as the silence of terminals is
# What is told of one sign differs by so much: a detector holds for seconds, ages are in whole seconds, a line is late.
SAME_MS: Final = 15_000

# The states.
HOME: Final = "home"  # somebody is taken to be here
LEAVING: Final = "leaving"  # every door is shut, and nobody was seen since
AWAY: Final = "away"  # nobody is here
ASKING: Final = "asking"
EASED: Final = "eased"  # asked, and seen moving since: a press still answers, silence raises nothing
ALARM: Final = "alarm"

# The inputs.
SEEN: Final = "seen"  # a sign of life: seen to move, a door opened, a button or test button pressed
SHUT: Final = "shut"  # the last open door was shut, and nobody was seen inside since
ANSWER: Final = "answer"  # a press, made since the question was asked
OVER: Final = "over"  # the state has lasted for as long as it may

# What a step does.
NOTHING: Final = ""
ASK: Final = "ask"
THANK: Final = "thank"
RAISE: Final = "raise"
RESTORE: Final = "restore"


class Row(NamedTuple):
    """What an input makes of a state: the next state, and what is done."""

    state: str
    does: str = NOTHING


TABLE: Final[dict[tuple[str, str], Row]] = {
    (HOME, SEEN): Row(HOME),
    (HOME, SHUT): Row(LEAVING),
    (HOME, OVER): Row(ASKING, ASK),
    (LEAVING, SEEN): Row(HOME),
    (LEAVING, SHUT): Row(LEAVING),
    (LEAVING, OVER): Row(AWAY),
    (AWAY, SEEN): Row(HOME),
    (AWAY, SHUT): Row(LEAVING),
    (ASKING, SEEN): Row(EASED),
    (ASKING, SHUT): Row(LEAVING),
    (ASKING, ANSWER): Row(HOME, THANK),
    (ASKING, OVER): Row(ALARM, RAISE),
    (EASED, SEEN): Row(EASED),
    (EASED, SHUT): Row(LEAVING),
    (EASED, ANSWER): Row(HOME, THANK),
    (EASED, OVER): Row(HOME),
    (ALARM, SEEN): Row(HOME, RESTORE),
    (ALARM, SHUT): Row(LEAVING, RESTORE),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """How long is too long. What is learned of a resident's habits may take its place."""

    day_ms: int = 4 * H_MS  # without a sign, all of it by day
    night_ms: int = 10 * H_MS  # without a sign, at any time; never less than `day_ms`
    answer_ms: int = 180_000  # to get to the button
    away_ms: int = 600_000  # whom nobody sees for so long after the door was shut has left
    night: tuple[int, int] = (22 * H_MS, 7 * H_MS)  # its beginning and end, ms after local midnight
    offset_ms: int = 8 * H_MS  # how far local time is ahead of UTC

    def too_long(self, still_ms: int, now: Now) -> bool:
        """Whether it may not be still for longer. While the clock is unset only `night_ms` counts: it is right at any
        hour, and nobody is woken by a wrong clock."""
        if still_ms >= self.night_ms:
            return True
        begins, ends = self.night
        by_day_ms = (now.wall_ms + self.offset_ms - ends) % DAY_MS  # since the night's end
        is_day = now.quality != "unset" and by_day_ms < (begins - ends) % DAY_MS
        return is_day and min(still_ms, by_day_ms) >= self.day_ms


ORDINARY: Final = Rule()


class Stillness:
    """The watch over one home. Without a motion sensor it asks nothing."""

    def __init__(self, roster: Roster, rule: Rule, own: Terminal, now_ms: int):
        """`own` is the gateway, whose alarm it is."""
        self._rule = rule
        self._own = own
        self._sensors = tuple(terminal.id for terminal in roster if terminal.kind == "motion")
        self._state = HOME
        self._since_ms = now_ms  # when the stillness began; before this start by what was stored, so perhaps negative
        self._room = ""  # of the last sign, whenever that was
        self._room_ms: int | None = None
        self._seen_ms: int | None = None  # the last sign that was no shutting of a door,
        self._shut_ms: int | None = None  # and the last shutting, as terminals tell them
        self._open: set[str] = set()  # doors
        self._asked_ms = 0
        self._saved_ms = 0  # the stillness that is stored
        self._blind: bool | None = None  # None: to be stated
        self._blind_ms = now_ms  # since when

    # --- what is heard ---

    def sensed(self, turn: Turn, book: Book, terminal: Terminal, known: Known) -> None:
        """A motion sensor or a door has just told what is `known` of its signs."""
        if known.open is not None:
            self._door(turn, book, terminal, known)
        elif known.last_ms is not None:
            self._seen(turn, book, SEEN, terminal, known.last_ms)
        if terminal.id in self._sensors and not _is_out(book, terminal.id):
            self._look(turn, book)

    def said(self, turn: Turn, book: Book, terminal: Terminal, reading: Reading) -> Reading:
        """What becomes of an event of a terminal: the answer to the question is recorded as a test that says so, and
        calls nobody. A press from before the question, and every further one, is the call that it always is."""
        if reading.kind != "button" and reading.phase != TEST:
            return reading
        at_ms = turn.now.mono_ms - max(0, reading.age_ms)
        presses = reading.kind == "button" and reading.phase in (RAISED, UPDATED)
        if self._state not in (ASKING, EASED) or not presses or at_ms < self._asked_ms:
            self._seen(turn, book, SEEN, terminal, at_ms)
            return reading
        self._seen(turn, book, ANSWER, terminal, at_ms)
        return replace(reading, phase=TEST, evidence={**reading.evidence, "answer": 1})

    def watch(self, turn: Turn, book: Book) -> None:
        """Look whether any motion sensor works. The time in which none does is no stillness."""
        blind = bool(self._sensors) and all(_is_out(book, sensor) for sensor in self._sensors)
        if blind == self._blind:
            return
        now_ms = turn.now.mono_ms
        if blind:
            self._blind_ms = now_ms
        elif self._blind:
            self._since_ms = min(now_ms, self._since_ms + now_ms - self._blind_ms)
        self._blind = blind
        book.level(turn, self._own, BLIND, blind, {"sensors": len(self._sensors)} if blind else None)

    def slept(self, ms: int) -> None:
        """The gateway itself stood still for so long: that is no stillness, and nobody could answer."""
        self._since_ms += ms
        self._asked_ms += ms

    # --- the time ---

    def due(self, turn: Turn, book: Book) -> None:
        """The question's time may be over."""
        due_ms = self.deadline()
        if due_ms is not None and turn.now.mono_ms >= due_ms:
            self._step(turn, book, OVER)

    def deadline(self) -> int | None:
        return self._asked_ms + self._rule.answer_ms if self._state in (ASKING, EASED) else None

    # --- the state of earlier epochs ---

    def load(self, numbers: tuple[int, ...], now_ms: int) -> bool:
        """Go on from a stored stillness; False if it can't be one. A question that a restart cut off is asked anew."""
        if len(numbers) != 1 or numbers[0] < 0:
            return False
        self._saved_ms = numbers[0]
        self._since_ms = now_ms - self._saved_ms
        return True

    def resume(self, book: Book) -> None:
        """Which alarms stand is known now."""
        self._blind = None
        if book.alarms.get(self._own.id, KIND) is not None:
            self._state = ALARM

    # --- the machine ---

    def _door(self, turn: Turn, book: Book, terminal: Terminal, known: Known) -> None:
        if known.open:
            self._open.add(terminal.id)
            self._shut_ms = None  # who opens it again at once shuts it again
        else:
            self._open.discard(terminal.id)
        at_ms = known.last_ms
        if at_ms is None:  # it was not moved since its terminal's start
            return
        if self._open:
            self._seen(turn, book, SEEN, terminal, at_ms)
        elif _is_later(at_ms, self._shut_ms) and (self._seen_ms is None or not _is_later(self._seen_ms, at_ms)):
            self._shut_ms = at_ms
            self._seen(turn, book, SHUT, terminal, at_ms)

    def _seen(self, turn: Turn, book: Book, what: str, terminal: Terminal, at_ms: int) -> None:
        """A sign of life at `at_ms`, which may have been told before."""
        is_news = _is_later(at_ms, self._since_ms)
        self._since_ms = max(self._since_ms, at_ms)
        if self._room_ms is None or at_ms >= self._room_ms:
            self._room, self._room_ms = terminal.room, at_ms
        if is_news:
            self._keep(turn.kept, None)
        if what != SHUT:
            self._seen_ms = max(at_ms, at_ms if self._seen_ms is None else self._seen_ms)
        if self._state in (LEAVING, AWAY):
            counts = what == SHUT or _is_later(at_ms, self._shut_ms)  # who is leaving is seen too
        else:  # of a door that was shut before this start too: perhaps nobody is here
            counts = is_news or self._state in (HOME, EASED) or what == ANSWER
        if counts:
            self._step(turn, book, what)

    def _look(self, turn: Turn, book: Book) -> None:
        """A sensor that works has told all that it has seen: whether the state has lasted for too long."""
        still_ms = self._still_ms(turn)
        too_long = self._state == HOME and self._rule.too_long(still_ms, turn.now)
        if too_long or (self._state == LEAVING and still_ms >= self._rule.away_ms):
            self._step(turn, book, OVER)
        elif self._state == HOME and still_ms >= self._saved_ms + SAVE_MS:
            self._keep(turn.state, still_ms)

    def _step(self, turn: Turn, book: Book, what: str) -> None:
        self._state, does = TABLE[self._state, what]
        if does == ASK:
            self._asked_ms = turn.now.mono_ms
            self._keep(turn.state, self._still_ms(turn))
            turn.tells.append(Tell(QUESTION, KIND, self._own.id))
        elif does == THANK:
            turn.tells.append(Tell(ANSWERED, KIND, self._own.id))
        elif does == RAISE:
            evidence = {"still_s": self._still_ms(turn) // 1000}
            book.level(turn, replace(self._own, room=self._room), KIND, present=True, evidence=evidence)
        elif does == RESTORE:
            book.level(turn, replace(self._own, room=self._room), KIND, present=False)
        if self._state == AWAY:
            self._keep(turn.kept, None)

    def _still_ms(self, turn: Turn) -> int:
        return turn.now.mono_ms - self._since_ms

    def _keep(self, state: dict[str, bytes | None], still_ms: int | None) -> None:
        if still_ms is not None or self._saved_ms:
            self._saved_ms = still_ms or 0
            state.update(self._part(still_ms))

    def _part(self, still_ms: int | None) -> Mapping[str, bytes | None]:
        return parts.stored(None if still_ms is None else (still_ms,), parts.STILL, self._own.id)


def _is_out(book: Book, sensor: str) -> bool:
    """Whether what this sensor says, or does not say, is no testimony."""
    return any(book.alarms.get(sensor, trouble) is not None for trouble in (SILENT, "sensor_fault"))


def _is_later(at_ms: int, before_ms: int | None) -> bool:
    """Whether a sign is another one than that of `before_ms`, and later."""
    return before_ms is None or at_ms > before_ms + SAME_MS
