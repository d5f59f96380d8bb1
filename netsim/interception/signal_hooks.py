"""Each computer's own signal handlers: the process's are those of who has started the network.

A server that sets a handler for SIGINT (uvicorn) would take Ctrl-C from the whole test, and one
that crashes would leave its handler there. Signals that a program sends to itself
(`signal.raise_signal`, `os.kill(os.getpid(), …)`) come to its own handlers, at once. SIGINT is
ignored where a program has set no handler, as in what a shell starts in the background, and in a
node's process.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any, Final

from netsim.interception.c_functions import FunctionReplacement
from netsim.interception.computers_signals import ComputersSignals
from netsim.interception.environment import Presence

_signal: Final[Any] = sys.modules["_signal"]
"""What is written in C; functions of `signal` look their likes up there."""
_WAITING: Final = ("pause", "sigwait", "sigwaitinfo", "sigtimedwait")
_TIMERS: Final = ("alarm", "setitimer")


class SignalHooks:
    """The functions of `signal` that concern the whole process; `os.kill` is among its identity."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._raise = self._raise_signal()
        names: dict[str, Callable[..., Any]] = {
            "signal": self._signal,
            "getsignal": self._getsignal,
            "set_wakeup_fd": self._set_wakeup_fd,
            "siginterrupt": self._siginterrupt,
            **{name: self._refuse(name, "asyncio's add_signal_handler") for name in _WAITING},
            **{name: self._refuse(name, "loop.call_later()") for name in _TIMERS},
        }
        self._replaced = {
            name: (getattr(_signal, name), function)
            for name, function in names.items()
            if hasattr(_signal, name)
        }
        # Those that Python's module takes over as they are.
        self._in_module = [
            name for name, (real, _) in self._replaced.items() if getattr(signal, name) is real
        ]

    def install(self) -> None:
        """From now on programs on computers have handlers of their own."""
        self._raise.install()
        for name, (_, function) in self._replaced.items():
            setattr(_signal, name, function)
        for name in self._in_module:
            setattr(signal, name, self._replaced[name][1])

    def uninstall(self) -> None:
        """Put back what was."""
        for name in self._in_module:
            setattr(signal, name, self._replaced[name][0])
        for name, (real, _) in self._replaced.items():
            setattr(_signal, name, real)
        self._raise.uninstall()

    def _own(self) -> ComputersSignals | None:
        environment = self._presence.here()
        return None if environment is None else environment.signals

    def _check_thread(self) -> None:
        environment = self._presence.here()
        threads = None if environment is None else environment.threads
        if threads is not None and threads.running is not None:
            raise ValueError("signal only works in main thread of the main interpreter")

    def _signal(self, signalnum: int, handler: Any, /) -> Any:
        own = self._own()
        if own is None:
            return self._replaced["signal"][0](signalnum, handler)
        self._check_thread()
        if not callable(handler) and handler not in (signal.SIG_IGN, signal.SIG_DFL):
            raise TypeError(
                "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object"
            )
        return own.set_handler(_checked(signalnum), handler)

    def _getsignal(self, signalnum: int, /) -> Any:
        own = self._own()
        if own is None:
            return self._replaced["getsignal"][0](signalnum)
        return own.handler(_checked(signalnum))

    def _set_wakeup_fd(self, fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
        own = self._own()
        if own is None:
            before: int = self._replaced["set_wakeup_fd"][0](
                fd, warn_on_full_buffer=warn_on_full_buffer
            )
            return before
        self._check_thread()
        before, own.wakeup = own.wakeup, fd
        return before

    def _siginterrupt(self, signalnum: int, flag: bool, /) -> None:
        if self._own() is None:
            self._replaced["siginterrupt"][0](signalnum, flag)

    def _refuse(self, name: str, instead: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if self._own() is None:
                return self._replaced[name][0](*args)
            raise NotImplementedError(
                f"signal.{name}() goes by real time, and a program here by virtual time: "
                f"use {instead}"
            )

        return call

    def _raise_signal(self) -> FunctionReplacement:
        def raise_signal(number: int, /) -> None:
            own = self._own()
            if own is None:
                replacement.original(number)
            else:
                own.come(_checked(number), sys._getframe(1))

        replacement = FunctionReplacement(signal.raise_signal, raise_signal)
        return replacement


def _checked(number: int) -> int:
    if not 1 <= number < signal.NSIG:
        raise ValueError("signal number out of range")
    return int(number)
