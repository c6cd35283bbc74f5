"""The signed envelope around a record: COSE_Sign1 (RFC 9052) with Ed25519 (-19, RFC 9864), opened strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cbor2
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ENVELOPE_BYTES_MAX: Final = 4096  # a record is at most 2048, and the envelope adds about 100
KID_BYTES_MAX: Final = 48  # a gateway's id of 32 and a "#n" for the number of its key
ALG_ED25519: Final = -19
CENTRE_KID: Final = b"centre"  # what gateways know the centre's key by; a gateway's own key goes by its id

_SIGN1_HEAD: Final = b"\xd2\x84"  # tag 18, an array of four; then protected, {}, payload, signature
_SIGNED_HEAD: Final = b"\x84\x6aSignature1"  # an array of four, RFC 9052, 4.4; then protected, context, payload
_PROTECTED_HEAD: Final = b"\xa2\x01\x32\x04"  # {1: -19, 4: the kid that follows}
_UNPROTECTED: Final = b"\xa0"  # {}: anybody could change what is in it
_SIGNATURE_BYTES: Final = 64
_HEADER_BYTES_MAX: Final = KID_BYTES_MAX + 6  # what {1: -19, 4: kid} needs: longer ones are never parsed
_ALG, _KID = 1, 4  # header labels, RFC 9052 table 3


class EnvelopeError(ValueError):
    """These bytes are not an envelope that we accept; `reason` is a short word to count by:
    too_long, not_cose, header, unknown_key, alg or signature."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the name that receivers know it by."""

    kid: bytes
    key: Ed25519PrivateKey

    def verifying(self) -> VerifyingKey:
        """The public half, under the same name."""
        return _verifying(self.key.public_key(), self.kid)


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, the name that it goes by, and the one algorithm that it may be used with."""

    kid: bytes
    key: Ed25519PublicKey
    raw: bytes  # 32 of them
    alg: int = ALG_ED25519


def signing_key(pem: bytes, kid: bytes) -> SigningKey:
    """The Ed25519 private key in `pem` (PKCS #8, not encrypted); ValueError where it is anything else."""
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"not a private key in PEM: {error}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 private key")
    return SigningKey(_kid(kid), private)


def verifying_key(public: bytes, kid: bytes) -> VerifyingKey:
    """The Ed25519 public key in `public`, 32 raw bytes or PEM; ValueError where it is anything else."""
    if len(public) == 32:
        return _verifying(Ed25519PublicKey.from_public_bytes(public), kid)
    try:
        key = serialization.load_pem_public_key(public)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"not a public key in PEM: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 public key")
    return _verifying(key, kid)


def _verifying(public: Ed25519PublicKey, kid: bytes) -> VerifyingKey:
    return VerifyingKey(_kid(kid), public, public.public_bytes_raw())


def _kid(kid: bytes) -> bytes:
    if not 1 <= len(kid) <= KID_BYTES_MAX:
        raise ValueError(f"a key's name has 1 to {KID_BYTES_MAX} bytes, not {len(kid)}")
    return kid


def seal(record: bytes, key: SigningKey, context: bytes) -> bytes:
    """`record` signed by `key` for `context` (see topic.context): it will not verify for any other."""
    protected = _PROTECTED_HEAD + _string(key.kid)
    signature = key.key.sign(_signed(protected, context, record))
    return b"".join((_SIGN1_HEAD, _string(protected), _UNPROTECTED, _string(record), _string(signature)))


def open(data: bytes, keys: Mapping[bytes, VerifyingKey], context: bytes) -> tuple[bytes, bytes]:
    """The name of the key that signed `data` for `context`, and the record in it.

    Raises EnvelopeError, and nothing else, for whatever `seal` would not have made with one of `keys`.
    """
    protected, record, signature = _parts(data)
    kid, alg = _header(protected)
    key = keys.get(kid)
    if key is None:
        raise EnvelopeError("unknown_key")
    if alg != key.alg:
        raise EnvelopeError("alg")
    if key.kid != kid:  # it goes by another name
        raise EnvelopeError("signature")
    try:
        key.key.verify(signature, _signed(protected, context, record))
    except InvalidSignature as error:
        raise EnvelopeError("signature") from error
    return kid, record


def _signed(protected: bytes, context: bytes, record: bytes) -> bytes:
    """What a signature is over: RFC 9052, 4.4, the context being the external_aad."""
    return b"".join((_SIGNED_HEAD, _string(protected), _string(context), _string(record)))


def _parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    """The protected header, payload and signature of `data`, its whole structure checked byte for byte.

    The structure has one layout only, so that no parser is let loose on what nobody has signed; a general one would
    take an unprotected header, longer forms and trailing bytes too.
    """
    if len(data) > ENVELOPE_BYTES_MAX:
        raise EnvelopeError("too_long")
    if data[:2] != _SIGN1_HEAD:
        raise EnvelopeError("not_cose")
    protected, at = _byte_string(data, 2)
    if data[at : at + 1] != _UNPROTECTED:
        raise EnvelopeError("header")
    payload, at = _byte_string(data, at + 1)
    signature, at = _byte_string(data, at)
    if at != len(data) or len(signature) != _SIGNATURE_BYTES:
        raise EnvelopeError("not_cose")
    return protected, payload, signature


def _header(protected: bytes) -> tuple[bytes, int]:
    """The kid and alg in a protected header of exactly these two, in deterministic form (RFC 8949, 4.2.1)."""
    if len(protected) > _HEADER_BYTES_MAX:
        raise EnvelopeError("header")
    try:
        header = cbor2.loads(protected)
        alg, kid = header[_ALG], header[_KID]
        exact = cbor2.dumps({_ALG: alg, _KID: kid}) == protected
    except Exception as error:  # whatever a parser makes of 54 bytes of anything
        raise EnvelopeError("header") from error
    if not exact or type(alg) is not int or type(kid) is not bytes:
        raise EnvelopeError("header")
    return kid, alg


def _byte_string(data: bytes, at: int) -> tuple[bytes, int]:
    """The CBOR byte string at `at`, its length in the shortest form, and where it ends."""
    head = data[at] if at < len(data) else 0
    if 0x40 <= head <= 0x57:
        start, length = at + 1, head - 0x40
    elif head == 0x58:
        start, length = at + 2, int.from_bytes(data[at + 1 : at + 2])
    elif head == 0x59:
        start, length = at + 3, int.from_bytes(data[at + 1 : at + 3])
    else:
        raise EnvelopeError("not_cose")
    shortest = {0x58: 24, 0x59: 256}.get(head, 0)
    if length < shortest or start + length > len(data):
        raise EnvelopeError("not_cose")
    return data[start : start + length], start + length


def _string(data: bytes) -> bytes:
    """`data` (64 kB at most) as a CBOR byte string, its length in the shortest form."""
    length = len(data)
    if length < 24:
        return bytes((0x40 + length,)) + data
    if length < 256:
        return bytes((0x58, length)) + data
    return b"\x59" + length.to_bytes(2) + data
