"""What a computer is to the system calls of programs on it.

The loop of a computer is one, in virtual and in real time. An operation on a socket never blocks:
it is tried, by `call`, where the stack may be touched; who has to wait does so outside it, by
`wait`, and tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

from netsim.core.errors import BlockingCallError
from netsim.sockets.hosts_table import HostsTable
from netsim.stack.host import Host

Result = TypeVar("Result")


class Waiter(Protocol):
    """Who waits until something happens to a socket."""

    def wake(self) -> object:
        """Something has: look again."""


class WaitQueue:
    """Those who wait for one socket, in the order in which they began."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[Waiter, None] = {}

    def add(self, waiter: Waiter) -> None:
        self._waiters[waiter] = None

    def discard(self, waiter: Waiter) -> None:
        """Harmless when it does not wait here."""
        self._waiters.pop(waiter, None)

    def wake(self) -> None:
        """All of them look again."""
        for waiter in list(self._waiters):
            waiter.wake()


class Wait(NamedTuple):
    """What a call of a program waits for, which blocks until then."""

    ready: Callable[[], bool]
    """Whether it has come; asked where the stack may be touched."""
    what: str
    """What is done, for messages: `recv() on a socket`."""
    timeout_ns: int | None = None
    """Of network time, as it was at the beginning; None is for ever. With 0 nobody waits, but who
    looks so in a circle lets time go on, or it would stand for ever in virtual time."""
    queues: Sequence[WaitQueue] = ()
    """They wake who waits: `ready` is asked again."""
    descriptors: Mapping[int, int] = MappingProxyType({})
    """So do those of the kernel that have an event of their mask (of `select.poll`)."""


class SocketOwner(Protocol):
    """Who looks after a socket of the stack."""

    def socket_ready(self) -> None:
        """Something has happened to the socket."""


class Machine(Protocol):
    """A computer, as the sockets of its programs see it."""

    host: Host
    hosts_table: HostsTable

    def network_now(self) -> int:
        """Network time in ns."""

    def own(self, stack_socket: Any, owner: SocketOwner) -> None:
        """From now on `owner` is told of what happens to a socket of the stack."""

    def disown(self, stack_socket: Any) -> None:
        """Nobody is told any more."""

    def tls_begins(self) -> None:
        """A program uses TLS, whose bytes are random."""

    def call(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call it where the stack may be touched, whoever asks; its result, or its error.

        What it has written to sockets leaves soon after.
        """

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> Any:
        """As of an event loop: soon, and nobody waits for it."""

    def wait(self, wait: Wait) -> bool:
        """Block the calling thread until it is ready, or time is over; whether it became ready.

        BlockingCallError on the thread that runs the computer's event loop.
        """

    def has_tried(self, in_vain: bool) -> None:
        """The calling thread has called what does not wait, and it may do so in a circle."""


MachineOfCaller = Callable[[], Machine | None]
"""The computer whose program calls; None: the real thing happens."""


def refuse_to_block(what: str) -> NoReturn:
    """BlockingCallError for who would wait on the thread of an event loop."""
    raise BlockingCallError(
        f"{what} would block the event loop, and with it everything on this computer: "
        "run it with asyncio.to_thread(), or use the asyncio form"
    )
