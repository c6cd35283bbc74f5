"""A contact that bounces: its level, once that has held for long enough."""


class Contact:
    """Samples are 1 or 0, at any rate; `level` is as it is after the bouncing.

    With `level` None the first sample is taken as it is: how a door stands at the start is no move of it.
    """

    def __init__(self, debounce_ms: int, level: int | None = 0) -> None:
        self.level = level
        self.since = 0  # when the level as last sampled came
        self._debounce_ms = debounce_ms
        self._sampled = level

    def step(self, sample: int | None, now: int) -> bool:
        """Take the pin's level (None: unchanged); whether `level` has changed."""
        # What was held is settled before the new level counts: a turn that came late must not lose a press.
        changed = self._settle(now)
        if sample is not None:
            sampled = 1 if sample else 0
            if self._sampled is None:
                self.level = sampled
            if sampled != self._sampled:
                self._sampled = sampled
                self.since = now
        return changed

    def _settle(self, now: int) -> bool:
        if self._sampled == self.level or now - self.since < self._debounce_ms:
            return False
        self.level = self._sampled
        return True

    def steady(self) -> bool:
        """Whether it is sampled as it is held."""
        return self._sampled == self.level

    def deadline(self) -> int | None:
        """When the bouncing will be over; None: it is."""
        return None if self.steady() else self.since + self._debounce_ms
