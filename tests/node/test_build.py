"""The Dockerfile, built by a real builder, and what `make image` writes: one image.

Registries are not asked: the base that the Dockerfile pins by its digest is stood in for by a Debian of the
same release, bootstrapped once from its packages.
"""

import gzip
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testkit import cache
from testkit.machines.containers import IMAGE
from testkit.paths import ROOT
from tools.image.archive import LIMIT

CACHE = cache.folder()
SOURCES = """deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian-security bookworm-security main
"""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = """FROM scratch
ADD base.tar /
ENV PIP_CERT=/machine.crt
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of which nothing is kept: builds are large."""
    yield tmp_path
    for each in tmp_path.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()


@pytest.fixture
def base(folder: Path) -> Path:
    """A tar of Debian 12 with this machine's certificates, by which it reaches package indexes."""
    kept = CACHE / "debian-bookworm.tar"
    if not kept.exists():
        root = folder / "root"
        subprocess.run(
            ("debootstrap", "--variant=minbase", "bookworm", root), check=True, capture_output=True
        )
        (root / "etc/apt/sources.list").write_text(SOURCES)
        (root / "machine.crt").write_bytes(CERTIFICATES.read_bytes())
        subprocess.run(("tar", "-C", root, "-cf", folder / "new.tar", "."), check=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        (folder / "new.tar").rename(kept)
    return kept


def _contents(archive: Path) -> Any:
    """(configuration, name → kind and mode, size in bytes unpacked) of an OCI archive."""
    with tarfile.open(archive) as tar:
        parts = ((member.name, tar.extractfile(member)) for member in tar if member.isreg())
        blobs = {name: part.read() for name, part in parts if part is not None}

    def blob(described: dict[str, Any]) -> bytes:
        return blobs["blobs/" + described["digest"].replace(":", "/")]

    manifest = json.loads(blob(json.loads(blobs["index.json"])["manifests"][0]))
    config = json.loads(blob(manifest["config"]))["config"]
    files, size = {}, 0
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layer)))) as tar:
            for member in tar:
                files[member.name.strip("./")] = (member.type, member.mode & 0o7777)
                size += member.size
    wanted = {key: config[key] for key in ("Entrypoint", "Env", "User", "WorkingDir")}
    return wanted, {name: kind for name, kind in files.items() if name}, size


@pytest.mark.own_node
def test_the_dockerfile_builds_what_make_image_writes(base: Path, folder: Path) -> None:
    """The same files with the same modes, the same user and command, and under 150 MB."""
    builder = (
        "buildah",
        "--root",
        folder / "store",
        "--runroot",
        folder / "run",
        "--storage-driver",
        "vfs",
    )
    (folder / "base").mkdir()
    shutil.copy(base, folder / "base" / "base.tar")
    (folder / "base" / "Dockerfile").write_text(BASE)
    build = (*builder, "build", "--isolation", "chroot")
    subprocess.run((*build, "--tag", "localhost/debian:stand-in", folder / "base"), check=True)
    given = ("--build-arg", "BASE=localhost/debian:stand-in", "--tag", "zerogate:test")
    subprocess.run((*build, *given, ROOT), check=True)
    made = folder / "made.tar"
    subprocess.run((*builder, "push", "zerogate:test", f"oci-archive:{made}"), check=True)
    config, files, size = _contents(made)
    assert (config, files) == _contents(IMAGE)[:2]
    assert size < LIMIT
