"""What a kernel keeps behind a descriptor: what streams and datagrams have in common.

Operations are those of system calls, never block (BlockingIOError where they would), and are done
where the stack may be touched (`Machine.call`).
"""

from __future__ import annotations

import errno
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from netsim.sockets.hosts_table import socket_address
from netsim.sockets.machine import Machine, WaitQueue
from netsim.sockets.os_errors import system_error
from netsim.sockets.packet_info import Ancillary, refusal
from netsim.sockets.socket_facade import BIND_TO_DEVICE, SocketFacade, device_name
from netsim.stack.port_sharing import Sharing
from netsim.wire.address import UNSPECIFIED, IpAddress, parse_ip

Name = tuple[Any, ...]
"""As Python's socket functions spell an endpoint."""
Received = tuple[bytes, Name | None]
"""Data, and from where, if it is a datagram."""


class Message(NamedTuple):
    """What `recvmsg` tells: data, and what is said beside it."""

    data: bytes
    source: Name | None = None
    flags: int = 0
    ancillary: tuple[Ancillary, ...] = ()
    size: int | None = None
    """Octets of the datagram as it was sent."""

    def told(self, flags: int) -> int:
        """How many octets a call tells of that was given these flags: with MSG_TRUNC also those
        that there was no room for."""
        return self.size if flags & socket.MSG_TRUNC and self.size else len(self.data)


_REUSE_ADDRESS: Final = (socket.SOL_SOCKET, socket.SO_REUSEADDR)
_REUSE_PORT: Final = (socket.SOL_SOCKET, getattr(socket, "SO_REUSEPORT", 15))
LOOPBACK: Final = b"\x7f\x00\x00\x01"


