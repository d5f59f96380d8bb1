"""The methods of `socket.socket` for those that stand for sockets of a computer.

Each tries the operation where the stack may be touched; if that would block, it waits as long as
the socket's time-out says, and tries again.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import select
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from netsim.core.errors import BlockingCallError
from netsim.core.time import nanoseconds
from netsim.sockets import descriptors
from netsim.sockets.endpoint import Endpoint, Message, Name, Received, would_block
from netsim.sockets.machine import Machine, Wait
from netsim.sockets.os_errors import system_error

Result = TypeVar("Result")


def waited(
    endpoint: Endpoint,
    timeout: float | None,
    what: str,
    operation: Callable[..., Result],
    *args: Any,
) -> Result:
    """The result of an operation, waited for so many seconds; None is for ever. `what` is done, for
    messages.

    BlockingIOError where that is zero, TimeoutError, BlockingCallError on an event loop.
    """
    machine = endpoint.machine
    if timeout == 0:
        try:
            result = machine.call(operation, *args)
        except BlockingIOError:
            machine.has_tried(in_vain=True)
            raise
        except OSError:
            _let_time_go_on(machine, what)
            raise
        machine.has_tried(in_vain=False)
        return result
    results: list[Result] = []
    errors: list[BaseException] = []

    def attempt() -> bool:
        try:
            results.append(operation(*args))
        except BlockingIOError:
            return False
        except BaseException as error:  # noqa: BLE001  # it is the caller's, on another thread
            errors.append(error)
        return True

    limit = None if timeout is None else nanoseconds(timeout)
    if not machine.wait(Wait(attempt, what, limit, (endpoint.queue,))):
        raise TimeoutError("timed out")
    if errors:
        _let_time_go_on(machine, what)
        try:
            raise errors[0]
        finally:
            errors.clear()  # it leads to this frame: the socket would live until a collection
    machine.has_tried(in_vain=False)
    return results[0]


def _let_time_go_on(machine: Machine, what: str) -> None:
    """For who tries again and again what fails at once: `connect` without a route."""
    with contextlib.suppress(BlockingCallError):
        machine.wait(Wait(lambda: False, what, 0))


def perform(
    sock: socket.socket,
    endpoint: Endpoint,
    what: str,
    operation: Callable[..., Result],
    *args: Any,
    flags: int = 0,
) -> Result:
    """The same for as long as the socket's time-out says."""
    return waited(endpoint, _timeout(sock, flags), f"{what} on a socket", operation, *args)


def _timeout(sock: socket.socket, flags: int) -> float | None:
    if flags & socket.MSG_DONTWAIT:
        return 0.0
    timeout = sock.gettimeout()
    if timeout is None and not os.get_blocking(descriptors.fileno(sock)):
        return 0.0  # somebody else has set it so (`os.set_blocking`)
    return timeout


# Connections ------------------------------------------------------------------------------------


def connect(sock: socket.socket, endpoint: Endpoint, address: Any, /) -> None:
    perform(sock, endpoint, "connect()", endpoint.connect, address)


def connect_ex(sock: socket.socket, endpoint: Endpoint, address: Any, /) -> int:
    try:
        connect(sock, endpoint, address)
    except TimeoutError as error:
        # Python's own says so of its own time-out, and the kernel's is an errno.
        return error.errno or errno.EAGAIN
    except socket.gaierror:
        raise
    except OSError as error:
        return error.errno or 0
    return 0


def bind(sock: socket.socket, endpoint: Endpoint, address: Any, /) -> None:
    endpoint.machine.call(endpoint.bind, address)


def listen(sock: socket.socket, endpoint: Endpoint, backlog: int = 128, /) -> None:
    endpoint.machine.call(endpoint.listen, backlog)


def _accept(sock: socket.socket, endpoint: Endpoint) -> tuple[int, Name]:
    """A descriptor of the new connection, and who is there. The number is reserved first: a
    connection that finds none stays in the queue."""
    reserved = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        accepted, peer = perform(sock, endpoint, "accept()", endpoint.accept)
    except BaseException:
        reserved.close()
        raise
    descriptors.add(reserved.fileno(), accepted)
    return reserved.detach(), peer


def shutdown(sock: socket.socket, endpoint: Endpoint, how: int, /) -> None:
    endpoint.machine.call(endpoint.shutdown, how)


# Data -------------------------------------------------------------------------------------------


_ERROR_QUEUE: Final = getattr(socket, "MSG_ERRQUEUE", 0)


def _check(what: str, size: int, flags: int) -> None:
    if size < 0:
        raise ValueError(f"negative buffersize in {what.removesuffix('()')}")
    if flags & _ERROR_QUEUE:
        raise would_block()  # it is empty: what ICMP says is told by the next call


