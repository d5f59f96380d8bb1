"""What the programs of one computer in virtual time have said of signals, and what comes of one."""

from __future__ import annotations

import errno
import os
import signal
from types import FrameType
from typing import Any, Final

_UNCATCHABLE: Final = frozenset({signal.SIGKILL, signal.SIGSTOP})
_IGNORED: Final = frozenset({signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ})
"""Python ignores the latter two."""
_HARMLESS: Final = frozenset({signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH})
"""Of which the kernel takes no notice by default (signal(7))."""
_STOPPING: Final = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})


class KilledBySignal(SystemExit):  # as SystemExit, no error
    """A signal ends the programs of a computer; the code is its number below zero."""

    code: int


class ComputersSignals:
    """What the programs of one computer have said of signals."""

    def __init__(self) -> None:
        self.handlers: dict[int, Any] = {}
        """By number, as `signal.signal` takes them."""
        self.wakeup = -1
        """Descriptor that is written to when a signal comes; none."""

    def handler(self, number: int) -> Any:
        """As `signal.getsignal`."""
        default = signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL
        return self.handlers.get(number, default)

    def set_handler(self, number: int, handler: Any) -> Any:
        """As `signal.signal`, for a number that is one; the handler before."""
        if number in _UNCATCHABLE:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        before = self.handler(number)
        self.handlers[number] = handler
        return before

    def come(self, number: int, frame: FrameType | None) -> None:
        """A signal: its handler is called, or what the kernel does by default happens.

        That is the end of the computer's programs: KilledBySignal.
        """
        handler = self.handler(number)
        if handler == signal.SIG_IGN:
            return
        if handler == signal.SIG_DFL or number in _UNCATCHABLE:
            if number in _STOPPING:
                raise NotImplementedError(
                    f"{signal.Signals(number).name}: nobody could have this program go on; "
                    'pause its computer from a test: await network["web"].pause()'
                )
            if number not in _HARMLESS:
                raise KilledBySignal(-number)
            return
        if self.wakeup >= 0:
            os.write(self.wakeup, bytes([number]))
        handler(number, frame)