class Endpoint(ABC):
    """One socket of a computer, however many descriptors refer to it."""

    serves_threads = True
    """Who waits here may be a thread, which goes on while the event loop is blocked."""
    options: SocketFacade | None = None
    """None once the stack is gone (`forget_stack`)."""

    def __init__(self, machine: Machine, kind: socket.SocketKind) -> None:
        self.machine = machine
        self.kind = kind
        self.queue = WaitQueue()
        """Who waits for something to happen here."""
        self.references = 1
        """Descriptors."""
        self.operations = 0
        """How many there were: who is called when the socket is ready, and does nothing, is not
        called again at the same instant."""
        self.is_closed = False
        self._wakes = 0

    # What happens to it

    def socket_ready(self) -> None:
        """Something has happened to a socket of the stack that stands behind it."""
        self._wakes += 1
        self.queue.wake()

    def news(self) -> object:
        """Another value when there is something new to be told to who hears of edges only."""
        return self._wakes

    @abstractmethod
    def events(self) -> int:
        """Those of `poll(2)` that are true now."""

    @abstractmethod
    def readable_bytes(self) -> int:
        """Octets that can be read at once (FIONREAD): of datagrams, those of the oldest."""

    @abstractmethod
    def close(self) -> None:
        """As a kernel does when the last descriptor is closed."""

    @abstractmethod
    def forget_stack(self) -> None:
        """The computer has lost its power: nothing of the stack is held any more."""

    # Names

    def place(self, address: Any, *, is_local: bool = False) -> tuple[IpAddress, int]:
        """An address as Python's sockets take it; names are looked up in the hosts table.

        TypeError and OverflowError as from Python's own, `socket.gaierror`.
        """
        call = "bind" if is_local else "connect"
        if not isinstance(address, tuple):
            kind = type(address).__name__
            raise TypeError(f"{call}(): AF_INET address must be tuple, not {kind}")
        if len(address) != 2:
            raise TypeError("AF_INET address must be a pair (host, port)")
        host, port = address
        if isinstance(host, bytearray):
            host = bytes(host)
        if not isinstance(host, str | bytes):
            raise TypeError(f"str, bytes or bytearray expected, not {type(host).__name__}")
        if not isinstance(port, int):
            raise TypeError(f"'{type(port).__name__}' object cannot be interpreted as an integer")
        if not 0 <= port <= 0xFFFF:
            raise OverflowError(f"{call}(): port must be 0-65535.")
        if host == "<broadcast>":
            return parse_ip("255.255.255.255"), port
        ip = UNSPECIFIED if host == "" else self.machine.hosts_table.resolve(host, passive=True)
        if ip == UNSPECIFIED and not is_local:
            ip = LOOPBACK  # as Linux
        return ip, port

    def spell(self, place: tuple[IpAddress | None, int]) -> Name:
        """How this kind of socket writes an address and a port."""
        return socket_address(place)

    @abstractmethod
    def getsockname(self) -> Name: ...

    @abstractmethod
    def getpeername(self) -> Name:
        """OSError ENOTCONN without a peer."""

    # Options

    def setsockopt(self, level: int, option: int, value: Any, *rest: Any) -> None:
        options = self._alive()
        if (level, option) == BIND_TO_DEVICE and value is not None:
            self._check_device(value)
        options.setsockopt(level, option, value, *rest)

    def _check_device(self, value: Any) -> None:
        """OSError ENODEV for an interface that is not there, EOPNOTSUPP where a packet might take
        another one."""
        name = device_name(value)
        others = [each.name for each in self.machine.host.interfaces if each.name != name]
        if name not in ("", "lo") and len(others) == len(self.machine.host.interfaces):
            raise system_error(errno.ENODEV)
        if name and others:
            raise OSError(
                errno.EOPNOTSUPP,
                "SO_BINDTODEVICE is there for the only interface of a computer: bind() to the "
                "address of the interface that you mean",
            )

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        """SO_ERROR is told once."""
        options = self._alive()
        if (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            value = self.take_error() or 0
            return value.to_bytes(4, "little")[:size] if size else value
        return options.getsockopt(level, option, size)

    def sharing(self) -> Sharing:
        """As the options say that were set."""
        options = self._alive()
        return (Sharing.ADDRESS if options.getsockopt(*_REUSE_ADDRESS) else Sharing.NOTHING) | (
            Sharing.PORT if options.getsockopt(*_REUSE_PORT) else Sharing.NOTHING
        )

    @abstractmethod
    def take_error(self) -> int | None:
        """The errno that nobody was told of yet."""

    # System calls that only some kinds have

    @abstractmethod
    def bind(self, address: Any) -> None: ...

    @abstractmethod
    def connect(self, address: Any) -> None:
        """BlockingIOError EINPROGRESS where that takes time, EALREADY when it still does."""

    @abstractmethod
    def receive(self, size: int, flags: int) -> Received: ...

    @abstractmethod
    def send(self, data: Any, flags: int, address: Any = None) -> int:
        """How many octets were taken."""

    def receive_message(self, size: int, flags: int) -> Message:
        """As `receive`, with what is said beside the data."""
        return Message(*self.receive(size, flags))

    def send_message(
        self, data: Any, ancillary: Iterable[Any], flags: int, address: Any = None
    ) -> int:
        """As `send`; OSError EOPNOTSUPP for what is said beside the data."""
        if any(True for _ in ancillary):
            raise refusal()
        return self.send(data, flags, address)

    @abstractmethod
    def shutdown(self, how: int) -> None: ...

    def listen(self, backlog: int) -> None:
        """Only streams do: OSError EOPNOTSUPP."""
        raise system_error(errno.EOPNOTSUPP)

    def accept(self) -> tuple[Endpoint, Name]:
        """Only streams do: OSError EOPNOTSUPP."""
        raise system_error(errno.EOPNOTSUPP)

    def _alive(self) -> SocketFacade:
        if self.options is None or self.is_closed:
            raise system_error(errno.EBADF)
        return self.options


def would_block() -> OSError:
    """EAGAIN, as of a socket that does not wait."""
    return system_error(errno.EAGAIN)