def _received(sock: socket.socket, endpoint: Endpoint, what: str, size: int, flags: int) -> Any:
    _check(what, size, flags)
    if flags & socket.MSG_DONTWAIT or sock.gettimeout() is not None:
        # A socket with a time-out does not block in the kernel, which then gives what there is.
        flags &= ~socket.MSG_WAITALL
    wants_all = flags & socket.MSG_WAITALL and not flags & socket.MSG_PEEK
    if wants_all and endpoint.kind == socket.SOCK_STREAM:
        return perform(sock, endpoint, what, _gathering(endpoint, size, flags))
    return perform(sock, endpoint, what, endpoint.receive, size, flags, flags=flags)


def _gathering(endpoint: Endpoint, size: int, flags: int) -> Callable[[], Received]:
    """Receives until it has all: what is taken at once makes room for what the receive buffer had
    none for."""
    found = bytearray()

    def gather() -> Received:
        while True:
            if found and endpoint.events() & select.POLLERR:
                return bytes(found), None  # of the error the next call tells
            data, _ = endpoint.receive(size - len(found), flags & ~socket.MSG_WAITALL)
            found.extend(data)
            if not data or len(found) == size:
                return bytes(found), None

    return gather


def recv(sock: socket.socket, endpoint: Endpoint, bufsize: int, flags: int = 0, /) -> bytes:
    if bufsize == 0:
        return b""  # Python asks no kernel for nothing: a datagram stays
    data: bytes = _received(sock, endpoint, "recv()", bufsize, flags)[0]
    return data


def recvfrom(
    sock: socket.socket, endpoint: Endpoint, bufsize: int, flags: int = 0, /
) -> tuple[bytes, Name | None]:
    found: tuple[bytes, Name | None] = _received(sock, endpoint, "recvfrom()", bufsize, flags)
    return found


def recv_into(
    sock: socket.socket, endpoint: Endpoint, buffer: Any, nbytes: int = 0, flags: int = 0
) -> int:
    if nbytes == 0 and not memoryview(buffer).nbytes:
        return 0  # as recv
    return recvfrom_into(sock, endpoint, buffer, nbytes, flags)[0]


def recvfrom_into(
    sock: socket.socket, endpoint: Endpoint, buffer: Any, nbytes: int = 0, flags: int = 0
) -> tuple[int, Name | None]:
    with memoryview(buffer) as whole, whole.cast("B") as view:
        if nbytes < 0:
            raise ValueError("negative buffersize in recv_into")
        if nbytes > len(view):
            raise ValueError("buffer too small for requested bytes")
        found = _message(sock, endpoint, "recv_into()", nbytes or len(view), 0, flags)
        view[: len(found.data)] = found.data
    return found.told(flags), found.source


def _message(
    sock: socket.socket, endpoint: Endpoint, what: str, size: int, room: int, flags: int
) -> Message:
    """Ancillary data that there is no room for is left out, and MSG_CTRUNC tells of it."""
    if endpoint.kind == socket.SOCK_STREAM:
        return Message(*_received(sock, endpoint, what, size, flags))
    _check(what, size, flags)
    found = perform(sock, endpoint, what, endpoint.receive_message, size, flags, flags=flags)
    if sum(socket.CMSG_LEN(len(each[2])) for each in found.ancillary) > room:
        return found._replace(ancillary=(), flags=found.flags | socket.MSG_CTRUNC)
    return found


def recvmsg(
    sock: socket.socket, endpoint: Endpoint, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
) -> tuple[bytes, list[Any], int, Name | None]:
    found = _message(sock, endpoint, "recvmsg()", bufsize, ancbufsize, flags)
    return found.data, list(found.ancillary), found.flags, found.source


def recvmsg_into(
    sock: socket.socket,
    endpoint: Endpoint,
    buffers: Iterable[Any],
    ancbufsize: int = 0,
    flags: int = 0,
    /,
) -> tuple[int, list[Any], int, Name | None]:
    views = [memoryview(each).cast("B") for each in buffers]
    size = sum(map(len, views))
    found = _message(sock, endpoint, "recvmsg_into()", size, ancbufsize, flags)
    rest = found.data
    for view in views:
        part = rest[: len(view)]
        view[: len(part)] = part
        rest = rest[len(part) :]
    return found.told(flags), list(found.ancillary), found.flags, found.source


def sent(endpoint: Endpoint, timeout: float | None, what: str, data: Any, flags: int) -> int:
    """How much was: all of it of who waits for ever, as in the kernel."""
    if timeout is not None or endpoint.kind != socket.SOCK_STREAM:
        return waited(endpoint, timeout, what, endpoint.send, data, flags)
    with memoryview(data) as whole, whole.cast("B") as view:
        return waited(endpoint, None, what, _sending(endpoint, view, flags))


def _sending(endpoint: Endpoint, view: memoryview, flags: int) -> Callable[[], int]:
    """Sends until all is taken, or an error comes, of which the next call tells."""
    taken = 0

    def send_rest() -> int:
        nonlocal taken
        while not (taken and endpoint.events() & (select.POLLERR | select.POLLHUP)):
            taken += endpoint.send(view[taken:], flags)
            if taken >= len(view):
                break
        return taken

    return send_rest


