"""What the world sealed itself is opened without the curve; everything else is proved."""

import pytest

from protocol import envelope
from sim.world.sealed import PROVED_ONE_IN, remembered
from sim.world.world import key_from

MINE, OTHER = key_from(1, "gw-1"), key_from(2, "gw-1")
KEYS = {b"gw-1": MINE.verifying()}


def test_it_opens_to_the_same_as_the_real_one() -> None:
    with remembered():
        for number in range(3 * PROVED_ONE_IN):
            record = b"record %d" % number
            data = envelope.seal(record, MINE, b"alarm")
            assert envelope.open(data, KEYS, b"alarm") == (b"gw-1", record)
    assert envelope.open(data, KEYS, b"alarm") == (b"gw-1", record)


def test_another_key_context_or_byte_is_refused() -> None:
    with remembered():
        for _ in range(3 * PROVED_ONE_IN):
            forged = envelope.seal(b"record", OTHER, b"alarm")
            genuine = envelope.seal(b"record", MINE, b"alarm")
            bent = genuine[:-1] + bytes([genuine[-1] ^ 1])
            for data, context in ((forged, b"alarm"), (genuine, b"heartbeat"), (bent, b"alarm")):
                with pytest.raises(envelope.EnvelopeError):
                    envelope.open(data, KEYS, context)
            with pytest.raises(envelope.EnvelopeError):
                envelope.open(genuine, {}, b"alarm")
