"""TLS of asyncio over simulated connections."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import sslproto
from typing import NamedTuple


class Tls(NamedTuple):
    """What one side of a TLS connection is to use; seconds for the times."""

    context: ssl.SSLContext | None
    """None: asyncio makes one that verifies the server."""
    server_side: bool
    server_hostname: str | None
    handshake_timeout: float | None
    shutdown_timeout: float | None

    def over(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None],
    ) -> sslproto.SSLProtocol:
        """The layer between a transport and `protocol`; `waiter` learns of the handshake."""
        return sslproto.SSLProtocol(
            loop,
            protocol,
            self.context or ssl.create_default_context(),
            waiter,
            self.server_side,
            self.server_hostname,
            ssl_handshake_timeout=self.handshake_timeout,  # type: ignore[arg-type]  # typeshed: int
            ssl_shutdown_timeout=self.shutdown_timeout,
        )


def server_tls(
    context: ssl.SSLContext | None, handshake_timeout: float | None, shutdown_timeout: float | None
) -> Tls | None:
    """What `create_server` was given; None without TLS, TypeError or ValueError when amiss."""
    if isinstance(context, bool):
        raise TypeError("ssl argument must be an SSLContext or None")
    _check_times(context, handshake_timeout, shutdown_timeout)
    if context is None:
        return None
    return Tls(context, True, None, handshake_timeout, shutdown_timeout)


def client_tls(
    context: ssl.SSLContext | bool | None,
    host: str | None,
    server_hostname: str | None,
    handshake_timeout: float | None,
    shutdown_timeout: float | None,
) -> Tls | None:
    """What `create_connection` was given; None without TLS, ValueError when it is amiss."""
    if server_hostname is not None and not context:
        raise ValueError("server_hostname is only meaningful with ssl")
    _check_times(context, handshake_timeout, shutdown_timeout)
    if not context:
        return None
    if server_hostname is None:
        if not host:
            raise ValueError("You must set server_hostname when using ssl without a host")
        server_hostname = host
    chosen = None if context is True else context
    return Tls(chosen, False, server_hostname, handshake_timeout, shutdown_timeout)


def _check_times(tls: object, handshake_timeout: float | None, shutdown: float | None) -> None:
    if handshake_timeout is not None and not tls:
        raise ValueError("ssl_handshake_timeout is only meaningful with ssl")
    if shutdown is not None and not tls:
        raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")
