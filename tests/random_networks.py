"""Networks drawn at random: parallel links, ties, subnets with several switches and gateways."""

from __future__ import annotations

from random import Random

import networkx

from netsim.topology.make_plan import make_plan
from netsim.topology.plan import NetworkPlan


def random_network(random: Random) -> NetworkPlan:
    """Routers, switches that are no loop, and computers."""
    graph: networkx.MultiGraph[str] = networkx.MultiGraph(name="random")
    routers = [f"r{index}" for index in range(random.randint(2, 9))]
    for index, router in enumerate(routers):
        graph.add_node(router, kind="router")
        if index:
            graph.add_edge(router, random.choice(routers[:index]), delay=some_delay(random))
    for _ in range(random.randint(0, 8)):
        graph.add_edge(*random.sample(routers, 2), delay=some_delay(random))
    for index in range(random.randint(0, 4)):
        switch = f"s{index}"
        graph.add_node(switch, kind="switch")
        for router in random.sample(routers, random.randint(1, min(3, len(routers)))):
            graph.add_edge(switch, router, delay=some_delay(random))
        graph.add_edge(switch, f"c{index}")
        if index and random.random() < 0.3:
            graph.add_edge(switch, f"s{index - 1}", delay=some_delay(random))
    for index in range(random.randint(0, 3)):
        graph.add_edge(f"d{index}", random.choice(routers))
    return make_plan(graph)


def some_delay(random: Random) -> str:
    return f"{random.choice((0, 1, 1, 2, 3))}ms"
