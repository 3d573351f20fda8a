"""The link's certificate on a cluster: made at start, kept in memory, pinned through the Lease.

Who may write the autoscaler's Lease says by that which certificate is the leader's; so none need be issued,
stored or renewed by anybody.
"""

import datetime as dt
import hashlib
import os
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIVES = dt.timedelta(days=3650)
"""A process does not live so long, and nobody asks: activators compare the fingerprint alone."""
NAME = "zerogate-autoscaler"


@dataclass(frozen=True, slots=True)
class Certificate:
    """`tls` serves it; `fingerprint` is the SHA-256 of its DER form, in hexadecimal."""

    tls: ssl.SSLContext
    fingerprint: str


def make_certificate() -> Certificate:
    """A new key and its self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + LIVES)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding
    plain = key.private_bytes(encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    _load(tls, certificate.public_bytes(encoding.PEM) + plain)
    return Certificate(tls, hashlib.sha256(certificate.public_bytes(encoding.DER)).hexdigest())


def _load(tls: ssl.SSLContext, pair: bytes) -> None:
    """OpenSSL reads a key from files only; this one never reaches a disk."""
    file = os.memfd_create("link", os.MFD_CLOEXEC)
    try:
        os.write(file, pair)
        tls.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
