"""Where the API server is and how we prove who we are.

A kubeconfig whose user is a token or a certificate is read here; whatever needs more (exec plug-ins, OIDC,
cloud providers) is left to kubernetes_asyncio, which costs 38 MiB and is therefore imported only then.
"""

import asyncio
import base64
import os
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from kube.objects import Obj

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PLAIN_USER = {
    "token",
    "tokenFile",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
}


class NoCredentials(Exception):  # noqa: N818 - it says what is missing, as the command line prints it
    """There is no usable way to an API server; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One API server and one identity. `token_file` is read again at each request: kubelets rotate it.

    `reload` finds the credentials anew, for when the server takes these no more. It raises NoCredentials.
    """

    server: str
    tls: ssl.SSLContext | None
    headers: Mapping[str, str] = field(default_factory=dict)
    token_file: Path | None = None
    reload: "Callable[[], Awaitable[Credentials]] | None" = None

    def authorization(self) -> dict[str, str]:
        """The headers that prove who we are, as of now. OSError: the token's file can't be read."""
        if self.token_file is None:
            return dict(self.headers)
        return {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}


async def load_credentials(kubeconfig: str = "") -> Credentials:
    """From the file given, $KUBECONFIG, the pod that we run in, or ~/.kube/config, in this order.

    Raises NoCredentials.
    """
    return replace(await _load(kubeconfig), reload=partial(load_credentials, kubeconfig))


async def _load(kubeconfig: str) -> Credentials:
    path = kubeconfig or os.environ.get("KUBECONFIG", "")
    if not path and is_in_pod():
        return _in_cluster()
    found = await asyncio.to_thread(_from_file, path.split(os.pathsep)[0] if path else "~/.kube/config")
    return await _through_library(found) if isinstance(found, Path) else found


def is_in_pod() -> bool:
    """Whether we run in a pod that has a service account's token."""
    return (SERVICE_ACCOUNT / "token").exists()


def _from_file(path: str) -> Credentials | Path:
    """The credentials that a kubeconfig holds, or its path where only the library can tell them."""
    file = Path(path).expanduser()
    if not file.exists():
        raise NoCredentials(
            f"no API server: {file} does not exist; "
            "set KUBECONFIG (`zerogate up` prints the line) or run in a pod of the cluster"
        )
    try:
        cluster, user = _current(yaml.safe_load(file.read_text()) or {})
        return _plain(file.parent, cluster, user) if set(user) <= _PLAIN_USER else file
    except (KeyError, TypeError, StopIteration, ValueError, OSError, yaml.YAMLError, ssl.SSLError) as error:
        raise NoCredentials(f"{file} can't be used as a kubeconfig: {error!r}") from error


def _in_cluster() -> Credentials:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise NoCredentials(
            "a service account is mounted but KUBERNETES_SERVICE_HOST is not set; set KUBECONFIG"
        )
    tls = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
    address = f"[{host}]" if ":" in host else host
    return Credentials(f"https://{address}:{port}", tls, token_file=SERVICE_ACCOUNT / "token")


def _current(config: Obj) -> tuple[Obj, Obj]:
    """The cluster and the user of the current context."""
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"] or {}
    return cluster, user


def _named(entries: list[Obj], name: str) -> Obj:
    return next(entry for entry in entries if entry["name"] == name)


def _plain(folder: Path, cluster: Obj, user: Obj) -> Credentials:
    server = cluster["server"]
    tls = _tls(folder, cluster, user) if server.startswith("https:") else None
    if "tokenFile" in user:
        return Credentials(server, tls, token_file=folder / user["tokenFile"])
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    return Credentials(server, tls, headers)


def _tls(folder: Path, cluster: Obj, user: Obj) -> ssl.SSLContext:
    authority = _data(folder, cluster, "certificate-authority")
    tls = ssl.create_default_context(cadata=authority.decode()) if authority else ssl.create_default_context()
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    certificate, private_key = _data(folder, user, "client-certificate"), _data(folder, user, "client-key")
    if certificate and private_key:
        # OpenSSL reads a key from files only; these live no longer than the call.
        with tempfile.TemporaryDirectory() as made:
            pair = Path(made) / "pair.pem"
            pair.touch(mode=0o600)
            pair.write_bytes(certificate + b"\n" + private_key)
            tls.load_cert_chain(pair)
    return tls


def _data(folder: Path, entry: Obj, name: str) -> bytes:
    """`name-data` decoded, or the file that `name` points to, or nothing."""
    if f"{name}-data" in entry:
        return base64.b64decode(entry[f"{name}-data"])
    return (folder / entry[name]).read_bytes() if name in entry else b""


async def _through_library(file: Path) -> Credentials:
    from kubernetes_asyncio import client, config  # noqa: PLC0415 - heavy; only for kubeconfigs that need it

    made: Any = client.Configuration()
    await config.load_kube_config(config_file=str(file), client_configuration=made)
    tls = ssl.create_default_context(cafile=made.ssl_ca_cert)
    if not made.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if made.cert_file:
        tls.load_cert_chain(made.cert_file, keyfile=made.key_file)
    token = made.get_api_key_with_prefix("BearerToken") or made.get_api_key_with_prefix("authorization")
    return Credentials(made.host, tls, {"Authorization": token} if token else {})
