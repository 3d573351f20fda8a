"""Writes an image archive (OCI layout) from folders, without a container engine.

    archive.py FOLDERS NAME:TAG OUT.tar     FOLDERS holds what folders.py made: system, dependencies, program

`ctr images import` takes it. The same folders give the same bytes: names are sorted, times are zero, all
belongs to root and nobody else may write to it.
"""

import gzip
import hashlib
import io
import json
import platform
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

LAYERS = ("system", "dependencies", "program")
LIMIT = 150_000_000  # bytes, unpacked

_OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Image:
    """What a container of it starts, and as whom. `layers` are folders, the lowest first."""

    name: str
    layers: Sequence[Path]
    entrypoint: Sequence[str]
    user: str = "65532:65532"
    env: Sequence[str] = ("PATH=/usr/local/bin:/usr/bin:/bin",)


@dataclass(frozen=True)
class Layer:
    """One folder as a compressed tar: its place, its digests with and without gzip, its sizes in bytes."""

    path: Path
    digest: str
    diff_id: str
    packed: int
    unpacked: int


class _Writable(Protocol):
    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


class _Hashed:
    """A file that counts and hashes what is written to it."""

    def __init__(self, target: _Writable) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._target.write(data)

    def flush(self) -> None:
        self._target.flush()

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def write(image: Image, out: Path, limit: int = LIMIT) -> tuple[int, int]:
    """Write the archive; its sizes in bytes, packed and unpacked. Raises ValueError beyond the limit."""
    with tempfile.TemporaryDirectory() as folder:
        layers = [_pack(source, Path(folder) / str(n)) for n, source in enumerate(image.layers)]
        unpacked = sum(layer.unpacked for layer in layers)
        if unpacked >= limit:
            raise ValueError(f"{image.name} has {unpacked:,} bytes unpacked; {limit:,} are allowed")
        with tarfile.open(out, "w") as archive:
            _fill(archive, image, layers)
    return out.stat().st_size, unpacked


def qualified(name: str) -> str:
    """The name that a container runtime keeps for what a manifest calls `name`."""
    host, slash, rest = name.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{host}{rest}"


def _pack(source: Path, target: Path) -> Layer:
    """One folder as a layer."""
    with target.open("wb") as file:
        packed = _Hashed(file)
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0, filename="") as compressed:
            plain = _Hashed(compressed)
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload] # it only writes
                for path in sorted(source.rglob("*")):
                    _add(archive, path, str(path.relative_to(source)))
    return Layer(target, packed.digest, plain.digest, packed.size, plain.size)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """One file, folder or symbolic link, as root's and readable by all, whatever the builder's umask."""
    status = path.lstat()
    member = tarfile.TarInfo(name)
    member.mode = 0o755 if status.st_mode & 0o100 else 0o644
    if path.is_symlink():
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
    elif path.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o1777 if status.st_mode & 0o1000 else 0o755
    if not member.isreg():
        archive.addfile(member)
        return
    member.size = status.st_size
    with path.open("rb") as file:
        archive.addfile(member, file)


def _fill(archive: tarfile.TarFile, image: Image, layers: Sequence[Layer]) -> None:
    """The OCI layout: an index that names a manifest that names a configuration and layers, all by digest."""
    for layer in layers:
        member = tarfile.TarInfo(_blob(layer.digest))
        member.size = layer.packed
        with layer.path.open("rb") as file:
            archive.addfile(member, file)
    config = _encode(_config(image, [layer.diff_id for layer in layers]))
    manifest = _encode({
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.manifest.v1+json",
        "config": _described(config, "config.v1+json"),
        "layers": [
            {"mediaType": f"{_OCI}.layer.v1.tar+gzip", "digest": layer.digest, "size": layer.packed}
            for layer in layers
        ],
    })  # fmt: skip
    name = qualified(image.name)
    annotations = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    described = {**_described(manifest, "manifest.v1+json"), "annotations": annotations}
    index = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": [described]}
    for data in (config, manifest):
        _put(archive, _blob(_digest(data)), data)
    _put(archive, "index.json", _encode(index))
    _put(archive, "oci-layout", _encode({"imageLayoutVersion": "1.0.0"}))


def _config(image: Image, diff_ids: Iterable[str]) -> dict[str, Any]:
    machine = platform.machine()
    return {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine),
        "os": "linux",
        "config": {
            "User": image.user, "Env": list(image.env),
            "Entrypoint": list(image.entrypoint), "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
    }  # fmt: skip


def _encode(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _described(data: bytes, kind: str) -> dict[str, Any]:
    return {"mediaType": f"{_OCI}.{kind}", "digest": _digest(data), "size": len(data)}


def _put(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def zerogate(folders: Path, name: str) -> Image:
    """The image of our programs, as the Dockerfile makes it."""
    return Image(name, [folders / layer for layer in LAYERS], entrypoint=["/usr/local/bin/zerogate"])


def main() -> None:
    """Write it, and say how large it became."""
    folders, name, out = sys.argv[1:]
    try:
        packed, unpacked = write(zerogate(Path(folders), name), Path(out))
    except ValueError as error:
        sys.exit(str(error))
    print(f"{out}: {qualified(name)}, {packed / 1e6:.1f} MB to pull, {unpacked / 1e6:.1f} MB unpacked")


if __name__ == "__main__":
    main()
