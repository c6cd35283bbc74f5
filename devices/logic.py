"""What every terminal's sensor logic offers to the shared loop: samples and the time in, events out."""


class Logic:
    """One sensor's decisions, without I/O; times are monotonic milliseconds that never wrap.

    A board whose clock wraps (MicroPython's `ticks_ms`) extends it before it calls.
    """

    KIND = 0  # the code in protocol.wire.codes.KINDS

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take one sample (None: no new one this turn); give events as (kind code, phase code, value)."""
        raise NotImplementedError

    def conditions(self) -> int:
        """SENSOR_FAULT and ALARM_STANDING of protocol.wire.codes, as they stand."""
        raise NotImplementedError

    def value(self) -> int:
        """What heartbeats carry: the latest reading, in the unit that the kind has."""
        raise NotImplementedError

    def deadline(self) -> int | None:
        """When `step` must be called although no sample came; None: only samples matter."""
        return None
