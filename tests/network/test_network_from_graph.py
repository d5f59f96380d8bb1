"""`Network(graph)`: networkx graphs as real networks."""

from __future__ import annotations

from typing import Any

import networkx
import pytest
from networks import Curl, tool, url

from netsim import InvalidGraphError, Network, make_plan


@pytest.mark.asyncio
async def test_a_path_graph_runs(curl: Curl) -> None:
    graph: networkx.Graph[int] = networkx.Graph()
    networkx.add_path(graph, range(4), delay="2ms")
    graph.nodes[0]["ports"] = ["127.0.0.1:0:3:80"]
    graph.nodes[3]["services"] = {80: "netsim.services.httpbin:create_app"}
    async with Network(graph, name="path", seed=5) as network:
        assert (network.plan.name, network.plan.seed) == ("path", 5)
        code, answer = await tool(network, "0", "ping", "-c", "1", "3")
        assert code == 0, answer
        assert b"origin" in await curl(url(network, "/ip"))
        for account in await network.accounts():
            account.check()


@pytest.mark.asyncio
async def test_a_directed_multigraph_runs() -> None:
    graph: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph(name="ring of four")
    networkx.add_cycle(graph, ["North", "East", "South", "West"], delay="1ms")
    graph.add_edge("North", "South", delay="1ms")
    async with Network(graph) as network:
        code, answer = await tool(network, "north", "ping", "-c", "1", "west")
        assert code == 0, answer


def test_mistakes_in_a_graph_are_all_told() -> None:
    graph: networkx.Graph[int] = networkx.Graph()
    networkx.add_path(graph, range(3), delay=5)
    with pytest.raises(InvalidGraphError) as caught:
        Network(graph)
    assert len(caught.value.mistakes) == 2


def test_a_plan_may_get_another_name() -> None:
    plan = make_plan(networkx.path_graph(2))
    assert Network(plan, name="twin", seed=3).plan.name == "twin"
