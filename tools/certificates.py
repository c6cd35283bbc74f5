"""A site's private certificate authority, its broker and client certificates, and Ed25519 identities, as PEM bytes."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A certificate that runs out silences a home. Ten years are a gateway's life; the day before covers clocks that differ.
VALIDITY: Final = timedelta(days=3652)
BACKDATED: Final = timedelta(days=1)
AUTHORITY_NAME: Final = "Sixkit site CA"

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def tls_key() -> bytes:
    """A new ECDSA P-256 private key."""
    return _private_pem(ec.generate_private_key(ec.SECP256R1()))


def identity_key() -> bytes:
    """A new Ed25519 private key (PKCS8), what a gateway or the centre signs with."""
    return _private_pem(ed25519.Ed25519PrivateKey.generate())


def public_key(private: bytes) -> bytes:
    """The public half of an identity key, as SubjectPublicKeyInfo."""
    return _identity(private).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def raw_public_key(private: bytes) -> bytes:
    """The 32 bytes of the public half of an identity key."""
    return _identity(private).public_key().public_bytes_raw()


def authority_certificate(key: bytes, now: datetime) -> bytes:
    """The self-signed certificate of the authority with this TLS key; it may sign end certificates only."""
    own = _tls(key)
    builder = _builder(AUTHORITY_NAME, AUTHORITY_NAME, own, own, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return builder.sign(own, hashes.SHA256()).public_bytes(Encoding.PEM)


def broker_certificate(key: bytes, authority_key: bytes, host: str, now: datetime) -> bytes:
    """A server's certificate, good for `host` (a name or an address), localhost and 127.0.0.1."""
    names = x509.SubjectAlternativeName(dict.fromkeys([_name("localhost"), _name("127.0.0.1"), _name(host)]))
    return _end_certificate("broker", key, authority_key, ExtendedKeyUsageOID.SERVER_AUTH, now, names)


def client_certificate(key: bytes, authority_key: bytes, name: str, now: datetime) -> bytes:
    """A client's certificate: the broker knows the client by its subject, CN=`name`."""
    return _end_certificate(name, key, authority_key, ExtendedKeyUsageOID.CLIENT_AUTH, now)


def _end_certificate(
    name: str,
    key: bytes,
    authority_key: bytes,
    purpose: x509.ObjectIdentifier,
    now: datetime,
    names: x509.SubjectAlternativeName | None = None,
) -> bytes:
    authority = _tls(authority_key)
    builder = _builder(name, AUTHORITY_NAME, _tls(key), authority, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    # One purpose each, so that a stolen gateway cannot pass for a broker.
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM)


def _builder(
    name: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.CertificateBuilder:
    start = now.astimezone(UTC) - BACKDATED
    signer = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + VALIDITY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _tls(key: bytes) -> ec.EllipticCurvePrivateKey:
    loaded = load_pem_private_key(key, password=None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise ValueError("not an ECDSA key")
    return loaded


def _identity(key: bytes) -> ed25519.Ed25519PrivateKey:
    loaded = load_pem_private_key(key, password=None)
    if not isinstance(loaded, ed25519.Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    return loaded
