"""Which descriptor of this process stands for which socket of a computer.

The kernel's own socket object reserves the number, and is never connected, bound or read itself;
so `detach`, `dup`, `makefile` and `ssl.SSLSocket` work as ever. Descriptors are limited by the
kernel (RLIMIT_NOFILE, EMFILE), and so is this table.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import socket
import weakref
from typing import Final

from netsim.sockets.datagram_endpoint import DatagramEndpoint
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.machine import Machine
from netsim.sockets.mapped_datagrams import MappedDatagrams
from netsim.sockets.stream_endpoint import StreamEndpoint

fileno: Final = _socket.socket.fileno
close_kernels: Final = _socket.socket.close
detach_kernels: Final = _socket.socket.detach


class _Entry:
    """A descriptor, and who has it."""

    __slots__ = ("endpoint", "holder", "inode")

    def __init__(self, endpoint: Endpoint, inode: int) -> None:
        self.endpoint = endpoint
        self.inode = inode
        """Of the kernel's socket: it is known by this when its number was given to another."""
        self.holder: weakref.ref[socket.socket] | None = None
        """None while it is a bare number (`detach`)."""


_entries: Final[dict[int, _Entry]] = {}
parents: Final[dict[int, int]] = {}
"""In a process that a program has forked: its parent's sockets, and their inodes."""


def endpoint_of(descriptor: int) -> Endpoint | None:
    """What stands behind a descriptor; None if it is the kernel's own affair."""
    entry = _entries.get(descriptor)
    if entry is None:
        return None
    holder = None if entry.holder is None else entry.holder()
    if holder is not None and fileno(holder) != descriptor:
        # Closed by its finalizer, whose warning somebody keeps, and the object with it.
        del _entries[descriptor]
        _let_go(entry.endpoint)
        return None
    return entry.endpoint


def between(first: int, end: int) -> list[int]:
    """Those of the table from `first` on, before `end`."""
    return [descriptor for descriptor in list(_entries) if first <= descriptor < end]


def descriptors_in_use() -> int:
    """How many stand for sockets of computers."""
    return len(_entries)


def new_endpoint(machine: Machine, family: int, kind: int) -> Endpoint:
    """A new socket of a computer."""
    if family == socket.AF_INET6:
        return MappedDatagrams(machine)
    return StreamEndpoint(machine) if kind == socket.SOCK_STREAM else DatagramEndpoint(machine)


def add(descriptor: int, endpoint: Endpoint) -> None:
    """From now on the descriptor stands for that."""
    stale = _entries.pop(descriptor, None)
    _entries[descriptor] = _Entry(endpoint, os.fstat(descriptor).st_ino)
    if stale is not None:
        _let_go(stale.endpoint)  # it was closed by its number, which nobody sees


def hold(sock: socket.socket) -> None:
    """A socket object has a descriptor of the table: it gives it back when it is collected."""
    descriptor = fileno(sock)
    entry = _entries.get(descriptor)
    if entry is None:
        return
    if os.fstat(descriptor).st_ino != entry.inode:
        del _entries[descriptor]
        _let_go(entry.endpoint)
        return

    def collected(holder: weakref.ref[socket.socket]) -> None:
        if _entries.get(descriptor) is entry and entry.holder is holder:
            del _entries[descriptor]
            _let_go(entry.endpoint)

    entry.holder = weakref.ref(sock, collected)


def release(sock: socket.socket) -> None:
    """A socket object gives its descriptor away as a bare number."""
    entry = _entries.get(fileno(sock))
    if entry is not None:
        entry.holder = None


def remove(descriptor: int) -> Endpoint | None:
    """The descriptor is about to be closed: what stood behind it, to be given to `let_go`."""
    entry = _entries.pop(descriptor, None)
    return None if entry is None else entry.endpoint


def let_go(endpoint: Endpoint) -> None:
    """One descriptor less; with the last one the socket is closed."""
    endpoint.references -= 1
    if not endpoint.references:
        endpoint.machine.call(endpoint.close)


def _let_go(endpoint: Endpoint) -> None:
    """The same, from wherever an object happened to be collected: it must not wait."""
    endpoint.references -= 1
    if not endpoint.references:
        with contextlib.suppress(RuntimeError, AttributeError):  # the computer is no more
            endpoint.machine.call_soon_threadsafe(endpoint.close)


def end_of(machine: Machine) -> None:
    """A computer has ended: its programs' sockets are closed, and hold nothing of it.

    Objects that programs still have, for ever perhaps, are left without a descriptor.
    """
    for descriptor, entry in list(_entries.items()):
        if entry.endpoint.machine is not machine:
            continue
        del _entries[descriptor]
        holder = None if entry.holder is None else entry.holder()
        if holder is not None:
            detach_kernels(holder)
        with contextlib.suppress(OSError):
            if os.fstat(descriptor).st_ino == entry.inode:
                os.close(descriptor)
        entry.endpoint.is_closed = True
        entry.endpoint.forget_stack()
        entry.endpoint.queue.wake()


def forget() -> None:
    """In a child process: what stands behind descriptors is the parent's."""
    parents.update((descriptor, entry.inode) for descriptor, entry in _entries.items())
    _entries.clear()


def refuse_parents(descriptor: int) -> None:
    """OSError EOPNOTSUPP for a socket that is the parent's; what is sent there is never seen."""
    if descriptor in parents and os.fstat(descriptor).st_ino == parents[descriptor]:
        raise OSError(
            errno.EOPNOTSUPP,
            "a socket of the simulated network stays with the process that has made it, and this "
            "is a child of that: serve with threads, or one worker",
        )
