"""What every terminal's sensor logic offers to the shared loop: samples and the time in, events out."""

NO_SAMPLE = -1  # what a board passes when its sensor does not answer: out of range, thus a fault


class Logic:
    """One sensor's decisions, without I/O; times are monotonic milliseconds that never wrap.

    A board whose clock wraps (MicroPython's `ticks_ms`) extends it before it calls. It keeps what `kept` gives, once an
    hour, and hands it to the logic of its next start, with `warm` true where the sensor was without power for less than
    a second, as in a brown-out.
    """

    KIND = 0  # the code in protocol.wire.codes.KINDS
    TEST_KIND = 0  # the kind that its test button tries; 0: its own

    def __init__(self, kept: tuple[int, ...] = (), warm: bool = False) -> None:
        pass

    def step(self, sample: int | None, now: int) -> list[tuple[int, int, int]]:
        """Take one sample (None: no new one this turn); give events as (kind code, phase code, value)."""
        raise NotImplementedError

    def conditions(self) -> int:
        """The sensor's own bits of protocol.wire.codes, as they stand: SENSOR_FAULT, ALARM_STANDING ..."""
        raise NotImplementedError

    def value(self) -> int:
        """What heartbeats carry: the latest reading, in the unit that the kind has."""
        raise NotImplementedError

    def deadline(self) -> int | None:
        """When `step` must be called although no sample came; None: only samples matter."""
        return None

    def kept(self) -> tuple[int, ...]:
        """What must outlive a restart."""
        return ()
