"""Where a network is that a client talks to: on this machine, or behind an address."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from netsim.core.errors import InvalidValueError, NotRunningError

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]*=*")  # RFC 6750, 2.1; or none


class Place(Protocol):
    """What a client needs to know."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def host(self) -> str:
        """For the header `Host`."""

    @property
    def headers(self) -> Mapping[str, str]:
        """That every request has."""

    def connect(self, timeout: float | None = None) -> socket.socket:
        """A connection; NotRunningError when nobody listens, TimeoutError."""


class RemotePlace:
    """A network that listens on TCP (`netsim up --control`)."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme != "http" or not parts.hostname or port is None or parts.path.strip("/"):
            hint = "; TLS is what `ssh -L` is for" if parts.scheme == "https" else ""
            raise InvalidValueError(
                f"{url[:80]!r} is no address of a network; write http://HOST:PORT, "
                f"as netsim up --control printed it{hint}"
            )
        if not _TOKEN.fullmatch(token):
            raise InvalidValueError(
                "NETSIM_CONTROL_TOKEN holds no token; set it to the word that netsim up printed"
            )
        self._address = parts.hostname, port
        self._token = token
        self.host = parts.netloc.rpartition("@")[2]

    @property
    def name(self) -> str:
        return f"http://{self.host}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def connect(self, timeout: float | None = None) -> socket.socket:
        try:
            return socket.create_connection(self._address, timeout)
        except TimeoutError:
            raise
        except OSError as error:
            raise NotRunningError(
                f"nobody answers at {self.name}: {error.strerror or error}; "
                "netsim up --control HOST:PORT listens"
            ) from None
