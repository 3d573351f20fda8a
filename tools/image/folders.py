"""Makes one of the three folders that the image is made of, lowest first.

    folders.py system FOLDER         Debian's Python and the libraries under it: no shell, no package manager
    folders.py dependencies FOLDER   what requirements.lock names, checked by its hashes
    folders.py program FOLDER        the wheel of this checkout, and the command `zerogate`

The Dockerfile copies them into an empty image; where no container engine runs, archive.py writes the same.
Needs apt-get and dpkg-deb (a Debian 12 or a machine with its package lists), pip, and the network.
Later folders are compiled with the interpreter of `system`, which must stand beside them.
"""

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = "python3.11"
SITE = f"usr/local/lib/{PYTHON}/dist-packages"
USER = 65532

# Debian's names. No ca-certificates: inside a cluster the API's authority comes with the account's token.
PACKAGES = (
    "base-files", "libbz2-1.0", "libc6", "libcrypt1", "libexpat1", "libffi8", "libgcc-s1", "liblzma5",
    f"lib{PYTHON}-minimal", f"lib{PYTHON}-stdlib", "libsqlite3-0", "libssl3", "libuuid1",
    f"{PYTHON}-minimal", "zlib1g",
)  # fmt: skip

# What nobody reads inside a container: manuals, translations, iconv's character sets, the stdlib's own tests.
SUPERFLUOUS = (
    "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/bug", "usr/lib/*/gconv",
    f"usr/lib/{PYTHON}/test", f"usr/lib/{PYTHON}/pydoc_data", "boot", "home", "media", "mnt", "opt",
    "root", "srv", "var/local",
)  # fmt: skip

ACCOUNTS = {
    "etc/passwd": f"root:x:0:0:root:/:/nonexistent\nzerogate:x:{USER}:{USER}:zerogate:/:/nonexistent\n",
    "etc/group": f"root:x:0:\nzerogate:x:{USER}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}

COMMAND = f"""#!/usr/bin/{PYTHON} -I
from zerogate.__main__ import main

main()
"""


def system(folder: Path) -> None:
    """Debian's packages, unpacked, without their scripts."""
    with tempfile.TemporaryDirectory() as downloads:
        # As the user that asks: apt's own user could not write here.
        command = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *PACKAGES)
        subprocess.run(command, cwd=downloads, check=True, stdout=subprocess.DEVNULL)
        for package in sorted(Path(downloads).glob("*.deb")):
            subprocess.run(("dpkg-deb", "--extract", package, folder), check=True)
            _tell_scanners(package, folder)
    for pattern in SUPERFLUOUS:
        for path in folder.glob(pattern):
            shutil.rmtree(path)
    for name, text in ACCOUNTS.items():
        (folder / name).write_text(text)
    _compile(folder, folder, f"usr/lib/{PYTHON}")


def _tell_scanners(package: Path, folder: Path) -> None:
    """Name and version stand where scanners for known flaws look in images without a package manager."""
    status = folder / "var/lib/dpkg/status.d"
    status.mkdir(parents=True, exist_ok=True)
    fields = subprocess.run(("dpkg-deb", "--field", package), check=True, capture_output=True, text=True)
    (status / package.name.split("_")[0]).write_text(fields.stdout)


def dependencies(folder: Path) -> None:
    """The wheels of the lock file for the image's Python, whichever Python runs this."""
    site = folder / SITE
    lock = ROOT / "requirements.lock"
    _pip("--require-hashes", "--only-binary", ":all:", *_platforms(), "--target", site, "--requirement", lock)
    shutil.rmtree(site / "bin")
    # Never imported inside a cluster (it reads kubeconfigs with plug-ins), and larger than all others.
    _compile(folder.parent / "system", folder, SITE, but="kubernetes_asyncio")


def program(folder: Path) -> None:
    """The wheel of this checkout; its command uses no folder or variable of the user."""
    site = folder / SITE
    _pip("--no-deps", "--target", site, ROOT)
    shutil.rmtree(site / "bin")
    for origin in site.glob("*.dist-info/direct_url.json"):
        origin.unlink()  # the folder of whoever built the image is nobody's business
    command = folder / "usr/local/bin/zerogate"
    command.parent.mkdir(parents=True)
    command.write_text(COMMAND)
    command.chmod(0o755)
    _compile(folder.parent / "system", folder, SITE)


def _platforms() -> list[str]:
    """Pip's options for wheels that run on the image's C library (2.36), newest first."""
    machine = sysconfig.get_platform().rpartition("-")[2]
    names = [f"manylinux_2_{minor}_{machine}" for minor in range(36, 16, -1)] + [f"manylinux2014_{machine}"]
    return ["--python-version", "3.11", *(word for name in names for word in ("--platform", name))]


def _pip(*arguments: str | Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
    subprocess.run((*pip, *arguments), check=True)


def _compile(system_folder: Path, folder: Path, below: str, but: str = "/") -> None:
    """Byte code for a root file system that nobody may write to, by the image's own interpreter.

    Valid by what it is, not by when its source was written: the image's times are all the same.
    """
    loader = next(system_folder.glob("lib*/ld-linux-*"))
    libraries = [path for top in ("lib", "usr/lib") for path in (system_folder / top).glob("*-linux-gnu")]
    subprocess.run(
        (loader, "--library-path", ":".join(map(str, libraries)), system_folder / "usr/bin" / PYTHON,
         "-s", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash",
         "-s", folder, "-p", "/", "-x", but if but != "/" else "$^", folder / below),
        env={"PYTHONHOME": str(system_folder / "usr"), "PYTHONDONTWRITEBYTECODE": "1"}, check=True,
    )  # fmt: skip


def main() -> None:
    """Make the folder anew."""
    name, folder = sys.argv[1], Path(sys.argv[2]).absolute()
    make = {"system": system, "dependencies": dependencies, "program": program}[name]
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    make(folder)


if __name__ == "__main__":
    main()
