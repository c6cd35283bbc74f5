"""HMAC-SHA-256 (RFC 2104, FIPS 198-1) on hashlib alone, since boards have no hmac module; tags and session keys."""

from hashlib import sha256

KEY_BYTES = 32  # of a terminal's own key and of a session's
TAG_BYTES = 8  # a forger at the line's 250 frames a second would need 10**9 years
NONCE_BYTES = 8  # drawn once a session; both sides give one

_BLOCK_BYTES = 64  # of SHA-256


class Keyed:
    """A key, of any length, made ready once: each code under it is two hashes and no loop over bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK_BYTES:
            key = sha256(key).digest()
        key = key + bytes(_BLOCK_BYTES - len(key))
        # Kept as bytes: MicroPython cannot copy a hash that has begun with them.
        self._inner = bytes([byte ^ 0x36 for byte in key])
        self._outer = bytes([byte ^ 0x5C for byte in key])

    def hmac_sha256(self, message: bytes) -> bytes:
        """The 32-byte code of `message`."""
        return sha256(self._outer + sha256(self._inner + message).digest()).digest()

    def session_key(self, address: int, nonce_terminal: bytes, nonce_gateway: bytes) -> bytes:
        """The key of the session that these two nonces make, for the terminal at `address` whose own key this is."""
        return self.hmac_sha256(b"sixkit/1 session" + address.to_bytes(4, "big") + nonce_terminal + nonce_gateway)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """The 32-byte code of `message` under `key`, which may be of any length."""
    return Keyed(key).hmac_sha256(message)


def same(one: bytes, other: bytes) -> bool:
    """Whether two tags are equal, in a time that does not tell where they differ."""
    return len(one) == len(other) and int.from_bytes(one, "big") ^ int.from_bytes(other, "big") == 0


def session_key(key: bytes, address: int, nonce_terminal: bytes, nonce_gateway: bytes) -> bytes:
    """See `Keyed.session_key`."""
    return Keyed(key).session_key(address, nonce_terminal, nonce_gateway)
