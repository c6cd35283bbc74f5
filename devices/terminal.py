"""One turn of a terminal's loop: bytes and samples in, bytes out, and what its light shows."""

from devices.logic import Logic
from protocol.wire.codes import ALARM_STANDING, BATTERY_LOW, PHASES, SENSOR_FAULT, WARMING_UP
from protocol.wire.terminal_end import TerminalEnd

RECEIVED_SHOWN_MS = 10000  # long enough for somebody who pressed to look and see that the call went through

# What a board shows with its light and buzzer, in order of precedence.
ALARM = "alarm"  # its own alarm stands: sound
SENDING = "sending"  # an event waits to be acknowledged
RECEIVED = "received"  # the last one just was
FAULT = "fault"  # the sensor is not to be trusted
BATTERY = "battery"  # it is low
WARMING = "warming"  # the sensor sees nothing yet
IDLE = "idle"

# Of the conditions: the first that stands is shown, where nothing more urgent is.
_SHOWN = ((SENSOR_FAULT, FAULT), (BATTERY_LOW, BATTERY), (WARMING_UP, WARMING))
_TEST = PHASES.index("test")


class Terminal:
    """Joins one sensor's logic to one end of the wire; does no I/O, so that a board is a loop around `step`."""

    def __init__(self, end: TerminalEnd, logic: Logic):
        self._end = end
        self._logic = logic
        self._due: int | None = None  # when the next turn is, as the last one left it
        self._was_pending = False
        self._received_until = 0
        self.indication = IDLE
        self.standing = 0  # all conditions, the board's and the sensor's

    def hears(self, received: bytes, now: int) -> bool:
        """Take what came from the port; whether a turn is due because of it. On a line of many most is somebody else's,
        and the terminal sleeps on until its deadline."""
        return self._end.receive(received, now)

    def step(self, received: bytes, sample: int | None, conditions: int, battery_pct: int, now: int) -> bytes:
        """Take what came since the last turn; give the bytes to write to the port now.

        `received` are any bytes from the port; `sample` is the sensor's, None if there is no new one; `conditions` are
        the board's (TAMPER, BATTERY_LOW); `battery_pct` may be BATTERY_UNKNOWN; `now` is monotonic ms.
        """
        if received:
            self._end.receive(received, now)
        events = self._logic.step(sample, now)
        standing = conditions | self._logic.conditions()
        self._end.conditions(standing, battery_pct, self._logic.value())
        for kind, phase, value in events:
            self._end.offer(kind, phase, value, now)
        self.standing = standing
        self._indicate(standing, now)
        out = self._end.poll(now)
        self._due = None
        return out

    def test(self, now: int) -> None:
        """Its test button is pressed: a `test` event, which goes out with the next turn."""
        self._end.offer(self._logic.TEST_KIND or self._logic.KIND, _TEST, self._logic.value(), now)
        self._due = now

    def deadline(self) -> int:
        """When the next turn is due at the latest, monotonic ms."""
        if self._due is None:
            self._due = self._next()
        return self._due

    def _next(self) -> int:
        due = self._end.deadline()
        sensor = self._logic.deadline()
        if sensor is not None:
            due = min(due, sensor)
        return min(due, self._received_until) if self.indication == RECEIVED else due

    def _indicate(self, standing: int, now: int) -> None:
        pending = self._end.pending() > 0
        if self._was_pending and not pending:
            self._received_until = now + RECEIVED_SHOWN_MS
        self._was_pending = pending
        if standing & ALARM_STANDING:
            self.indication = ALARM
        elif pending:
            self.indication = SENDING
        elif now < self._received_until:
            self.indication = RECEIVED
        else:
            self.indication = IDLE
            for bit, shown in _SHOWN:
                if standing & bit:
                    self.indication = shown
                    break
