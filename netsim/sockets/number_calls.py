"""What programs do with the number of a computer's socket: `os.read`, `os.close` and their like.

That it is a socket, blocks or not, and is inherited or not, the kernel knows of its own:
`os.fstat`, `os.set_blocking` and most of `fcntl` need no help. To a child process the number means
nothing.
"""

from __future__ import annotations

import _posixsubprocess
import _socket
import errno
import fcntl
import functools
import os
import socket
import struct
import sys
import termios
from collections.abc import Callable, Iterable
from typing import Any, Final

from netsim.interception.c_functions import FunctionReplacement, Replacement
from netsim.sockets import descriptors
from netsim.sockets.os_errors import system_error
from netsim.sockets.polling import descriptor_of
from netsim.sockets.socket_calls import sent, waited

_CHUNK: Final = 1 << 18
"""Octets that `sendfile` reads at a time."""
_ABOUT_INTERFACES: Final = range(0x8900, 0x8A00)
"""SIOC…, of which only the kernel's interfaces would be told."""
_DUPLICATING: Final = (fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC)
_PASSED: Final = 3
_STANDARD: Final = (6, 9, 11)
"""Places among the arguments of `fork_exec`: descriptors to be passed; those that become standard
input, output and error output."""


def _timeout(number: int) -> float | None:
    """Seconds: 0 for a number that does not block."""
    return None if os.get_blocking(number) else 0.0


# Data -------------------------------------------------------------------------------------------


def _read(fd: int, length: int, /) -> bytes:
    endpoint = descriptors.endpoint_of(fd)
    if endpoint is None:
        return _READ.original(fd, length)  # type: ignore[no-any-return]
    if length < 0:
        raise system_error(errno.EINVAL)
    if length == 0:
        return b""
    what = "os.read() of a socket"
    return waited(endpoint, _timeout(fd), what, endpoint.receive, length, 0)[0]


def _write(fd: int, data: Any, /) -> int:
    endpoint = descriptors.endpoint_of(fd)
    if endpoint is None:
        return _WRITE.original(fd, data)  # type: ignore[no-any-return]
    return sent(endpoint, _timeout(fd), "os.write() to a socket", data, 0)


def _readv(fd: int, buffers: Any, /) -> int:
    if descriptors.endpoint_of(fd) is None:
        return _READV.original(fd, buffers)  # type: ignore[no-any-return]
    views = [memoryview(each).cast("B") for each in buffers]
    if any(view.readonly for view in views):
        raise BufferError("Object is not writable.")
    rest = memoryview(_read(fd, sum(map(len, views))))
    read = len(rest)
    for view in views:
        part = rest[: len(view)]
        view[: len(part)] = part
        rest = rest[len(part) :]
    return read


def _writev(fd: int, buffers: Any, /) -> int:
    if descriptors.endpoint_of(fd) is None:
        return _WRITEV.original(fd, buffers)  # type: ignore[no-any-return]
    return _write(fd, b"".join(buffers))


