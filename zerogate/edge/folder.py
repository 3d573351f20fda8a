"""The data folder of `zerogate up`: what survives a restart, and the lock that keeps it one owner's."""

import fcntl
import os
import secrets
from pathlib import Path

from zerogate.errors import Failed


class DataFolder:
    """A folder held by one `up` at a time. All secrets in it have mode 0600."""

    def __init__(self, path: Path) -> None:
        """Make the folder and take its lock. Raises Failed when another `up` has it."""
        self.path = path.absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Failed(
                f"{self.path} can't be used as a data folder: {error.strerror}; choose --data"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 20, 0).decode() or "unknown"
            raise Failed(
                f"{self.path} is in use by another `zerogate up` (process {holder}); "
                "end that one or choose another --data"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    @property
    def kubeconfig(self) -> Path:
        """What kubectl and our own programs read."""
        return self.path / "kubeconfig"

    @property
    def database(self) -> Path:
        """The store of the embedded API."""
        return self.path / "state.db"

    def make_database(self) -> Path:
        """The file for the store, which holds Secrets."""
        self.database.touch(mode=0o600)
        return self.database

    @property
    def token_file(self) -> Path:
        """The secret of the link between activators and autoscaler, and of /debug."""
        return self.path / "token"

    def token(self) -> str:
        """That secret, made at first use."""
        if not self.token_file.exists():
            self.write_secret(self.token_file, secrets.token_urlsafe(32))
        return self.token_file.read_text()

    @staticmethod
    def write_secret(path: Path, text: str) -> None:
        """Write a file that only its owner reads; it appears whole or not at all."""
        made = path.with_name(path.name + ".new")
        made.unlink(missing_ok=True)
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        made.replace(path)

    def release(self) -> None:
        """Let the next `up` have it."""
        os.close(self._lock)
