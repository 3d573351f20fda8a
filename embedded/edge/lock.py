"""The lock on the embedded API: a certificate authority of its own, and a random credential.

The API starts host processes, so whoever may use it may do what its user may. All secrets are files of mode
0600 in one folder, made at the first start and used again at the next.
"""

import base64
import datetime as dt
import hmac
import ipaddress
import os
import secrets
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONTEXT = "zerogate"
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")
_DAY = dt.timedelta(days=1)
_CA_LIFE = 3650 * _DAY
_SERVER_LIFE = 365 * _DAY
_RENEW_BEFORE = 30 * _DAY


@dataclass(frozen=True, slots=True)
class Lock:
    """What the server proves itself with, and what a client has to show. `hosts` are its names."""

    ca: str  # PEM
    certificate: Path
    private_key: Path
    token: str
    hosts: tuple[str, ...]

    def tls(self) -> ssl.SSLContext:
        """The server's side."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.private_key)
        return context

    def opens_with(self, authorization: str) -> bool:
        """Whether an Authorization header carries the credential."""
        scheme, _, token = authorization.partition(" ")
        given = token.strip().encode(errors="replace")
        return scheme.lower() == "bearer" and hmac.compare_digest(given, self.token.encode())


def make_lock(folder: Path, hosts: Iterable[str] = ()) -> Lock:
    """The lock kept in the folder, made or renewed where it is missing, unreadable, or near its end.

    `hosts` are names and addresses besides the local ones that clients may use.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = dt.datetime.fromtimestamp(time.time(), dt.UTC)
    names = tuple(dict.fromkeys([*LOCAL_HOSTS, *hosts]))
    authority = _read(folder, "ca")
    if authority is None or authority.certificate.not_valid_after_utc - now < _SERVER_LIFE:
        authority = _issue("zerogate API authority", now, _CA_LIFE, (), None)
        _write(folder, "ca", authority)
    server = _read(folder, "server")
    if server is None or not _is_good(server, authority, names, now):
        server = _issue("zerogate API", now, _SERVER_LIFE, names, authority)
        _write(folder, "server", server)
    return Lock(
        _pem(authority.certificate), folder / "server.crt", folder / "server.key", _token(folder), names
    )


def kubeconfig_text(server: str, ca: str, token: str) -> str:
    """A kubeconfig with one context, `zerogate`. `server` is a URL, `ca` PEM."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca.encode()).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [
            {"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}
        ],
        "current-context": CONTEXT,
    }
    return yaml.safe_dump(config, sort_keys=False)


@dataclass(frozen=True, slots=True)
class _Pair:
    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey


def _issue(
    name: str, now: dt.datetime, life: dt.timedelta, hosts: tuple[str, ...], issuer: _Pair | None
) -> _Pair:
    """A certificate for the hosts, signed by the issuer; an authority's own without one."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.private_key if issuer else private_key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * _DAY)  # clocks of clients differ, and may be set back
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(_usage(is_authority=issuer is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private_key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if issuer:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        ).add_extension(x509.SubjectAlternativeName([_san(host) for host in hosts]), critical=False)
    return _Pair(builder.sign(signer, hashes.SHA256()), private_key)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _san(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _is_good(server: _Pair, authority: _Pair, hosts: tuple[str, ...], now: dt.datetime) -> bool:
    """Whether the certificate is the authority's, names all hosts, and lasts for a while."""
    certificate = server.certificate
    try:
        certificate.verify_directly_issued_by(authority.certificate)
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # noqa: BLE001 - cryptography raises many kinds; each means: make a new one
        return False
    lasts = certificate.not_valid_after_utc - now > _RENEW_BEFORE and certificate.not_valid_before_utc <= now
    return lasts and all(_san(host) in named for host in hosts)


def _read(folder: Path, name: str) -> _Pair | None:
    """The pair `<name>.crt`, `<name>.key`; None when it is missing or was not written to its end."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
        private_key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    if not isinstance(private_key, ec.EllipticCurvePrivateKey):
        return None
    matches = private_key.public_key() == certificate.public_key()
    return _Pair(certificate, private_key) if matches else None


def _write(folder: Path, name: str, pair: _Pair) -> None:
    secret = pair.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(folder / f"{name}.key", secret)
    write_secret(folder / f"{name}.crt", _pem(pair.certificate).encode())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _token(folder: Path) -> str:
    file = folder / "token"
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token:
        token = secrets.token_urlsafe(32)
        write_secret(file, token.encode())
    return token


def write_secret(file: Path, content: bytes) -> None:
    """Write a file that its owner alone may read: whole, or not at all."""
    made = file.with_name(f".{file.name}.{os.getpid()}")
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    made.replace(file)
