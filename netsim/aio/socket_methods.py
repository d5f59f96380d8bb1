"""The methods of an event loop that take socket objects, for those of its computer."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from netsim.aio.given_sockets import not_of_a_computer
from netsim.aio.host_loop import HostLoop
from netsim.aio.watched_sockets import WatchedSockets
from netsim.sockets import descriptors
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.polling import descriptor_of
from netsim.sockets.stream_endpoint import StreamEndpoint

Result = TypeVar("Result")
_INTERNET = (socket.AF_INET, socket.AF_INET6)


class SocketMethods(HostLoop):
    """`sock_recv` and its like, `add_reader` and its like."""

    _watched: WatchedSockets

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """As asyncio; names are looked up in the hosts table."""
        endpoint = self._endpoint(sock)
        if endpoint is None:
            return await super().sock_connect(sock, address)
        try:
            return await self._done(endpoint, endpoint.connect, address)
        except socket.gaierror:
            raise
        except OSError as error:
            if error.errno == errno.EISCONN or not isinstance(endpoint, StreamEndpoint):
                raise
            raise OSError(error.errno, f"Connect call failed {address}") from None

    async def sock_accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        endpoint = self._endpoint(sock)
        if endpoint is None:
            accepted: tuple[socket.socket, Any] = await super().sock_accept(sock)
            return accepted
        # The socket's own method reserves the descriptor, and what it makes is one of ours.
        connection, address = await self._done(endpoint, sock.accept)
        connection.setblocking(False)
        return connection, address

    async def sock_recv(self, sock: socket.socket, nbytes: int) -> bytes:
        endpoint = self._endpoint(sock)
        if endpoint is None:
            return await super().sock_recv(sock, nbytes)
        return (await self._done(endpoint, endpoint.receive, nbytes, 0))[0]

    async def sock_recv_into(self, sock: socket.socket, buf: Any) -> int:
        if self._endpoint(sock) is None:
            return await super().sock_recv_into(sock, buf)
        return (await self.sock_recvfrom_into(sock, buf))[0]

    async def sock_recvfrom(self, sock: socket.socket, bufsize: int) -> tuple[bytes, Any]:
        endpoint = self._endpoint(sock)
        if endpoint is None:
            found: tuple[bytes, Any] = await super().sock_recvfrom(sock, bufsize)
            return found
        return await self._done(endpoint, endpoint.receive, bufsize, 0)

    async def sock_recvfrom_into(
        self, sock: socket.socket, buf: Any, nbytes: int = 0
    ) -> tuple[int, Any]:
        endpoint = self._endpoint(sock)
        if endpoint is None:
            found: tuple[int, Any] = await super().sock_recvfrom_into(sock, buf, nbytes)
            return found
        with memoryview(buf) as whole, whole.cast("B") as view:
            size = nbytes or len(view)
            data, source = await self._done(endpoint, endpoint.receive, size, 0)
            view[: len(data)] = data
        return len(data), source

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        endpoint = self._endpoint(sock)
        if endpoint is None:
            await super().sock_sendall(sock, data)
            return
        with memoryview(data) as whole, whole.cast("B") as view:
            sent = 0
            while sent < len(view):
                sent += await self._done(endpoint, endpoint.send, view[sent:], 0)

    async def sock_sendto(self, sock: socket.socket, data: Any, address: Any) -> int:
        endpoint = self._endpoint(sock)
        if endpoint is None:
            sent: int = await super().sock_sendto(sock, data, address)
            return sent
        return await self._done(endpoint, endpoint.send, data, 0, address)

    async def sock_sendfile(
        self,
        sock: socket.socket,
        file: Any,
        offset: int = 0,
        count: int | None = None,
        *,
        fallback: bool | None = None,
    ) -> int:
        """As asyncio: read and sent, whether or not a `fallback` is allowed."""
        if self._endpoint(sock) is None:
            return await super().sock_sendfile(sock, file, offset, count, fallback=fallback)
        base: Any = asyncio.BaseEventLoop
        sent: int = await base._sock_sendfile_fallback(self, sock, file, offset, count)
        return sent

    # Watching

    def add_reader(  # type: ignore[override]  # typeshed ties args to callback
        self, fd: Any, callback: Callable[..., Any], *args: Any
    ) -> None:
        if (endpoint := self._watchable(fd)) is None:
            super().add_reader(fd, callback, *args)
        else:
            self._watched.watch(descriptor_of(fd), endpoint, callback, args, is_reader=True)

    def add_writer(  # type: ignore[override]  # typeshed ties args to callback
        self, fd: Any, callback: Callable[..., Any], *args: Any
    ) -> None:
        if (endpoint := self._watchable(fd)) is None:
            super().add_writer(fd, callback, *args)
        else:
            self._watched.watch(descriptor_of(fd), endpoint, callback, args, is_reader=False)

    def remove_reader(self, fd: Any) -> bool:
        number = descriptor_of(fd)
        if self._watched.has(number):
            return self._watched.unwatch(number, is_reader=True)
        return False if self._watchable(fd) else super().remove_reader(fd)

    def remove_writer(self, fd: Any) -> bool:
        number = descriptor_of(fd)
        if self._watched.has(number):
            return self._watched.unwatch(number, is_reader=False)
        return False if self._watchable(fd) else super().remove_writer(fd)

    def _watchable(self, fd: Any) -> Endpoint | None:
        return descriptors.endpoint_of(descriptor_of(fd))

    # What stands behind a socket

    def _endpoint(self, sock: Any) -> Endpoint | None:
        """None: it is the kernel's, and no socket of the internet.

        OSError EOPNOTSUPP for one of the internet that was not made on this computer; ValueError
        as asyncio, in debug mode, for one that may block.
        """
        endpoint = descriptors.endpoint_of(sock.fileno())
        if endpoint is not None:
            if self.get_debug() and sock.gettimeout() != 0:
                raise ValueError("the socket must be non-blocking")
            return endpoint
        if sock.family in _INTERNET and sock.fileno() >= 0:
            raise not_of_a_computer()
        return None

    async def _done(
        self, endpoint: Endpoint, operation: Callable[..., Result], *args: Any
    ) -> Result:
        """The result of an operation, when it would not block any more."""
        while True:
            try:
                return operation(*args)
            except BlockingIOError:
                waiter = _Wakening(self.create_future())
            endpoint.queue.add(waiter)
            try:
                await waiter.future
            finally:
                endpoint.queue.discard(waiter)


class _Wakening:
    """A task that waits for a socket."""

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future

    def wake(self) -> None:
        if not self.future.done():
            self.future.set_result(None)