def send(sock: socket.socket, endpoint: Endpoint, data: Any, flags: int = 0, /) -> int:
    return sent(endpoint, _timeout(sock, flags), "send() on a socket", data, flags)


def sendall(sock: socket.socket, endpoint: Endpoint, data: Any, flags: int = 0, /) -> None:
    """The time-out is for all of it, as in Python."""
    timeout = _timeout(sock, flags)
    with memoryview(data) as whole, whole.cast("B") as view:
        taken = -1
        while taken < len(view):
            taken = max(taken, 0)
            sending = _sending(endpoint, view[taken:], flags)
            taken += waited(endpoint, timeout, "sendall() on a socket", sending)


def sendto(sock: socket.socket, endpoint: Endpoint, data: Any, /, *rest: Any) -> int:
    if not 1 <= len(rest) <= 2:
        raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(rest)} given)")
    flags, address = (0, rest[0]) if len(rest) == 1 else rest
    return perform(sock, endpoint, "sendto()", endpoint.send, data, flags, address, flags=flags)


def sendmsg(
    sock: socket.socket,
    endpoint: Endpoint,
    buffers: Iterable[Any],
    ancdata: Iterable[Any] = (),
    flags: int = 0,
    address: Any = None,
    /,
) -> int:
    """Ancillary data says from where a datagram is to be sent, or is refused."""
    data, ancdata = b"".join(buffers), tuple(ancdata)
    if not ancdata and address is None:
        return sent(endpoint, _timeout(sock, flags), "sendmsg() on a socket", data, flags)
    message = data, ancdata, flags, address
    return perform(sock, endpoint, "sendmsg()", endpoint.send_message, *message, flags=flags)


# Names and options ------------------------------------------------------------------------------


def getsockname(sock: socket.socket, endpoint: Endpoint) -> Name:
    return endpoint.machine.call(endpoint.getsockname)


def getpeername(sock: socket.socket, endpoint: Endpoint) -> Name:
    return endpoint.machine.call(endpoint.getpeername)


def setsockopt(
    sock: socket.socket, endpoint: Endpoint, level: int, option: int, value: Any, *rest: Any
) -> None:
    endpoint.machine.call(endpoint.setsockopt, level, option, value, *rest)


def getsockopt(
    sock: socket.socket, endpoint: Endpoint, level: int, option: int, buflen: int = 0, /
) -> Any:
    return endpoint.machine.call(endpoint.getsockopt, level, option, buflen)


METHODS: Final[dict[str, Callable[..., Any]]] = {
    function.__name__: function
    for function in (
        *(connect, connect_ex, bind, listen, _accept, shutdown),
        *(recv, recvfrom, recv_into, recvfrom_into, recvmsg, recvmsg_into),
        *(send, sendall, sendto, sendmsg),
        *(getsockname, getpeername, setsockopt, getsockopt),
    )
}
"""By name, each called with the socket and what stands behind it before its arguments."""


# The life of a descriptor -----------------------------------------------------------------------


def close(sock: socket.socket, close_kernels: Callable[[], None]) -> None:
    """What `socket.close` comes to when no file of `makefile` is left."""
    endpoint = descriptors.remove(descriptors.fileno(sock))
    try:
        close_kernels()
    finally:  # EBADF, as of a number
        if endpoint is not None:
            descriptors.let_go(endpoint)


_FAMILIES: Final = (socket.AF_UNIX, getattr(socket, "AF_ALG", socket.AF_UNIX))
"""Those that lead nowhere, and are the kernel's."""


def check_new(family: int, kind: int, protocol: int) -> bool:
    """Whether a socket made on a computer is one of the computer's; no: the kernel's.

    OSError EAFNOSUPPORT (IPv6 too, as of a kernel without it, but for `MappedDatagrams`), EPERM
    (raw sockets), ESOCKTNOSUPPORT, EPROTONOSUPPORT.
    """
    family = socket.AF_INET if family == -1 else family
    kind = socket.SOCK_STREAM if kind == -1 else kind
    kind &= ~(getattr(socket, "SOCK_NONBLOCK", 0) | getattr(socket, "SOCK_CLOEXEC", 0))
    if family in _FAMILIES:
        return False
    if kind == socket.SOCK_RAW or family == getattr(socket, "AF_PACKET", None):
        raise system_error(errno.EPERM)
    if family != socket.AF_INET and (family, kind) != (socket.AF_INET6, socket.SOCK_DGRAM):
        raise system_error(errno.EAFNOSUPPORT)
    wanted = {socket.SOCK_STREAM: socket.IPPROTO_TCP, socket.SOCK_DGRAM: socket.IPPROTO_UDP}
    if kind not in wanted:
        raise system_error(errno.ESOCKTNOSUPPORT)
    if protocol not in (-1, 0, wanted[socket.SocketKind(kind)]):
        raise system_error(errno.EPROTONOSUPPORT)
    return True
