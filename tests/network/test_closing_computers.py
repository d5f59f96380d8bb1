"""What the peers of a computer see when it is stopped, or its program ends."""

from __future__ import annotations

import asyncio

import networkx
import pytest

from netsim import Network, run


def pair() -> networkx.Graph[str]:
    graph: networkx.Graph[str] = networkx.Graph(name="pair")
    graph.add_edge("a", "b", delay="5ms")
    for name in graph:
        graph.nodes[name]["kind"] = "computer"
    return graph


async def hold() -> None:
    """Take connections and say nothing."""

    loop = asyncio.get_running_loop()
    await loop.create_server(asyncio.Protocol, "0.0.0.0", 80)
    await asyncio.sleep(1000)


async def wait_for_the_end() -> bytes:
    reader, writer = await asyncio.open_connection("b", 80)
    try:
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


def test_connections_of_a_computer_that_stops_end_at_once() -> None:
    async def main() -> None:
        async with Network(pair(), time="virtual") as network:
            serving = asyncio.ensure_future(network["b"].run(hold))
            await asyncio.sleep(0.1)
            asking = asyncio.ensure_future(network["a"].run(wait_for_the_end))
            await asyncio.sleep(0.1)
            before = network.now()
            await network["b"].stop()
            assert await asking == b""
            assert network.now() - before < 2e9
            with pytest.raises(asyncio.CancelledError):
                await serving

    run(main())
