"""Reads of an API server by a kubeconfig, without starting kubectl: for conditions that are polled."""

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kube.edge.credentials import Credentials, load_credentials


class ApiServer:
    """The API server of a kubeconfig, which is read again if the file has changed."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._text = ""
        self._credentials: Credentials | None = None

    def get(self, path: str, **query: str) -> Any:
        """Return the decoded object or list at a path. Raises OSError (urllib.error.HTTPError among them)."""
        credentials = self._current()
        url = f"{credentials.server}{path}{'?' + urlencode(query) if query else ''}"
        request = urllib.request.Request(url, headers=credentials.authorization())
        with urllib.request.urlopen(request, timeout=30, context=credentials.tls) as response:
            return json.load(response)

    def _current(self) -> Credentials:
        text = self.kubeconfig.read_text()
        if self._credentials is None or text != self._text:
            self._text, self._credentials = text, asyncio.run(load_credentials(str(self.kubeconfig)))
        return self._credentials