def _sendfile(out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
    endpoint = descriptors.endpoint_of(out_fd)
    if endpoint is None:
        return _SENDFILE.original(out_fd, in_fd, offset, count)  # type: ignore[no-any-return]
    if count < 0 and sys.version_info >= (3, 15):
        raise ValueError("count cannot be negative")
    if count < 0 or descriptors.endpoint_of(in_fd) is not None:
        raise system_error(errno.EINVAL)
    timeout = _timeout(out_fd)
    try:
        begin = os.lseek(in_fd, 0, os.SEEK_CUR) if offset is None else offset
    except OSError as error:
        raise (system_error(errno.EINVAL) if error.errno == errno.ESPIPE else error) from None
    total = 0
    while total < count:
        data = os.pread(in_fd, min(count - total, _CHUNK), begin + total)
        if not data:
            break
        try:
            taken = sent(endpoint, timeout, "os.sendfile() to a socket", data, 0)
        except OSError:
            if not total:
                raise
            break
        total += taken
        if taken < len(data):
            break
    if offset is None:
        os.lseek(in_fd, begin + total, os.SEEK_SET)
    return total


def _ioctl(file: Any, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
    """FIONREAD is answered; OSError EOPNOTSUPP for what asks the kernel for its interfaces."""
    endpoint = descriptors.endpoint_of(descriptor_of(file))
    if endpoint is not None and request == termios.FIONREAD and not isinstance(arg, int):
        given = arg.encode() if isinstance(arg, str) else bytes(arg)
        told = struct.pack("i", endpoint.machine.call(endpoint.readable_bytes))
        told = (told + given[len(told) :])[: len(given)]
        if isinstance(arg, bytes | str) or not mutate_flag:
            return told
        memoryview(arg).cast("B")[:] = told
        return 0
    if endpoint is not None and request in _ABOUT_INTERFACES:
        raise OSError(
            errno.EOPNOTSUPP,
            "the interfaces of a computer are not asked for by ioctl(): connect a datagram socket, "
            "and ask for getsockname()",
        )
    return _IOCTL.original(file, request, arg, mutate_flag)


# The life of a number ---------------------------------------------------------------------------


def _close(fd: int) -> None:
    _closed(fd, _CLOSE.original)


def _close_socket(fd: int, /) -> None:
    _closed(fd, _SOCKET_CLOSE.original)


def _closed(number: int, close: Callable[[int], None]) -> None:
    endpoint = descriptors.remove(number)
    try:
        close(number)
    finally:  # EBADF: it was closed by C code, which nobody sees
        if endpoint is not None:
            descriptors.let_go(endpoint)


def _close_range(fd_low: int, fd_high: int, /) -> None:
    ends = [descriptors.remove(each) for each in descriptors.between(fd_low, fd_high)]
    _CLOSE_RANGE.original(fd_low, fd_high)
    for endpoint in ends:
        if endpoint is not None:
            descriptors.let_go(endpoint)


def _dup(fd: int, /) -> int:
    return _duplicated(fd, _DUP.original(fd))


def _dup_socket(fd: int, /) -> int:
    return _duplicated(fd, _SOCKET_DUP.original(fd))


def _dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    result: int = _DUP2.original(fd, fd2, inheritable)
    if fd == fd2:
        return result
    replaced = descriptors.remove(fd2)
    if replaced is not None:
        descriptors.let_go(replaced)
    return _duplicated(fd, result)


def _fcntl(file: Any, command: int, arg: Any = 0, /) -> Any:
    result = _FCNTL.original(file, command, arg)
    return _duplicated(descriptor_of(file), result) if command in _DUPLICATING else result


def _duplicated(number: int, duplicate: int) -> int:
    """A second descriptor of the same socket."""
    endpoint = descriptors.endpoint_of(number)
    if endpoint is not None:
        endpoint.references += 1
        descriptors.add(duplicate, endpoint)
    return duplicate


def _fork_exec(*args: Any) -> Any:
    _refuse_to_pass((*args[_PASSED], *(args[place] for place in _STANDARD)))
    return _FORK_EXEC.original(*args)


def _posix_spawn(*args: Any, file_actions: Any = None, **kwargs: Any) -> Any:
    """What `subprocess` calls from Python 3.13 on."""
    actions = tuple(file_actions or ())
    _refuse_to_pass(action[1] for action in actions if action[0] == os.POSIX_SPAWN_DUP2)
    return _POSIX_SPAWN.original(*args, file_actions=actions or None, **kwargs)


def _refuse_to_pass(numbers: Iterable[int]) -> None:
    """OSError EOPNOTSUPP where a child was to have a socket of a computer."""
    if any(descriptors.endpoint_of(number) is not None for number in numbers):
        raise OSError(
            errno.EOPNOTSUPP,
            "a socket of the simulated network means nothing to a child process: give it a pipe, "
            "and copy between the two",
        )


# Files ------------------------------------------------------------------------------------------

_KERNELS_FDOPEN: Final = os.fdopen


@functools.wraps(_KERNELS_FDOPEN)
def _fdopen(fd: Any, mode: str = "r", buffering: int = -1, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(fd, int) or descriptors.endpoint_of(fd) is None:
        return _KERNELS_FDOPEN(fd, mode, buffering, *args, **kwargs)
    return _file(fd, mode, buffering, *args, **kwargs)


def _file(
    fd: int,
    mode: str,
    buffering: int,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
) -> Any:
    sock: Any = socket.socket(fileno=fd if closefd else os.dup(fd))
    sock.settimeout(_timeout(fd))
    try:
        return sock.makefile(mode, buffering, encoding=encoding, errors=errors, newline=newline)
    except ValueError:  # of a mode that makes no sense, and the number stays open
        if closefd:
            sock.detach()
        raise
    finally:
        sock.close()  # when the file is


# The exchange -----------------------------------------------------------------------------------

_READ: Final = FunctionReplacement(os.read, _read)
_WRITE: Final = FunctionReplacement(os.write, _write)
_READV: Final = FunctionReplacement(os.readv, _readv)
_WRITEV: Final = FunctionReplacement(os.writev, _writev)
_SENDFILE: Final = FunctionReplacement(os.sendfile, _sendfile)
_IOCTL: Final = FunctionReplacement(fcntl.ioctl, _ioctl)
_CLOSE: Final = FunctionReplacement(os.close, _close)
_CLOSE_RANGE: Final = FunctionReplacement(os.closerange, _close_range)
_SOCKET_CLOSE: Final = FunctionReplacement(_socket.close, _close_socket)
_DUP: Final = FunctionReplacement(os.dup, _dup)
_SOCKET_DUP: Final = FunctionReplacement(_socket.dup, _dup_socket)
_DUP2: Final = FunctionReplacement(os.dup2, _dup2)
_FCNTL: Final = FunctionReplacement(fcntl.fcntl, _fcntl)
_FORK_EXEC: Final = FunctionReplacement(_posixsubprocess.fork_exec, _fork_exec)
_POSIX_SPAWN: Final = FunctionReplacement(os.posix_spawn, _posix_spawn)


class _FileFunction:
    """`os.fdopen`, which is Python's."""

    def install(self) -> None:
        os.fdopen = _fdopen

    def uninstall(self) -> None:
        os.fdopen = _KERNELS_FDOPEN


NUMBER_CALLS: Final[tuple[Replacement, ...]] = (
    *(_READ, _WRITE, _READV, _WRITEV, _SENDFILE, _IOCTL),
    *(
        _CLOSE,
        _CLOSE_RANGE,
        _SOCKET_CLOSE,
        _DUP,
        _SOCKET_DUP,
        _DUP2,
        _FCNTL,
        _FORK_EXEC,
        _POSIX_SPAWN,
    ),
    _FileFunction(),
)
"""The exchange."""
