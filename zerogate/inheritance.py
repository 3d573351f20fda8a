"""The gateway's listening socket, handed from one process to the next: which descriptor it is.

The words are systemd's (sd_listen_fds(3)), so that a socket unit can hold it over restarts of `zerogate up`;
and `zerogate up` says the same to itself when it begins anew in place.
"""

from collections.abc import Mapping

FIRST = 3
"""The first descriptor that is handed over (sd_listen_fds(3), SD_LISTEN_FDS_START)."""
NAME = "gateway"
WORDS = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def inherited(environment: Mapping[str, str], process: int) -> int | None:
    """The descriptor of the gateway's socket, None where nothing was handed to this process.

    One alone may have any name. ValueError says which of several is missing.
    """
    if environment.get("LISTEN_PID") != str(process):
        return None
    count = environment.get("LISTEN_FDS", "")
    if not (count.isascii() and count.isdecimal()):
        raise ValueError(f"LISTEN_FDS is {count!r}; it is to be the number of sockets")
    if int(count) <= 1:
        return FIRST if int(count) else None
    names = environment.get("LISTEN_FDNAMES", "").split(":")[: int(count)]
    if NAME not in names:
        raise ValueError(
            f"{count} sockets are handed over and none is named {NAME}: set FileDescriptorName={NAME}"
        )
    return FIRST + names.index(NAME)


def handed_on(environment: Mapping[str, str], process: int) -> dict[str, str]:
    """The environment of who takes the gateway's socket over, as descriptor `FIRST`."""
    return {**environment, "LISTEN_PID": str(process), "LISTEN_FDS": "1", "LISTEN_FDNAMES": NAME}


def without(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of all others."""
    return {name: value for name, value in environment.items() if name not in WORDS}
