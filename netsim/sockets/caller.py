"""Whose program calls: the question that every call of a socket asks first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

from netsim.sockets.machine import Machine, MachineOfCaller


class _Thread(threading.local):
    outside = 0
    """How many `outside` it is in."""


_thread: Final = _Thread()
_asked: MachineOfCaller | None = None


def machine_of_caller() -> Machine | None:
    """The computer whose program calls; None for everybody else, netsim's own code among them."""
    if _asked is None or _thread.outside:
        return None
    return _asked()


def is_asked() -> bool:
    """Whether there are computers."""
    return _asked is not None


def ask(who: MachineOfCaller | None) -> None:
    """From now on ask that; None: there are no computers."""
    global _asked  # there is one interpreter
    _asked = who


@contextlib.contextmanager
def outside() -> Iterator[None]:
    """What this thread makes meanwhile is the machine's own that the network runs on."""
    _thread.outside += 1
    try:
        yield
    finally:
        _thread.outside -= 1
