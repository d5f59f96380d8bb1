"""What sockets and transports need of a computer's event loop: its stack, its clock, its paths.

`HostLoopMixin` puts asyncio's own calls on top.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netsim.sockets.hosts_table import HostsTable
from netsim.sockets.machine import SocketOwner, Wait, refuse_to_block
from netsim.stack.host import Host
from netsim.wire.address import IpAddress

if TYPE_CHECKING:
    _Base = asyncio.SelectorEventLoop
else:
    _Base = object

Result = TypeVar("Result")
PathFinder = Callable[[IpAddress, IpAddress, bytes], list[str] | None]
"""Names of the nodes on the way of a flow (`stack/equal_cost.py`) from one address to another;
None when there is no way."""

DISPATCH_LIMIT: Final = 16
"""Sockets whose owners are told in one tick: with 50 connections 8 and 16 give the most requests/s,
4 and all of them a tenth less."""


class HostLoop(_Base):
    """The loop as the sockets on it see it."""

    host: Host
    hosts_table: HostsTable
    path: PathFinder

    _owners: dict[Any, SocketOwner]

    # The runtime's side

    def network_now(self) -> int:
        """Network time in ns for what programs do; the runtime's loop says what it is."""
        raise TypeError(f"{type(self).__name__} must say what time it is in the network")

    def transmit_now(self) -> None:
        """Send what was written at once and not at the end of the tick, for those who take times.

        In virtual time there is no difference; a real runtime overrides this.
        """

    def tls_begins(self) -> None:
        """A program uses TLS, whose bytes are random; in virtual time that is noted."""

    def dispatch_ready(self) -> None:
        """Tell the owners of sockets to which something has happened, some of them at a time.

        What is left is for the next tick: programs get their turn in between, and what they
        send leaves early, so that busy computers work side by side and not in turn.
        """
        ready, owners = self.host.ready, self._owners
        for each in list(islice(ready, DISPATCH_LIMIT)):
            ready.pop(each, None)
            owner = owners.get(each)
            if owner is None:
                continue
            try:
                owner.socket_ready()
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001  # as in asyncio's own handles
                self.call_exception_handler(
                    {"message": f"Exception in callback of {owner!r}", "exception": error}
                )

    # The sockets of programs (`netsim.sockets.machine.Machine`)

    def call(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call it where the stack may be touched: here, on the loop's own thread."""
        return function(*args)

    def wait(self, wait: Wait) -> bool:
        """True where it is ready, as most datagrams are; BlockingCallError on this thread."""
        return True if wait.ready() else refuse_to_block(wait.what)

    def has_tried(self, in_vain: bool) -> None:
        """Time goes on by itself, or with the loop."""

    # Between the sockets of the stack and what stands for them in asyncio

    def own(self, stack_socket: Any, owner: SocketOwner) -> None:
        """From now on `owner` is told of what happens to a socket of the stack."""
        self._owners[stack_socket] = owner

    def disown(self, stack_socket: Any) -> None:
        """Nobody is told any more."""
        self._owners.pop(stack_socket, None)
