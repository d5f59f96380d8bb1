"""Who a computer is: the number of its process, its name, and how many processors it has.

Process numbers lie beyond those that a kernel gives (PID_MAX_LIMIT of Linux), so that one which
reaches the kernel by a way that is not known here meets no other process.
"""

from __future__ import annotations

import errno
import functools
import os
import platform
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from netsim.interception.c_functions import FunctionReplacement, Replacement
from netsim.interception.environment import Presence

PROCESSORS: Final = 4
"""Of a computer: executors have as many workers on every machine."""
_INIT: Final = 1
"""What has started the programs of a computer."""
_EVERYBODY: Final = -1
_KERNELS: Final = ("concurrent.", "multiprocessing.", "psutil")
"""Packages that ask the kernel about the process, and so need the number that it gave."""
_BY_NUMBER: Final = ("getpgid", "getsid", "pidfd_open")
"""Functions of `os` whose first argument is the number of a process."""


class IdentityHooks:
    """`os.getpid`, `os.cpu_count`, `socket.gethostname` and what is made of them."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._own_number = self._getpid()
        self._replacements: list[Replacement] = [
            self._own_number,
            self._of_computers(os.getppid, lambda name, real: _INIT),
            self._of_computers(socket.gethostname, lambda name, real: name),
            self._of_computers(os.cpu_count, lambda name, real: PROCESSORS),
            self._of_computers(os.uname, lambda name, real: _renamed(real, name)),
        ]
        self._by_number = {name: getattr(os, name) for name in _BY_NUMBER if hasattr(os, name)}
        self._kill, self._killpg = os.kill, os.killpg
        self._affinity = os.sched_getaffinity
        self._full_name = socket.getfqdn
        self._platform: dict[str, Any] = vars(platform)
        self._machine: platform.uname_result | None = None
        self._has_forked = False
        os.register_at_fork(after_in_child=self._note_fork)

    def install(self) -> None:
        """From now on who is on a computer is told the computer's."""
        # Found out now, since what one computer is told is kept for all.
        self._machine = platform.uname()
        for replacement in self._replacements:
            replacement.install()
        for name, function in self._by_number.items():
            setattr(os, name, self._of_real_process(function))
        os.sched_getaffinity = self._getaffinity
        os.kill, os.killpg = self._signalling(self._kill), self._signalling(self._killpg)
        socket.getfqdn = self._getfqdn
        self._platform["_uname_cache"] = _uname_of_who_asks(self._machine, self.host_name)

    def uninstall(self) -> None:
        """Put back what was."""
        self._platform["_uname_cache"] = self._machine
        socket.getfqdn = self._full_name
        for name, function in self._by_number.items():
            setattr(os, name, function)
        os.kill, os.killpg = self._kill, self._killpg
        os.sched_getaffinity = self._affinity
        for replacement in self._replacements:
            replacement.uninstall()

    def host_name(self) -> str:
        """Of the computer that the caller runs on; "" for none."""
        environment = self._presence.here()
        return "" if environment is None else environment.name

    def _pid(self) -> int | None:
        environment = self._presence.here()
        return None if environment is None or self._has_forked else environment.pid

    def _note_fork(self) -> None:
        """A process that a program has forked has a number of its own."""
        self._has_forked |= self._presence.environment is not None

    def _getpid(self) -> FunctionReplacement:
        def getpid() -> int:
            pid = self._pid()
            if pid is None or sys._getframe(1).f_globals.get("__name__", "").startswith(_KERNELS):
                real: int = replacement.original()
                return real
            return pid

        replacement = FunctionReplacement(os.getpid, getpid)
        return replacement

    def _of_computers(
        self, builtin: Callable[[], Any], own: Callable[[str, Any], Any]
    ) -> FunctionReplacement:
        def ask() -> Any:
            real, name = replacement.original(), self.host_name()
            return own(name, real) if name else real

        replacement = FunctionReplacement(builtin, ask)
        return replacement

    def _of_real_process(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of `os` that takes the number of a computer's process for the real one."""

        @functools.wraps(function)
        def call(pid: int, *args: Any) -> Any:
            own = self._pid()
            return function(self._own_number.original() if own == pid else pid, *args)

        return call

    def _getaffinity(self, pid: int, /) -> set[int]:
        if self.host_name() and pid in (0, self._pid(), self._own_number.original()):
            return set(range(PROCESSORS))
        return self._affinity(pid)

    def _signalling(self, function: Callable[[int, int], None]) -> Callable[[int, int], None]:
        """`os.kill`: what a program sends to itself, and to all of its group, is its own affair."""

        @functools.wraps(function)
        def kill(pid: int, number: int, /) -> None:
            environment = self._presence.here()
            signals = None if environment is None or self._has_forked else environment.signals
            if environment is None or signals is None:
                function(pid, number)
            elif pid in (0, environment.pid, self._own_number.original(), os.getpgrp()):
                if number:
                    signals.come(number, sys._getframe(1))
            elif pid in (_INIT, _EVERYBODY):
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
            else:
                function(pid, number)

        return kill

    def _getfqdn(self, name: str = "") -> str:
        """As `socket.getfqdn`, which would ask the resolver of the machine for the computer."""
        own = self.host_name()
        return own if own and name in ("", own, "0.0.0.0", "::") else self._full_name(name)


def _renamed(real: os.uname_result, name: str) -> os.uname_result:
    return os.uname_result((real.sysname, name, real.release, real.version, real.machine))


def _uname_of_who_asks(
    found: platform.uname_result, host_name: Callable[[], str]
) -> platform.uname_result:
    """What `platform` keeps once it has found it out, with the name of the computer that asks."""

    class Uname(platform.uname_result):
        @property
        def node(self) -> str:
            return host_name() or found.node

        def __iter__(self) -> Iterator[str]:
            system, _, *others = super().__iter__()
            return iter((system, self.node, *others))

    return Uname(found.system, found.node, found.release, found.version, found.machine)
