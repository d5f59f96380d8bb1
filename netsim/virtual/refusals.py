"""What a loop in virtual time does not do, in words that say what to do instead.

All of it waits for what happens outside the network, by real time; virtual time would go on
meanwhile. asyncio's own refusals are NotImplementedErrors without a word.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, Final

_DESCRIPTOR: Final = (
    "virtual time does not wait for what happens outside the network; read and write files, pipes "
    "and sockets of the machine in `await asyncio.to_thread(…)`"
)
_PROCESS: Final = (
    "a child process lives by real time, and virtual time does not wait for it; "
    "write `await asyncio.to_thread(subprocess.run, […])`"
)
_UNIX: Final = (
    "a Unix socket is the machine's, and virtual time does not wait for it; have programs of one "
    "computer meet at a port of 127.0.0.1"
)
_SIGNAL: Final = "the test is on no computer; it hears of signals by `signal.signal()`"
_REFUSED: Final = {
    "add_reader": _DESCRIPTOR,
    "add_signal_handler": _SIGNAL,
    "add_writer": _DESCRIPTOR,
    "connect_accepted_socket": _DESCRIPTOR,
    "connect_read_pipe": _DESCRIPTOR,
    "connect_write_pipe": _DESCRIPTOR,
    "create_unix_connection": _UNIX,
    "create_unix_server": _UNIX,
    "sock_accept": _DESCRIPTOR,
    "sock_connect": _DESCRIPTOR,
    "sock_recv": _DESCRIPTOR,
    "sock_recv_into": _DESCRIPTOR,
    "sock_recvfrom": _DESCRIPTOR,
    "sock_recvfrom_into": _DESCRIPTOR,
    "sock_sendall": _DESCRIPTOR,
    "sock_sendfile": _DESCRIPTOR,
    "sock_sendto": _DESCRIPTOR,
    "subprocess_exec": _PROCESS,
    "subprocess_shell": _PROCESS,
}
_NOTHING_THERE: Final = ("remove_reader", "remove_signal_handler", "remove_writer")
"""What asyncio says where nothing was added; libraries ask it to be sure."""


class Refusals(asyncio.BaseEventLoop):
    """The methods that nothing else implements: NotImplementedError."""


def _refuse(name: str) -> Callable[..., Any]:
    error = f"{name}: {_REFUSED[name]}"

    def refuse(self: Refusals, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(error)

    async def refuse_later(self: Refusals, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(error)

    is_coroutine = inspect.iscoroutinefunction(getattr(asyncio.AbstractEventLoop, name))
    return refuse_later if is_coroutine else refuse


def _nothing_there(self: Refusals, _: Any) -> bool:
    return False


for _name in _REFUSED:
    setattr(Refusals, _name, _refuse(_name))
for _name in _NOTHING_THERE:
    setattr(Refusals, _name, _nothing_there)
