"""Sockets, names, polling and TLS of programs on computers, in the place of the interpreter's.

Whoever hosts nodes installs it, and says how to know whose program calls. All others have the real
thing, and what they made before or meanwhile stays so.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from types import CellType
from typing import Any, Final

from netsim.core.errors import InterceptionError
from netsim.interception.c_functions import Replacement
from netsim.sockets import caller, descriptors, epoll_calls, socket_calls
from netsim.sockets.endpoint import Endpoint
from netsim.sockets.interface_calls import interface_calls
from netsim.sockets.machine import MachineOfCaller
from netsim.sockets.name_calls import name_calls
from netsim.sockets.number_calls import NUMBER_CALLS
from netsim.sockets.poll_calls import POLL_CALLS
from netsim.sockets.tls_calls import TlsCalls

_ABSENT: Final = object()
_MOST: Final = 65_536
"""Descriptors."""


class _SocketClass:
    """The methods of `socket.socket`."""

    def __init__(self) -> None:
        self._ours: dict[str, Any] = {
            name: _method(getattr(socket.socket, name), ours)
            for name, ours in socket_calls.METHODS.items()
        }
        self._ours |= {
            "__init__": _initializer(socket.socket.__init__),
            "_real_close": _closer(vars(socket.socket)["_real_close"]),
            "detach": _detacher(socket.socket.detach),
        }
        self._before = {name: vars(socket.socket).get(name, _ABSENT) for name in self._ours}
        self._looked_up: list[tuple[CellType, Any]] = []
        """Closures in which others hold methods of theirs, and which method that was."""

    def install(self) -> None:
        """From now on."""
        self._replace_in_closures()
        for name, method in self._ours.items():
            setattr(socket.socket, name, method)

    def _replace_in_closures(self) -> None:
        """trio looks methods up when it is imported, perhaps before there was a computer."""
        if "trio" not in sys.modules:
            return  # the search takes a while
        ours = {id(getattr(socket.socket, name)): method for name, method in self._ours.items()}
        own = {id(cell) for method in self._ours.values() for cell in method.__closure__ or ()}
        methods = [getattr(socket.socket, name) for name in self._ours]
        for cell in gc.get_referrers(*methods):
            if isinstance(cell, CellType) and id(cell) not in own:
                self._looked_up.append((cell, cell.cell_contents))
                cell.cell_contents = ours[id(cell.cell_contents)]

    def uninstall(self) -> None:
        """Put back exactly what was."""
        for cell, method in self._looked_up:
            cell.cell_contents = method
        self._looked_up.clear()
        for name, method in self._before.items():
            if method is _ABSENT:
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, method)


def _method(original: Any, ours: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def method(self: socket.socket, /, *args: Any, **kwargs: Any) -> Any:
        endpoint: Endpoint | None = descriptors.endpoint_of(descriptors.fileno(self))
        if endpoint is None:
            if descriptors.parents:
                descriptors.refuse_parents(descriptors.fileno(self))
            return original(self, *args, **kwargs)
        return ours(self, endpoint, *args, **kwargs)

    return method


def _initializer(original: Any) -> Any:
    @functools.wraps(original)
    def initialize(
        self: socket.socket,
        family: int = -1,
        type: int = -1,
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        machine = None if fileno is not None else caller.machine_of_caller()
        is_ours = machine is not None and socket_calls.check_new(family, type, proto)
        original(self, family, type, proto, fileno)
        if is_ours:
            assert machine is not None
            endpoint = descriptors.new_endpoint(machine, self.family, self.type)
            descriptors.add(descriptors.fileno(self), endpoint)
        descriptors.hold(self)

    return initialize


def _closer(original: Any) -> Any:
    @functools.wraps(original)
    def _real_close(self: socket.socket, *args: Any) -> None:
        socket_calls.close(self, lambda: original(self, *args))

    return _real_close


def _detacher(original: Any) -> Any:
    @functools.wraps(original)
    def detach(self: socket.socket) -> Any:
        descriptors.release(self)
        return original(self)

    return detach


class _DescriptorLimit:
    """In virtual time the sockets of all computers are in one process, and each takes a number: the
    soft limit is raised as far as it may be (setrlimit(2))."""

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None

    def install(self) -> None:
        """From now on."""
        soft, hard = self._before = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    def uninstall(self) -> None:
        """Put back exactly what was."""
        before, self._before = self._before, None
        if before is not None:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, before)


@functools.cache
def _parts() -> list[Replacement]:
    # A child that a program forks has no event loop that would serve its sockets.
    os.register_at_fork(after_in_child=_forget)
    return [
        _DescriptorLimit(),
        _SocketClass(),
        *NUMBER_CALLS,
        *name_calls(),
        *interface_calls(),
        *POLL_CALLS,
        epoll_calls.EpollCalls(),
        TlsCalls(),
    ]


_is_in_place = False


def _forget() -> None:
    caller.ask(None)
    descriptors.forget()
    epoll_calls.forget()


def prepare() -> None:
    """Be in place before there is a computer: processes that are forked from now on are ready for
    one, and need no memory of their own for it.

    UnsupportedInterpreterError where it cannot be.
    """
    global _is_in_place  # there is one interpreter
    if not _is_in_place:
        for part in _parts():
            part.install()
        _is_in_place = True


def install(machine_of_caller: MachineOfCaller) -> None:
    """From now on programs have the sockets of the computer that they are on.

    InterceptionError when that is so already, UnsupportedInterpreterError where it cannot be.
    """
    if caller.is_asked():
        raise InterceptionError("computers' sockets are installed already in this process")
    prepare()
    caller.ask(machine_of_caller)


@contextlib.contextmanager
def installed(machine_of_caller: MachineOfCaller) -> Iterator[None]:
    """While it lasts."""
    install(machine_of_caller)
    try:
        yield
    finally:
        uninstall()


def uninstall() -> None:
    """Put back exactly what was; nothing happens if it is not installed.

    Sockets of computers that are still open are of no use to anybody.
    """
    global _is_in_place
    if not _is_in_place:
        return
    _is_in_place = False
    caller.ask(None)
    for part in reversed(_parts()):
        part.uninstall()
