"""The way that packets really take, as traceroute finds it. Runs on a computer or router."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Final

from netsim.aio.loop import HostLoopMixin
from netsim.stack.socket_errors import SocketError
from netsim.tools.resolve import address_of, computer_loop
from netsim.tools.traceroute_probes import Answer, EchoProber
from netsim.wire.address import format_ip

MAX_HOPS: Final = 64
TRIES: Final = 3
"""Probes for each hop, as some may be lost."""
WAIT: Final = 2.0
"""Seconds of network time that each is waited for."""
_DATA: Final = bytes(32)
_MARKS: Final = {
    "!N": "network unreachable",
    "!H": "host unreachable",
    "!P": "protocol unreachable",
    "!F": "fragmentation needed",
    "!X": "administratively prohibited",
}


@dataclass(frozen=True, slots=True)
class PathTrace:
    """What was found. Addresses are text."""

    target: str
    """The address."""
    hops: tuple[str, ...]
    """Routers on the way, nearest first; those that are asked in vain are the end of it."""
    problem: str = ""
    """Why the target was not reached; empty when it was."""
    reporter: str | None = None
    """The address of whoever says so."""


async def trace_path(to: str) -> PathTrace:
    """Send echo requests with growing TTL until the target answers, or nobody does.

    UnknownNameError for a name that nobody has.
    """
    loop = computer_loop()
    target = await address_of(to)
    prober = EchoProber(loop, target, _DATA)
    hops: list[str] = []
    reporter = None
    problem = f"it is more than {MAX_HOPS} routers away"
    try:
        for ttl in range(1, MAX_HOPS + 1):
            answer = await _ask(prober, ttl, loop)
            if answer is None:
                problem = "nobody answers"
                break
            if answer.is_last:
                problem = _words(answer)
                if problem and answer.source is not None:
                    reporter = format_ip(answer.source)
                    if answer.source != target and reporter not in hops:
                        # It has no way on, and says so before it looks at the time to live.
                        hops.append(reporter)
                break
            assert answer.source is not None, "a router says that the time is exceeded"
            hops.append(format_ip(answer.source))
    except SocketError as error:
        problem = os.strerror(error.errno).lower()
    finally:
        prober.close()
    return PathTrace(format_ip(target), tuple(hops), problem, reporter)


async def _ask(prober: EchoProber, ttl: int, loop: HostLoopMixin) -> Answer | None:
    """Whoever answers at that distance."""
    numbers = range(ttl * TRIES, (ttl + 1) * TRIES)
    for number in numbers:
        prober.send(number, ttl)
        try:
            async with asyncio.timeout(WAIT):
                while True:
                    answered, answer = await prober.receive()
                    if answered in numbers:
                        return answer
        except TimeoutError:
            continue
    return None


def _words(answer: Answer) -> str:
    """What is wrong with the last answer; empty when it is the target's own."""
    if not answer.mark:
        return ""
    return _MARKS.get(answer.mark, f"refused ({answer.mark})")
