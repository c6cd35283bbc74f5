"""What a terminal's buzzer and light do, and when: patterns as tables of on and off times; needs no gateway."""

from devices import terminal
from protocol.wire.codes import ALARM_STANDING, BATTERY_LOW, KINDS, SENSOR_FAULT

# (on ms, off ms), one after the other, then from the beginning.
TEMPORAL_3 = ((500, 500), (500, 500), (500, 1500))  # ISO 8201: leave the building
# NFPA 72 has it for carbon monoxide: bad air. Gas has none of its own, and must not sound like fire.
TEMPORAL_4 = ((100, 100), (100, 100), (100, 100), (100, 5000))
DRIP = ((250, 250), (250, 2250))  # no standard has one for water
CHIRP = ((50, 59950),)  # once a minute: low battery, fault, end of life
CALLING = ((100, 1900),)
CALLED = ((1000, 11000),)
STEADY = ((1000, 0),)
FLASH = ((500, 500),)
DOUBLE = ((100, 200), (100, 4600))
GLOW = ((1000, 1000),)
BLINK = ((20, 59980),)  # there is still a battery in it

# An alarm's own sound, by kind.
ALARMS = {
    KINDS.index("smoke"): TEMPORAL_3,
    KINDS.index("gas"): TEMPORAL_4,
    KINDS.index("flood"): DRIP,
}
# A button sounds as its call goes.
CALLS = {terminal.SENDING: CALLING, terminal.RECEIVED: CALLED}
LIGHTS = {
    terminal.ALARM: FLASH,
    terminal.SENDING: CALLING,
    terminal.RECEIVED: STEADY,
    terminal.FAULT: DOUBLE,
    terminal.BATTERY: CHIRP,
    terminal.WARMING: GLOW,
    terminal.IDLE: BLINK,
}

HUSH_MS = 600000  # no longer may smoke or gas be silenced by hand
THICKER_PCT = 150  # of what was hushed: that much is another matter, and sounds
TEST_MS = 10000  # three rounds of temporal-3, two of temporal-4

_BUTTON = KINDS.index("button")


def is_on(pattern: tuple[tuple[int, int], ...], since: int, now: int) -> bool:
    """Whether a pattern that began at `since` is on at `now`, ms."""
    at = (now - since) % _round_ms(pattern)
    for on_ms, off_ms in pattern:
        if at < on_ms:
            return True
        at -= on_ms + off_ms
        if at < 0:
            return False
    return False


def changes_at(pattern: tuple[tuple[int, int], ...], since: int, now: int) -> int:
    """When it goes on or off next, after `now`; a steady one at the end of its round."""
    whole = _round_ms(pattern)
    at = (now - since) % whole
    edge = 0
    for times in pattern:
        for lasts_ms in times:
            edge += lasts_ms
            if edge > at:
                return now - at + edge
    return now - at + whole


def _round_ms(pattern: tuple[tuple[int, int], ...]) -> int:
    return sum([on_ms + off_ms for on_ms, off_ms in pattern])


class Sounder:
    """The buzzer and light of a terminal of this kind (its code), and its button for test and hush."""

    def __init__(self, kind: int) -> None:
        self._kind = kind
        self.sound: tuple[tuple[int, int], ...] | None = None  # what the buzzer plays; None: nothing
        self.light: tuple[tuple[int, int], ...] = BLINK
        self._sound_ms = 0  # when it began
        self._light_ms = 0
        self._standing = 0
        self._value = 0
        self._hushed: tuple[int, int] | None = None  # until when, and below which value
        self._tests = False
        self._test_until = 0

    def show(self, standing: int, indication: str, value: int, now: int) -> None:
        """The terminal has these conditions, this indication and this value now: play what goes with them."""
        self._standing = standing
        self._value = value
        self._tests = self._tests and now < self._test_until
        sound = self._choose(indication, now)
        if sound != self.sound:
            self.sound, self._sound_ms = sound, now
        light = LIGHTS[terminal.ALARM if self._tests else indication]
        if light != self.light:
            self.light, self._light_ms = light, now

    def press(self, now: int) -> bool:
        """Somebody presses its button: in an alarm that is a hush, else a test, which the terminal is to tell."""
        if self._standing & ALARM_STANDING:
            if self._hushed is None:
                self._hushed = now + HUSH_MS, self._value * THICKER_PCT // 100 + 1
            return False
        if self._tests and now < self._test_until:
            return False
        self._tests, self._test_until = True, now + TEST_MS
        return True

    def buzzes(self, now: int) -> bool:
        """Whether the buzzer is on."""
        return self.sound is not None and is_on(self.sound, self._sound_ms, now)

    def lit(self, now: int) -> bool:
        """Whether the light is on."""
        return is_on(self.light, self._light_ms, now)

    def deadline(self, now: int) -> int:
        """When buzzer or light change next, or a hush or a test is over: `show` is due then."""
        due = changes_at(self.light, self._light_ms, now)
        if self.sound is not None:
            due = min(due, changes_at(self.sound, self._sound_ms, now))
        over = self.over_at()
        return due if over is None else min(due, over)

    def over_at(self) -> int | None:
        """When a hush or a test is over; None: there is none."""
        if self._hushed is not None:
            return self._hushed[0]
        return self._test_until if self._tests else None

    def _choose(self, indication: str, now: int) -> tuple[tuple[int, int], ...] | None:
        if self._standing & ALARM_STANDING:
            if self._hushed is not None and (now >= self._hushed[0] or self._value >= self._hushed[1]):
                self._hushed = None
            return None if self._hushed is not None else ALARMS.get(self._kind, CALLED)
        self._hushed = None
        if self._tests:
            return ALARMS.get(self._kind, CALLED)
        if self._kind == _BUTTON and indication in CALLS:
            return CALLS[indication]
        return CHIRP if self._standing & (SENSOR_FAULT | BATTERY_LOW) else None
