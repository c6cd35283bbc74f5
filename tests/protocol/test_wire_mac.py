"""protocol.wire.mac against RFC 4231 and against the standard library's hmac."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.wire import mac

# RFC 4231, section 4: test cases 1 to 4, 6 and 7.
RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        (
            b"This is a test using a larger than block-size key and a larger than block-size data. "
            b"The key needs to be hashed before being used by the HMAC algorithm."
        ),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


@pytest.mark.parametrize(("key", "message", "code"), RFC_4231)
def test_the_vectors_of_rfc_4231(key: bytes, message: bytes, code: str) -> None:
    assert mac.hmac_sha256(key, message).hex() == code


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_is_the_hmac_of_the_standard_library(key: bytes, message: bytes) -> None:
    assert mac.hmac_sha256(key, message) == hmac.digest(key, message, "sha256")


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=4))
def test_a_key_that_is_kept_gives_each_message_its_own_code(key: bytes, messages: list[bytes]) -> None:
    keyed = mac.Keyed(key)
    assert [keyed.hmac_sha256(m) for m in messages] == [hmac.digest(key, m, "sha256") for m in messages]


@given(st.binary(min_size=8, max_size=8), st.integers(0, 63))
def test_tags_that_differ_in_one_bit_are_not_the_same(tag: bytes, bit: int) -> None:
    other = bytearray(tag)
    other[bit // 8] ^= 1 << bit % 8
    assert not mac.same(tag, bytes(other))


@pytest.mark.parametrize(("one", "other"), [(b"", b"\0"), (b"\0tag", b"tag"), (b"tag", b"tag\0")])
def test_tags_of_different_lengths_are_not_the_same(one: bytes, other: bytes) -> None:
    assert not mac.same(one, other)


@given(st.binary(max_size=9), st.binary(max_size=9))
def test_same_means_equal(one: bytes, other: bytes) -> None:
    assert mac.same(one, other) == (one == other)
    assert mac.same(one, bytes(one))


def test_a_session_key_depends_on_everything_it_is_made_of() -> None:
    parts = (bytes(32), 1, bytes(8), bytes(8))
    others = (
        (b"\1" * 32, 1, bytes(8), bytes(8)),
        (bytes(32), 2, bytes(8), bytes(8)),
        (bytes(32), 1, b"\1" * 8, bytes(8)),
        (bytes(32), 1, bytes(8), b"\1" * 8),
    )
    assert len({mac.session_key(*p) for p in (parts, *others)}) == 5
