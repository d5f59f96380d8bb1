"""Where a tool runs: the node, and the terminal of whoever asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from netsim.aio.loop import HostLoopMixin
from netsim.node.port import Port
from netsim.node.switch import Switch
from netsim.stack.host import Host
from netsim.wire.address import IpAddress, format_ip, parse_ip

INTERRUPTED: Final = 130
"""Exit code of a program that Ctrl-C ended: 128 + SIGINT, as shells report it."""


@dataclass(slots=True, kw_only=True)
class Terminal:
    """What every run of a tool is given, whatever kind of node it runs at.

    `wall_clock` gives nanoseconds that only differences are taken of. `drain` waits until the
    output written so far is on its way; a tool with much of it calls it between chunks.
    """

    node: str
    cwd: Path
    stdout: Callable[[bytes], None]
    stderr: Callable[[bytes], None]
    drain: Callable[[], Awaitable[None]]
    interrupted: asyncio.Event
    """Set by Ctrl-C at the terminal."""
    wall_clock: Callable[[], int]
    json: bool = False
    """Print one JSON document instead of text."""

    def print_line(self, line: str = "") -> None:
        self.stdout(line.encode(errors="replace") + b"\n")

    def print_error(self, line: str) -> None:
        self.stderr(line.encode(errors="replace") + b"\n")

    async def until_interrupted(self, program: Coroutine[Any, Any, int]) -> int:
        """Run `program` to its end and return its exit code; Ctrl-C cancels it."""
        running = asyncio.ensure_future(program)
        interruption = asyncio.ensure_future(self.interrupted.wait())
        try:
            await asyncio.wait({running, interruption}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return running.result()
            return INTERRUPTED
        finally:
            interruption.cancel()
            running.cancel()
            await asyncio.gather(running, interruption, return_exceptions=True)


@dataclass(slots=True, kw_only=True)
class Context(Terminal):
    """A run at a computer or router, which has a protocol stack."""

    loop: HostLoopMixin
    host: Host
    ports: Sequence[Port]
    """Of the node, in the order of the host's interfaces."""
    name_of: Callable[[IpAddress], str | None]
    """The node that has an address."""

    async def resolve(self, name: str) -> IpAddress:
        """The IPv4 address of a name, as programs on this node see it; socket.gaierror if none."""
        found = await self.loop.getaddrinfo(
            name, None, family=socket.AF_INET, type=socket.SOCK_STREAM
        )
        return parse_ip(str(found[0][4][0]))

    def show_address(self, address: IpAddress, *, numeric: bool) -> str:
        """`r1 (10.0.1.1)`, or `10.0.1.1` when it has no name or `numeric` is set."""
        text = format_ip(address)
        name = None if numeric else self.name_of(address)
        return text if name is None else f"{name} ({text})"


@dataclass(slots=True, kw_only=True)
class SwitchContext(Terminal):
    """A run at a switch, which has a MAC table and no addresses."""

    switch: Switch
    now: Callable[[], int]
    """Network time in ns."""


def is_numeric(host: str) -> bool:
    """Whether `host` is written as an address: then tools do not look for names."""
    try:
        parse_ip(host)
    except ValueError:
        return False
    return True
