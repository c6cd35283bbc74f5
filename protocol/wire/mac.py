"""HMAC-SHA-256 (RFC 2104, FIPS 198-1) on hashlib alone, since boards have no hmac module; tags and session keys."""

import hashlib

KEY_BYTES = 32  # of a terminal's own key and of a session's
TAG_BYTES = 8  # a forger at the line's 250 frames a second would need 10**9 years
NONCE_BYTES = 8  # drawn once a session; both sides give one

_BLOCK_BYTES = 64  # of SHA-256


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """The 32-byte code of `message` under `key`, which may be of any length."""
    if len(key) > _BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    key = key + bytes(_BLOCK_BYTES - len(key))
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
    inner.update(message)
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
    outer.update(inner.digest())
    return outer.digest()


def same(one: bytes, other: bytes) -> bool:
    """Whether two tags are equal, in a time that does not tell where they differ."""
    difference = len(one) ^ len(other)
    for a, b in zip(one, other):  # noqa: B905 (MicroPython's zip has no strict; the lengths are compared above)
        difference |= a ^ b
    return difference == 0


def session_key(key: bytes, address: int, nonce_terminal: bytes, nonce_gateway: bytes) -> bytes:
    """The key of the session that these two nonces make, for the terminal at `address` whose own key is `key`."""
    return hmac_sha256(key, b"sixkit/1 session" + address.to_bytes(4, "big") + nonce_terminal + nonce_gateway)
