"""The control API over TCP: who may come in.

Whoever has the token may do everything, so everything is refused without it. A page in a browser
has no token, and is kept out twice: the name in `Host` must be an address, `localhost` or the one
that was listened on, lest a page reaches us by a name of its own that leads here (DNS rebinding),
and an `Origin` must be ours.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from netsim.core.errors import InvalidValueError

LONGEST_SILENCE: Final = 10.0
"""Seconds that a connection has to show the token."""
MOST_CONNECTIONS: Final = 100
_LOCAL_NAMES: Final = frozenset(("localhost", "localhost."))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    code: str
    text: str


@dataclass(slots=True)
class TcpDoor:
    """A listening socket, and the token that opens it."""

    host: str
    """As it was written."""
    listener: socket.socket
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _strangers: set[web.RequestHandler] = field(default_factory=set)
    """Connections that have not shown it yet."""

    @property
    def url(self) -> str:
        """`http://127.0.0.1:7777`."""
        port = self.listener.getsockname()[1]
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{port}"

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines can reach it."""
        return not ipaddress.ip_address(self.listener.getsockname()[0]).is_loopback

    def refusal(self, request: web.Request) -> Refusal | None:
        """None for a request that may come in."""
        named = request.headers.getall("Host", [])
        if len(named) != 1 or not self._is_ours(_host_in(named[0])):
            return Refusal(
                403,
                "forbidden",
                f"the header Host names somebody else; send `Host: {self.url[7:]}`",
            )
        origins = request.headers.getall("Origin", [])
        if origins and origins != [f"http://{named[0]}"]:
            return Refusal(
                403, "forbidden", "pages of other sites may not ask; leave the header Origin out"
            )
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            what = "the token is wrong" if given else "there is no token"
            return Refusal(
                401,
                "unauthorized",
                f"{what}; send `Authorization: Bearer TOKEN` with what netsim up printed",
            )
        self._strangers.discard(request.protocol)
        return None

    def factory(self, server: web.Server) -> Callable[[], asyncio.BaseProtocol]:
        """Makes a protocol for each connection, of which there is a limit."""

        def make() -> asyncio.BaseProtocol:
            if len(server.connections) >= MOST_CONNECTIONS:
                return _TooMany()
            handler = server()
            self._strangers.add(handler)
            asyncio.get_running_loop().call_later(LONGEST_SILENCE, self._look_at, handler)
            return handler

        return make

    def _look_at(self, handler: web.RequestHandler) -> None:
        if handler in self._strangers:
            self._strangers.discard(handler)
            handler.force_close()

    def _is_ours(self, name: str) -> bool:
        if name.lower() in _LOCAL_NAMES or name.lower() == self.host.lower():
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class _TooMany(asyncio.Protocol):
    """Hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def open_door(written: str) -> TcpDoor:
    """Listen on `HOST:PORT`, `[::1]:PORT` or a port of 127.0.0.1; 0 is any free one.

    InvalidValueError where it is none of these; OSError when nobody can listen there.
    """
    host, port = _place(written)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
    except (socket.gaierror, UnicodeError):
        raise InvalidValueError(
            f"there is no address {host!r}; write --control 127.0.0.1:7777"
        ) from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(MOST_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, error.strerror, f"--control {written}") from None
    return TcpDoor(host, listener)


def _place(written: str) -> tuple[str, int]:
    host, _, port = written.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        port = ""  # an IPv6 address without its brackets
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and int(port) < 65_536):
        raise InvalidValueError(
            f"{written[:60]!r} is no HOST:PORT; write for example --control 127.0.0.1:7777"
        )
    return host or "127.0.0.1", int(port)


def _host_in(header: str) -> str:
    """`localhost` of `localhost:7777`, `::1` of `[::1]:7777`; empty where it is neither."""
    if header.startswith("["):
        host, bracket, rest = header[1:].partition("]")
        if not bracket:
            return ""
    else:
        host, bracket, rest = header.partition(":")
        rest = bracket + rest
    is_port = rest == "" or (rest[0] == ":" and rest[1:].isascii() and rest[1:].isdecimal())
    return host if is_port else ""
