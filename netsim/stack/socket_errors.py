"""Misuse of a host's transport, with the errno an operating system would report for it."""

from __future__ import annotations

import errno
from typing import ClassVar

from netsim.core.errors import NetsimError


class SocketError(NetsimError):
    """Base of what the socket calls of a simulated host raise; `errno` as on Linux."""

    errno: ClassVar[int] = errno.EINVAL


class NoRouteError(SocketError):
    """No route leads to the destination."""

    errno = errno.ENETUNREACH


class AddressInUseError(SocketError):
    """Somebody already listens on, or is connected from, this address and port."""

    errno = errno.EADDRINUSE


class AddressNotAvailableError(SocketError):
    """The address is not one of this host's, or no ephemeral port is left."""

    errno = errno.EADDRNOTAVAIL


class NotConnectedError(SocketError):
    """Writing where nothing more can be written: not connected any more, or shut down."""

    errno = errno.EPIPE


class MessageTooLongError(SocketError):
    """A datagram larger than UDP over IP can carry."""

    errno = errno.EMSGSIZE
