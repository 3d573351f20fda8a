"""The lock is made once, kept, mended when it is broken, and readable by nobody else."""

import datetime as dt
import stat
import time
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from embedded.edge.lock import kubeconfig_text, make_lock


def secrets_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_same_lock_at_the_next_start(tmp_path: Path) -> None:
    """CA, certificate, key and credential are used again."""
    first = make_lock(tmp_path / "lock")
    before = secrets_of(tmp_path / "lock")
    again = make_lock(tmp_path / "lock")
    assert secrets_of(tmp_path / "lock") == before
    assert (again.ca, again.token) == (first.ca, first.token)
    assert set(before) == {"ca.crt", "ca.key", "server.crt", "server.key", "token"}


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    """Mode 0600 for every file, 0700 for the folder."""
    make_lock(tmp_path / "lock")
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o700
    for file in (tmp_path / "lock").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "server.crt", "server.key", "token"])
@pytest.mark.parametrize("content", [None, b"", b"\xffnonsense"])
def test_a_broken_file_is_made_anew(tmp_path: Path, name: str, content: bytes | None) -> None:
    """Whatever was lost, the result fits together: the certificate is the CA's, and the key is its own."""
    make_lock(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    mended = make_lock(tmp_path)
    authority = x509.load_pem_x509_certificate(mended.ca.encode())
    server = x509.load_pem_x509_certificate(mended.certificate.read_bytes())
    server.verify_directly_issued_by(authority)
    mended.tls()
    assert len(mended.token) > 20
    assert make_lock(tmp_path).ca == mended.ca


def test_the_certificate_names_all_hosts(tmp_path: Path) -> None:
    """The local names always; a new host makes a new certificate under the same CA."""
    first = make_lock(tmp_path)
    more = make_lock(tmp_path, ["192.0.2.7", "box.example"])
    assert more.ca == first.ca
    server = x509.load_pem_x509_certificate(more.certificate.read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "box.example"]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "::1", "192.0.2.7"]


def test_a_certificate_is_renewed_before_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within its last month, by the CA that clients know already."""
    first = make_lock(tmp_path)
    old = first.certificate.read_bytes()
    ends = x509.load_pem_x509_certificate(old).not_valid_after_utc
    for days, is_renewed in ((31, False), (29, True)):
        moment = (ends - dt.timedelta(days=days)).timestamp()
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        again = make_lock(tmp_path)
        assert (again.certificate.read_bytes() != old) == is_renewed
        assert again.ca == first.ca


def test_only_the_credential_opens(tmp_path: Path) -> None:
    """As a bearer token, whole."""
    lock = make_lock(tmp_path)
    assert lock.opens_with(f"Bearer {lock.token}")
    assert lock.opens_with(f"bearer {lock.token}")
    for wrong in ("", "Bearer ", lock.token, f"Basic {lock.token}", f"Bearer {lock.token}x", "Bearer \udcff"):
        assert not lock.opens_with(wrong)


def test_the_kubeconfig_has_one_context() -> None:
    """Server, CA and credential, in the namespace default."""
    config = yaml.safe_load(kubeconfig_text("https://127.0.0.1:8001", "PEM", "secret"))
    assert config["current-context"] == "zerogate"
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:8001"
    assert config["clusters"][0]["cluster"]["certificate-authority-data"] == "UEVN"
    assert config["users"][0]["user"] == {"token": "secret"}
    assert config["contexts"][0]["context"]["namespace"] == "default"
