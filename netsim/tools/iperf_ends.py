"""The two ends of `iperf`: each runs on its computer, and counts what it sends or receives there.

One end listens (`listen`) and the other connects to it (`connect`); one sends and the other counts,
whichever way. Network time is the same at both, so both begin (`begin`) and cut their intervals at
the same times; whoever measures asks each for what it has counted up to the end of each interval
(`counted`), and in the end for all of it (`totals`). Ends are kept by their computer's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from itertools import count
from typing import Final
from weakref import WeakKeyDictionary

from netsim.aio.loop import HostLoopMixin
from netsim.core.errors import IperfFailedError
from netsim.tools.byte_flow import reason
from netsim.tools.iperf_streams import (
    Address,
    ConnectedSocket,
    Counted,
    Counts,
    End,
    EndOrder,
    ListeningSocket,
    TcpStream,
    UdpStream,
)
from netsim.tools.resolve import computer_loop

PORT: Final = 5201
"""Where iperf3 listens; another where something else does."""
_ASK_AGAIN: Final = 0.25
"""Seconds between datagrams that open a way to the other end."""
_ASKS: Final = 20

_ENDS: Final[WeakKeyDictionary[HostLoopMixin, dict[int, End]]] = WeakKeyDictionary()
_NUMBERS = count(1)


async def listen(order: EndOrder) -> tuple[int, int]:
    """Wait for the other end; the number of this one, and the port."""
    loop = computer_loop()
    end = End(loop, order)
    for port in (PORT, 0):
        try:
            if order.is_udp:
                end.server, _ = await loop.create_datagram_endpoint(
                    partial(ListeningSocket, end), ("0.0.0.0", port)
                )
                port = end.server.get_extra_info("sockname")[1]
            else:
                end.server = await loop.create_server(partial(TcpStream, end), None, port)
                port = int(end.server.sockets[0].getsockname()[1])
            break
        except OSError:
            if not port:
                raise
    return _keep(end), port


async def connect(
    order: EndOrder, address: str, port: int
) -> tuple[int, tuple[tuple[Address, Address], ...]]:
    """Open all streams; the number of this end, and both ends of each. IperfFailedError."""
    loop = computer_loop()
    end = End(loop, order)
    number = _keep(end)
    try:
        for _ in range(order.streams):
            if order.is_udp:
                socket = ConnectedSocket(end)
                await loop.create_datagram_endpoint(lambda: socket, remote_addr=(address, port))  # noqa: B023  # called at once
                await _open_way(socket.stream)
            else:
                await loop.create_connection(partial(TcpStream, end), address, port)
    except OSError as error:
        await close(number)
        raise IperfFailedError(f"unable to connect to {address}: {reason(error)}") from error
    except BaseException:
        await close(number)
        raise
    return number, tuple(
        (flow.transport.get_extra_info("sockname"), flow.transport.get_extra_info("peername"))
        for flow in end.flows
    )


async def _open_way(stream: UdpStream) -> None:
    for _ in range(_ASKS):
        stream.ask()
        done, _ = await asyncio.wait({stream.opened}, timeout=_ASK_AGAIN)
        if done:
            stream.opened.result()
            return
    raise TimeoutError(110, "no answer")


async def begin(number: int, at: int) -> None:
    """Start at network time `at` with all streams, which are there or about to be."""
    end = _ENDS[computer_loop()][number]
    while len(end.flows) < end.order.streams and end.failure is None:
        end.changed.clear()
        await end.changed.wait()
    end.begin(at)


async def counted(number: int, interval: int) -> Counts | None:
    """What had been counted at the end of an interval; None after the last one.

    IperfFailedError when a stream has ended before its time.
    """
    end = _ENDS[computer_loop()][number]
    while True:
        if interval < len(end.counts):
            return end.counts[interval]
        if end.failure is not None:
            raise end.failure
        if end.is_over:
            return None
        end.changed.clear()
        await end.changed.wait()


async def totals(
    number: int, patience: float, sent: tuple[int, ...] = ()
) -> tuple[tuple[int, Counted], ...]:
    """Of each stream when all has arrived: its duration in ns, and what it has counted.

    At most `patience` seconds are waited for that. A receiver of datagrams is told how many each
    stream has `sent`. IperfFailedError.
    """
    end = _ENDS[computer_loop()][number]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            await asyncio.gather(
                *(
                    _all_arrived(flow, sent[index] if sent else None)
                    for index, flow in enumerate(end.flows)
                )
            )
    lasted = end.counts[-1][0]
    return tuple(
        (lasted if end.order.sends else max(lasted, flow.ended_at - end.began_at), counted)
        for flow, counted in ((flow, end.counted(flow)) for flow in end.flows)
    )


async def _all_arrived(flow: TcpStream | UdpStream, sent: int | None) -> None:
    if isinstance(flow, UdpStream):
        if sent is not None:
            await flow.until_all(sent)
        return
    try:
        await asyncio.shield(flow.all_arrived)
    except OSError as error:
        if not isinstance(error, TimeoutError) or error.errno:
            raise IperfFailedError(reason(error)) from error
        raise


async def stop(number: int) -> None:
    """Count up to now, and no further."""
    _ENDS[computer_loop()][number].stop()


async def close(number: int) -> None:
    """Give sockets back. An end that is not there is closed already."""
    end = _ENDS.get(computer_loop(), {}).pop(number, None)
    if end is not None:
        end.close()


def _keep(end: End) -> int:
    number = next(_NUMBERS)
    _ENDS.setdefault(end.loop, {})[number] = end
    return number
