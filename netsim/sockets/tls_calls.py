"""TLS on a computer's socket: OpenSSL works on two buffers, and these on the socket.

Only what drives OpenSSL is ours (`SSLSocket._sslobj`); all else of `ssl.SSLSocket` is as it is.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from netsim.core.time import SECOND, nanoseconds
from netsim.sockets import descriptors
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.socket_calls import waited

_READ_SIZE: Final = 65_536
_OF_SOCKET: Final = ("context", "owner", "session")
"""What `SSLSocket` sets on its `_sslobj`."""


class TlsOnSocket:
    """In the place of `_ssl._SSLSocket`."""

    def __init__(
        self,
        sock: Any,
        endpoint: Endpoint,
        context: Any,
        server_side: bool,
        hostname: str | None,
        session: Any,
    ) -> None:
        self._sock = sock
        self._endpoint = endpoint
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._unsent = b""
        """What OpenSSL has written, and the send buffer had no room for."""
        self._tls = context._wrap_bio(
            self._incoming, self._outgoing, server_side, hostname, owner=sock, session=session
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OF_SOCKET:
            setattr(self._tls, name, value)
        else:
            object.__setattr__(self, name, value)

    def do_handshake(self) -> None:
        """As of `SSLSocket`: SSLWantReadError, SSLWantWriteError, TimeoutError."""
        self._drive("The handshake operation timed out", self._tls.do_handshake)

    def read(self, *args: Any) -> Any:
        return self._drive("The read operation timed out", self._tls.read, *args)

    def write(self, data: Any) -> int:
        """As of `SSLSocket`; what OpenSSL has taken is sent later where there is no room now."""
        if not self._flush(_Deadline(self)):
            raise ssl.SSLWantWriteError(
                ssl.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)"
            )
        taken: int = self._drive("The write operation timed out", self._tls.write, data)
        return taken

    def shutdown(self) -> Any:
        """The socket below, without TLS."""
        self._drive("The read operation timed out", self._tls.shutdown)
        return self._sock

    def wake(self) -> None:
        """There may be room for what waits to be sent."""
        if self._unsent:
            try:
                sent = self._endpoint.send(self._unsent, 0)
            except BlockingIOError:
                return
            except OSError:  # the next operation tells of it
                sent = len(self._unsent)
            self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._endpoint.queue.discard(self)

    def _drive(self, late: str, function: Callable[..., Any], *args: Any) -> Any:
        deadline = _Deadline(self)
        try:
            while True:
                try:
                    result = function(*args)
                except ssl.SSLWantReadError:
                    if not self._flush(deadline):
                        raise ssl.SSLWantWriteError(
                            ssl.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)"
                        ) from None
                    self._read_more(deadline)
                except ssl.SSLError:
                    self._flush(deadline)  # an alert
                    raise
                else:
                    self._flush(deadline)
                    return result
        except TimeoutError as error:
            if error.errno is None:
                raise TimeoutError(late) from None
            raise

    def _read_more(self, deadline: _Deadline) -> None:
        """What the peer has sent; the SSLWantReadError that is being handled when nothing has."""
        endpoint = self._endpoint
        try:
            data, _ = waited(
                *(endpoint, deadline.left(), "reading TLS on a socket"),
                *(endpoint.receive, _READ_SIZE, 0),
            )
        except BlockingIOError:
            raise ssl.SSLWantReadError(
                ssl.SSL_ERROR_WANT_READ, "The operation did not complete (read)"
            ) from None
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self, deadline: _Deadline) -> bool:
        """Send what OpenSSL has written; whether all of it found room."""
        self._unsent += self._outgoing.read()
        endpoint = self._endpoint
        while self._unsent:
            try:
                sent = waited(
                    *(endpoint, deadline.left(), "writing TLS on a socket"),
                    *(endpoint.send, self._unsent, 0),
                )
            except BlockingIOError:
                endpoint.machine.call(endpoint.queue.add, self)
                return False
            self._unsent = self._unsent[sent:]
        return True


class _Deadline:
    """One for the whole of an operation, as Python has it."""

    def __init__(self, tls: TlsOnSocket) -> None:
        self._machine = tls._endpoint.machine
        timeout = tls._sock.gettimeout()
        self._timeout: float | None = timeout
        self._ends: int | None = None
        if timeout:
            self._ends = self._machine.network_now() + nanoseconds(timeout)

    def left(self) -> float | None:
        """Seconds; 0 for who does not wait, None for ever, TimeoutError when it is over."""
        if self._ends is None:
            return self._timeout
        left = self._ends - self._machine.network_now()
        if left <= 0:
            raise TimeoutError("timed out")
        return left / SECOND


class TlsCalls:
    """The exchange: `SSLContext.wrap_socket` comes to `_wrap_socket`."""

    def install(self) -> None:
        """From now on."""
        context: Any = ssl.SSLContext
        context._wrap_socket = _wrap_socket

    def uninstall(self) -> None:
        """Put back exactly what was."""
        context: Any = ssl.SSLContext
        del context._wrap_socket


def _wrap_socket(
    context: Any,
    sock: socket.socket,
    server_side: bool,
    server_hostname: str | None = None,
    *,
    owner: Any = None,
    session: Any = None,
) -> Any:
    endpoint = descriptors.endpoint_of(descriptors.fileno(sock))
    if endpoint is None:
        return super(ssl.SSLContext, context)._wrap_socket(
            sock, server_side, server_hostname, owner=owner, session=session
        )
    endpoint.machine.call(endpoint.machine.tls_begins)
    return TlsOnSocket(sock, endpoint, context, server_side, server_hostname, session)
