"""A kernel timer as a file descriptor: epoll's own time-outs are whole milliseconds.

`os` has it from Python 3.13; before that the C library is called. The timer is armed with an
absolute time of `CLOCK_MONOTONIC`, and only when that time changes.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time

_CLOEXEC_NONBLOCK = os.O_CLOEXEC | os.O_NONBLOCK
_ABSOLUTE = 1

if sys.version_info >= (3, 13):

    def _create() -> int:
        return os.timerfd_create(time.CLOCK_MONOTONIC, flags=_CLOEXEC_NONBLOCK)

    def _arm(descriptor: int, deadline_ns: int) -> None:
        os.timerfd_settime_ns(descriptor, flags=os.TFD_TIMER_ABSTIME, initial=deadline_ns)

else:

    class _Timespec(ctypes.Structure):
        _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))

    class _Itimerspec(ctypes.Structure):
        _fields_ = (("interval", _Timespec), ("value", _Timespec))

    _libc = ctypes.CDLL(None, use_errno=True)
    _spec = _Itimerspec()
    _spec_pointer = ctypes.byref(_spec)

    def _create() -> int:
        descriptor: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, _CLOEXEC_NONBLOCK)
        if descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return descriptor

    def _arm(descriptor: int, deadline_ns: int) -> None:
        _spec.value.seconds, _spec.value.nanoseconds = divmod(deadline_ns, 1_000_000_000)
        _libc.timerfd_settime(descriptor, _ABSOLUTE, _spec_pointer, None)


class TimerFd:
    """One timer; readable (edge-triggered, nobody needs to read it) when it expires."""

    def __init__(self) -> None:
        self.descriptor = _create()
        self._deadline = 0

    def arm(self, deadline_ns: int) -> None:
        """Expire at a time of `time.monotonic_ns`, at once if it has passed."""
        if deadline_ns != self._deadline:
            self._deadline = deadline_ns
            _arm(self.descriptor, max(deadline_ns, 1))

    def expired(self) -> None:
        """The selector saw it: the next `arm` must set it again."""
        self._deadline = 0

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)
