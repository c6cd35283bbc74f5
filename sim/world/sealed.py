"""Signatures that this very process has made need no proof: what the world sealed itself is opened without the curve.

Verifying costs more than all else that a heartbeat does. A signature of Ed25519 is a function of key and message, so
that the same bytes under the same key and context verify always; all other bytes go the product's own way, and so does
one in PROVED_ONE_IN of those that are known.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Final

from protocol import envelope
from protocol.envelope import SigningKey, VerifyingKey

KNOWN_MAX: Final = 4_096  # envelopes on their way; an older one is proved
PROVED_ONE_IN: Final = 16


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """What `envelope.seal` makes is known to `envelope.open`, as long as this lasts."""
    seal, opened = envelope.seal, envelope.open
    known: OrderedDict[tuple[bytes, bytes], tuple[bytes, bytes, bytes]] = OrderedDict()
    publics: dict[bytes, tuple[SigningKey, bytes]] = {}
    count = 0

    def public_of(key: SigningKey) -> bytes:
        if key.kid not in publics or publics[key.kid][0] is not key:
            publics[key.kid] = key, key.verifying().raw
        return publics[key.kid][1]

    def sealing(record: bytes, key: SigningKey, context: bytes) -> bytes:
        data = seal(record, key, context)
        known[data, context] = key.kid, public_of(key), record
        if len(known) > KNOWN_MAX:
            known.popitem(last=False)
        return data

    def opening(data: bytes, keys: Mapping[bytes, VerifyingKey], context: bytes) -> tuple[bytes, bytes]:
        nonlocal count
        count += 1
        if count % PROVED_ONE_IN and (found := known.get((data, context))) is not None:
            kid, public, record = found
            if kid in keys and keys[kid].raw == public:
                return kid, record
        return opened(data, keys, context)

    envelope.seal, envelope.open = sealing, opening
    try:
        yield
    finally:
        envelope.seal, envelope.open = seal, opened
