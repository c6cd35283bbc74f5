"""An envelope opens for the right key and context only, and whatever else arrives is refused with a reason."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cwt import COSE, COSEKey
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.envelope import (
    ALG_ED25519,
    ENVELOPE_BYTES_MAX,
    KID_BYTES_MAX,
    EnvelopeError,
    open,
    seal,
    signing_key,
    verifying_key,
)


def pem(key: Any) -> bytes:
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return data


PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = signing_key(pem(PRIVATE), b"gw-1")
OTHER = signing_key(pem(Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)), b"gw-1")
KEYS = {b"gw-1": KEY.verifying()}
ALARM = b"sixkit/1/alarm"
GOOD = seal(b"a record", KEY, ALARM)
PROTECTED = bytes.fromhex("a201320444") + b"gw-1"

VECTOR = (  # tag 18, [protected, {}, payload, signature]: it must come out the same on every machine
    "d28449a20132044467772d31a04861207265636f726458406a80ace292e5ca881541004b75bfe9bc67fea0dd841e88947e4f"
    "38a11cf7b16d6c3d69574385090b21e37a2c8e1fcd715a9ff73ba6851253971be60cbc5bcf01"
)


def reason(data: bytes, context: bytes = ALARM) -> str:
    with pytest.raises(EnvelopeError) as refused:
        open(data, KEYS, context)
    assert str(refused.value) == refused.value.reason  # a journal shows the one, a counter the other
    return refused.value.reason


def signed(protected: bytes, unprotected: dict[int, Any] | None = None, tag: int = 18) -> bytes:
    """An envelope with headers of any kind, and a signature that is right for them."""
    signature = PRIVATE.sign(cbor2.dumps(["Signature1", protected, ALARM, b"a record"]))
    return cbor2.dumps(cbor2.CBORTag(tag, [protected, unprotected or {}, b"a record", signature]))


@given(st.binary(max_size=2048), st.binary(max_size=40))
def test_what_is_sealed_opens_for_its_context(record: bytes, context: bytes) -> None:
    assert open(seal(record, KEY, context), KEYS, context) == (b"gw-1", record)


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 2048])  # where CBOR's form of a length changes
def test_a_record_of_any_length_opens(length: int) -> None:
    record = bytes(range(256)) * 8
    assert open(seal(record[:length], KEY, ALARM), KEYS, ALARM) == (b"gw-1", record[:length])


def test_the_layout_and_what_is_signed_are_those_of_rfc_9052() -> None:
    assert signed(PROTECTED) == GOOD
    assert GOOD.hex() == VECTOR


@given(st.binary(max_size=2048), st.binary(max_size=300), st.binary(min_size=1, max_size=KID_BYTES_MAX))
def test_another_implementation_makes_the_same_bytes_and_opens_them(record: bytes, context: bytes, kid: bytes) -> None:
    raw = {"d": PRIVATE.private_bytes_raw(), "x": PRIVATE.public_key().public_bytes_raw()}
    key = COSEKey.new({1: 1, 2: kid, 3: ALG_ED25519, -1: 6, -2: raw["x"], -4: raw["d"]})  # RFC 9053, 7.2
    sealed = seal(record, signing_key(pem(PRIVATE), kid), context)
    assert COSE.new().encode(record, key, {1: ALG_ED25519, 4: kid}, external_aad=context) == sealed
    assert COSE.new().decode(sealed, key, external_aad=context) == record


def test_a_stranger_to_the_context_can_not_use_it() -> None:
    assert reason(GOOD, b"sixkit/1/heartbeat") == "signature"


def test_another_key_under_the_same_name_is_refused() -> None:
    assert reason(seal(b"a record", OTHER, ALARM)) == "signature"


def test_a_key_is_taken_under_its_own_name_only() -> None:
    as_another = seal(b"a record", signing_key(pem(PRIVATE), b"gw-2"), ALARM)
    with pytest.raises(EnvelopeError, match=r"^signature$"):
        open(as_another, {b"gw-2": KEY.verifying()}, ALARM)


def test_a_key_nobody_knows_is_refused() -> None:
    assert reason(seal(b"a record", signing_key(pem(PRIVATE), b"gw-2"), ALARM)) == "unknown_key"


@given(st.binary(max_size=400))
@example(b"\xd2\x84")
@example(b"\xd2\x84\x59\xff")
@example(b"\xd2\x84\x81" * 500)
@example(GOOD[:2] + b"\x5b\x7f" + b"\xff" * 7)
@example(bytes(ENVELOPE_BYTES_MAX + 1))
def test_any_bytes_are_refused_with_a_reason(data: bytes) -> None:
    assert reason(data)


@given(st.binary(max_size=80))
@example(b"\x81" * 54)
@example(b"\xa2\x01\x32\x04\x80")
@example(b"\xa2\x01\x80\x04\x41g")
@example(b"\xd8\x23\x65(a{9}")
def test_any_protected_header_is_refused_with_a_reason(protected: bytes) -> None:
    assert reason(signed(protected)) in ("header", "unknown_key", "alg")


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    data = bytearray(GOOD)
    data[bit // 8] ^= 1 << bit % 8
    assert reason(bytes(data))


@given(st.integers(0, len(GOOD) - 1))
def test_any_cut_is_refused(length: int) -> None:
    unprotected_at = 3 + len(PROTECTED)
    assert reason(GOOD[:length]) == ("header" if length == unprotected_at else "not_cose")


@given(st.binary(min_size=1, max_size=8))
def test_trailing_bytes_are_refused(more: bytes) -> None:
    assert reason(GOOD + more) == "not_cose"


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ({1: -8, 4: b"gw-1"}, "alg"),  # EdDSA of any curve, deprecated by RFC 9864
        ({1: -7, 4: b"gw-1"}, "alg"),
        ({1: -19}, "header"),
        ({4: b"gw-1"}, "header"),
        ({}, "header"),
        ({1: -19, 4: b"gw-1", 2: [99]}, "header"),  # crit, which we would have to understand
        ({1: -19, 4: b"gw-1", 3: 0}, "header"),
        ({4: b"gw-1", 1: -19}, "header"),  # out of order
        ({1: "Ed25519", 4: b"gw-1"}, "header"),
        ({1: -19, 4: "gw-1"}, "header"),
        ({1: -19, 4: b"g" * KID_BYTES_MAX}, "unknown_key"),
        ({1: -19, 4: b"g" * (KID_BYTES_MAX + 1)}, "header"),
        ({1: True, 4: b"gw-1"}, "header"),
    ],
)
def test_a_well_signed_header_of_another_kind_is_refused(header: dict[int, Any], word: str) -> None:
    assert reason(signed(cbor2.dumps(header))) == word


def test_only_the_one_layout_is_taken() -> None:
    signature = GOOD[-64:]
    assert reason(signed(PROTECTED, unprotected={4: b"gw-1"})) == "header"
    assert reason(signed(PROTECTED, tag=17)) == "not_cose"
    assert reason(GOOD[1:]) == "not_cose"  # no tag
    assert reason(b"\xd8\x12" + GOOD[1:]) == "not_cose"  # the tag in a longer form
    assert reason(b"\xd9\xd9\xf7" + GOOD) == "not_cose"  # self-described CBOR
    assert reason(cbor2.dumps(cbor2.CBORTag(18, [PROTECTED, {}, None, signature]))) == "not_cose"  # detached
    assert reason(cbor2.dumps(cbor2.CBORTag(18, [PROTECTED, {}, b"a record", signature, b""]))) == "not_cose"
    assert reason(cbor2.dumps(cbor2.CBORTag(18, [PROTECTED, {}, b"a record", signature[:63]]))) == "not_cose"
    assert reason(GOOD.replace(b"\x48a record", b"\x58\x08a record")) == "not_cose"  # its length in a longer form
    assert reason(GOOD.replace(b"\x48a record", b"\x59\x00\x08a record")) == "not_cose"


def test_what_is_too_long_is_not_looked_at() -> None:
    assert reason(seal(bytes(ENVELOPE_BYTES_MAX), KEY, ALARM)) == "too_long"
    assert reason(bytes(ENVELOPE_BYTES_MAX + 1)) == "too_long"
    assert reason(bytes(ENVELOPE_BYTES_MAX)) == "not_cose"


def test_a_public_key_is_read_raw_and_in_pem() -> None:
    raw = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    text = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for public in (raw, text):
        key = verifying_key(public, b"gw-1")
        assert open(GOOD, {key.kid: key}, ALARM) == (b"gw-1", b"a record")
        assert key.raw == raw
    assert KEY.verifying().kid == b"gw-1"


@given(st.binary(max_size=200).filter(lambda data: len(data) != 32))
def test_what_is_no_key_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a private key"):
        signing_key(data, b"gw-1")
    with pytest.raises(ValueError, match="not a public key"):
        verifying_key(data, b"gw-1")


def test_a_key_of_another_kind_is_a_value_error() -> None:
    curve = generate_private_key(SECP256R1())
    public = curve.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="not an Ed25519 private key"):
        signing_key(pem(curve), b"gw-1")
    with pytest.raises(ValueError, match="not an Ed25519 public key"):
        verifying_key(public, b"gw-1")


@pytest.mark.parametrize("length", [1, KID_BYTES_MAX])
def test_a_key_s_name_may_be_short_or_long(length: int) -> None:
    key = signing_key(pem(PRIVATE), b"k" * length)
    assert open(seal(b"a record", key, ALARM), {key.kid: key.verifying()}, ALARM) == (b"k" * length, b"a record")


@pytest.mark.parametrize("length", [0, KID_BYTES_MAX + 1])
def test_a_key_s_name_has_its_limits(length: int) -> None:
    with pytest.raises(ValueError, match=f"1 to {KID_BYTES_MAX} bytes, not {length}"):
        signing_key(pem(PRIVATE), b"k" * length)
    raw = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    with pytest.raises(ValueError, match=f"1 to {KID_BYTES_MAX} bytes, not {length}"):
        verifying_key(raw, b"k" * length)
