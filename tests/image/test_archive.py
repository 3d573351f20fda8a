"""An image archive from folders: what the layers hold, and that it is told right."""

import gzip
import hashlib
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from testkit.paths import ROOT
from tools.image import archive
from tools.image.archive import Image, qualified, write


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo | str) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


def _opened(path: Path) -> tuple[str, dict[str, Any], list[tarfile.TarFile]]:
    """(name, configuration, layers as tar files), each blob checked against its digest."""
    with tarfile.open(path) as tar:
        blobs = {member.name: _content(tar, member) for member in tar if member.isreg()}
    for name, data in blobs.items():
        if name.startswith("blobs/"):
            assert hashlib.sha256(data).hexdigest() == name.rpartition("/")[2]

    def blob(described: dict[str, Any]) -> bytes:
        data = blobs["blobs/" + described["digest"].replace(":", "/")]
        assert len(data) == described["size"]
        return data

    (entry,) = json.loads(blobs["index.json"])["manifests"]
    manifest = json.loads(blob(entry))
    config = json.loads(blob(manifest["config"]))
    plain = [gzip.decompress(blob(layer)) for layer in manifest["layers"]]
    digests = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in plain]
    assert digests == config["rootfs"]["diff_ids"]
    layers = [tarfile.open(fileobj=io.BytesIO(layer)) for layer in plain]  # noqa: SIM115 - of bytes in memory
    return entry["annotations"]["io.containerd.image.name"], config, layers


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image of two small folders."""
    low, high = tmp_path / "low", tmp_path / "high"
    (low / "tmp").mkdir(parents=True)
    (low / "tmp").chmod(0o1777)
    (high / "bin").mkdir(parents=True)
    (high / "bin" / "program").write_text("#!/bin/program\n")
    (high / "bin" / "program").chmod(0o700)
    (high / "bin" / "notes").write_text("kept from others")
    (high / "bin" / "notes").chmod(0o600)
    (high / "bin" / "alias").symlink_to("program")
    return Image("shop:1", [low, high], ["/bin/program"])


def test_an_archive_says_what_its_layers_hold(image: Image, tmp_path: Path) -> None:
    """All digests fit; files are root's and readable by the user that runs, whatever the umask was."""
    packed, unpacked = write(image, tmp_path / "out.tar")
    assert packed == (tmp_path / "out.tar").stat().st_size
    assert unpacked > 0
    name, config, (low, high) = _opened(tmp_path / "out.tar")
    assert name == "docker.io/library/shop:1"
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Entrypoint"] == ["/bin/program"]
    assert [(entry.name, entry.mode) for entry in low] == [("tmp", 0o1777)]
    assert [(entry.name, entry.mode, entry.uid) for entry in high] == [
        ("bin", 0o755, 0), ("bin/alias", 0o777, 0), ("bin/notes", 0o644, 0), ("bin/program", 0o755, 0),
    ]  # fmt: skip
    assert high.getmember("bin/alias").linkname == "program"
    assert _content(high, "bin/notes") == b"kept from others"


def test_the_same_folders_give_the_same_bytes(image: Image, tmp_path: Path) -> None:
    """No time, no user, no order of the file system gets in."""
    write(image, tmp_path / "first.tar")
    for path in image.layers[1].rglob("*"):
        if not path.is_symlink():
            path.touch()
    write(image, tmp_path / "second.tar")
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_an_image_that_outgrew_its_limit_is_not_written(image: Image, tmp_path: Path) -> None:
    """The limit counts unpacked bytes, which is what a node's disk gets."""
    with pytest.raises(ValueError, match=r"shop:1 has [\d,]+ bytes unpacked; 1,000 are allowed"):
        write(image, tmp_path / "out.tar", limit=1000)
    assert not (tmp_path / "out.tar").exists()


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("zerogate:0.1.0", "docker.io/library/zerogate:0.1.0"),
        ("team/zerogate:1", "docker.io/team/zerogate:1"),
        ("dev.local/hello:1", "dev.local/hello:1"),
        ("localhost/hello:1", "localhost/hello:1"),
        ("registry:5000/hello:1", "registry:5000/hello:1"),
    ],
)
def test_an_images_short_name_is_what_a_runtime_makes_of_it(given: str, full: str) -> None:
    """containerd keeps full names; kubelet asks for them."""
    assert qualified(given) == full


def test_dockerfile_and_archive_make_the_same_image() -> None:
    """The same folders in the same order, the same user, command and path; the base pinned by its digest."""
    text = (ROOT / "Dockerfile").read_text()
    build, final = text.split("FROM scratch\n")
    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", build, re.MULTILINE)
    assert re.findall(r"^FROM (\S+)", build, re.MULTILINE) == ["${BASE}"]
    ours = archive.zerogate(Path("/image"), "zerogate:1")
    assert re.findall(r"folders\.py \w+ (\S+)", build) == [str(folder) for folder in ours.layers]
    assert final.split("\n") == [
        *(f"COPY --from=build {folder} /" for folder in ours.layers),
        *(f"ENV {variable}" for variable in ours.env),
        "WORKDIR /",
        f"USER {ours.user}",
        f"ENTRYPOINT {json.dumps(list(ours.entrypoint))}",
        "",
    ]
