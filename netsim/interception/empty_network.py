"""A network namespace with nothing in it: whatever code in it opens, leads nowhere.

Sockets of Python lead into the simulated network. What C code opens past Python, and what a program
starts, would reach the machine's. So the zygote leaves that one before it forks the first node
(unshare(2)): an ordinary user makes a user namespace for it, in which he is who he was. Each node
that runs programs leaves the zygote's for one of its own: they would meet at a common loopback.
What nodes need of the machine's network, ports that they publish and servers behind `upstream`, the
supervisor opens for them, and gives them the descriptors: a socket stays in the network it was made
in.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import socket
import struct
from pathlib import Path
from typing import Final

from netsim.core.fork import fork
from netsim.core.os_words import in_words

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1
_NO_MORE: Final = "user.max_user_namespaces or user.max_net_namespaces (sysctl) allow no more"
_DONE: Final = b"."
"""What is said first by who has tried it, before why not."""
_CAPABILITY_VERSION: Final = 0x20080522
"""_LINUX_CAPABILITY_VERSION_3 of capset(2)."""


def enter() -> str:
    """Move this process there, for good; it has one thread. Why not, where the kernel refuses.

    Loopback is up: who connects to nobody there is refused, as on a machine that is alone.
    """
    entered = EmptyNetwork()
    return entered.refusal or entered.leave(for_another=False)


def is_entered() -> bool:
    """Whether this process is in one, by what it did itself or what has forked it."""
    return EmptyNetwork.is_here


class EmptyNetwork:
    """One that this process has entered, and what it forks is to share, or to leave for another."""

    is_here = False

    def __init__(self) -> None:
        self._may_all = False
        """It came with a user namespace, in which who makes it first may do everything."""
        self.refusal = self._enter()
        """Why this process is where it was."""
        EmptyNetwork.is_here |= not self.refusal

    def leave(self, *, for_another: bool) -> str:
        """A forked process does what its programs are to find done; why not, where that fails.

        It moves on to a network of its own, or stays; and may do no more in it than outside.
        """
        if self.refusal:
            return ""
        try:
            if for_another:
                _unshare(_CLONE_NEWNET)
                _loopback_up()
        except OSError as error:
            return _words(error)
        finally:
            if self._may_all:
                _drop_capabilities()
        return ""

    def _enter(self) -> str:
        if os.geteuid() == 0:
            # Root of a container may lack the right, and is then an ordinary user in this.
            with contextlib.suppress(OSError):
                _unshare(_CLONE_NEWNET)
                _loopback_up()
                return ""
        # Half of it may be allowed (AppArmor's restriction of user namespaces), and there is no way
        # back: another process tries first.
        refusal = _tried() or _enter_as_user()
        self._may_all = not refusal
        return refusal


def _enter_as_user() -> str:
    user, group = os.geteuid(), os.getegid()
    try:
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        # user_namespaces(7): who may not set groups may say who he is.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        _loopback_up()
    except OSError as error:
        return _words(error)
    return ""


def _words(error: OSError) -> str:
    # unshare(2): no room for one more of them, and not on a disk.
    return _NO_MORE if error.errno == errno.ENOSPC else in_words(error)


def try_out() -> None:
    """Here, once: what this process forks knows then whether an ordinary user may enter."""
    if os.geteuid():
        _tried()


@functools.cache
def _tried() -> str:
    reader, writer = os.pipe()
    try:
        pid = fork()
    except OSError as error:
        os.close(reader)
        os.close(writer)
        return in_words(error)
    if not pid:
        try:
            os.write(writer, _DONE + _enter_as_user().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = file.read()
    with contextlib.suppress(ChildProcessError):  # where SIGCHLD is ignored it is gone
        os.waitpid(pid, 0)
    # seccomp(2) may kill who calls what is not allowed.
    return said[len(_DONE) :].decode() if said else "a process that tried it was killed"


def _unshare(what: int) -> None:
    if _libc.unshare(what):
        raise _error()


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _drop_capabilities() -> None:
    """The first in a user namespace may do everything in it: programs are not to find that."""
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    if _libc.capset(header, bytes(24)):
        raise _error()


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


_libc: Final = ctypes.CDLL(None, use_errno=True)
