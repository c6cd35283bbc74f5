"""When to say something again: at once, then after growing waits with jitter, until told to stop."""

TYPE_CHECKING = False  # MicroPython has no typing module; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Callable


class Repeat:
    """A timer that doubles its wait from `first_ms` to `most_ms`; jitter keeps terminals on one line apart."""

    def __init__(self, first_ms: int, most_ms: int, random: "Callable[[int], bytes]") -> None:
        self._first_ms = first_ms
        self._most_ms = most_ms
        self._random = random
        self._wait_ms = first_ms
        self._sent_ms: int | None = None
        self.at_ms: int | None = None  # when it is due next; None: stopped
        self.tries = 0  # since the last start

    def start(self, now: int) -> None:
        """Due at `now`."""
        self.at_ms = now
        self.tries = 0
        self._wait_ms = self._first_ms

    def stop(self) -> None:
        """Not due any more."""
        self.at_ms = None

    def due(self, now: int) -> bool:
        return self.at_ms is not None and now >= self.at_ms

    def sent(self, now: int) -> None:
        """It has been said at `now`: wait, up to a quarter longer than the back-off, and longer the next time."""
        self.tries += 1
        self._sent_ms = now
        wait_ms = self._wait_ms
        self.at_ms = now + wait_ms + wait_ms * self._random(1)[0] // 1024
        self._wait_ms = min(2 * wait_ms, self._most_ms)

    def hasten(self, now: int) -> None:
        """There is more reason to say it than before: fall back to the first wait."""
        if self.at_ms is None:
            return
        self._wait_ms = self._first_ms
        self.at_ms = min(self.at_ms, self.soonest(now))

    def soonest(self, now: int) -> int:
        """From `now` on, but no closer to the last time than the first wait."""
        return now if self._sent_ms is None else max(now, self._sent_ms + self._first_ms)
