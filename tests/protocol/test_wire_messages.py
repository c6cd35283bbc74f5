"""protocol.wire.messages: each layout there and back, and tags that vouch for every bit and the direction."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.wire import frame, messages

KEY = bytes(range(32))
U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, messages.U32_MAX)
I32, EIGHT = st.integers(messages.I32_MIN, messages.I32_MAX), st.binary(min_size=8, max_size=8)
BODIES = {
    messages.HELLO: st.tuples(EIGHT, U32, U8, U16),
    messages.WELCOME: st.tuples(EIGHT, U16),
    messages.EVENT: st.tuples(U32, U32, U8, U8, U32, I32, U8, U8),
    messages.HEARTBEAT: st.tuples(U32, U8, U8, I32, U8),
    messages.ACK: st.tuples(U8, U32),
    messages.ASK: st.tuples(EIGHT),
}
CONTENTS = st.sampled_from(sorted(BODIES)).flatmap(lambda type: st.tuples(st.just(type), U32, U32, BODIES[type]))


@given(CONTENTS, st.binary(max_size=8))
def test_comes_back_as_it_was_sealed(content: tuple[int, int, int, tuple[object, ...]], context: bytes) -> None:
    sealed = messages.seal(KEY, *content, context)
    assert len(frame.wrap(sealed)) <= frame.RAW_BYTES_MAX + 3
    message = messages.parse(sealed)
    assert message is not None
    assert (message.type, message.address, message.counter, message.fields) == content
    assert messages.vouches(KEY, message, context)
    assert not messages.vouches(KEY, message, context + b"x")
    assert not messages.vouches(KEY[::-1], message, context)


@given(CONTENTS, st.binary(max_size=8))
def test_a_tag_is_the_start_of_an_hmac_over_direction_message_and_context(
    content: tuple[int, int, int, tuple[object, ...]], context: bytes
) -> None:
    signed, tag = messages.seal(KEY, *content, context)[:-8], messages.seal(KEY, *content, context)[-8:]
    direction = b"t>g" if content[0] in (messages.HELLO, messages.EVENT, messages.HEARTBEAT) else b"g>t"
    assert tag == hmac.digest(KEY, b"sixkit/1 " + direction + signed + context, "sha256")[:8]


@given(CONTENTS, st.integers(0, 10_000), st.integers(0, 7))
def test_a_tag_vouches_for_every_bit(content: tuple[int, int, int, tuple[object, ...]], place: int, bit: int) -> None:
    bent = bytearray(messages.seal(KEY, *content))
    bent[place % len(bent)] ^= 1 << bit
    message = messages.parse(bytes(bent))
    assert message is None or not messages.vouches(KEY, message)


@given(st.binary(max_size=70))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    message = messages.parse(data)
    assert message is None or message.signed + message.tag == data


def test_the_bytes_of_an_event() -> None:
    fields = (0x01020304, 7, 1, 1, 250, -2, 9, 88)
    sealed = messages.seal(KEY, messages.EVENT, 1001, 3, fields)
    assert sealed[:-8].hex() == "03 000003e9 00000003 01020304 00000007 01 01 000000fa fffffffe 09 58".replace(" ", "")


@pytest.mark.parametrize(("value", "clamped"), [(-5, 0), (0, 0), (7, 7), (255, 255), (1 << 40, 255)])
def test_clamp(value: int, clamped: int) -> None:
    assert messages.clamp(value, 0, messages.U8_MAX) == clamped
