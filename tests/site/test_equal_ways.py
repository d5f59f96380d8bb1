"""Flows over ways of equal cost: all are used, and each flow stays on the one foretold."""

from __future__ import annotations

from collections import Counter
from itertools import permutations, product

import pytest
from frames_seen import FramesSeen
from memory_network import MemoryNetwork
from memory_runs import PORT, ping, running, watch
from plans import plan_of

from netsim import NetworkPlan
from netsim.core.time import MILLISECOND, SECOND
from netsim.observe.tap import Direction
from netsim.site.paths import PathFinder
from netsim.stack.equal_cost import flow_key
from netsim.wire.ipv4 import PROTOCOL_TCP

SPINES, LEAVES = 4, 8


def clos() -> NetworkPlan:
    pairs = product(range(LEAVES), range(SPINES))
    links = [f"r-leaf{leaf} r-spine{spine} delay=10us" for leaf, spine in pairs]
    links += [f"r-leaf{leaf} h{leaf}" for leaf in range(LEAVES)]
    return plan_of(*links)


def spines_taken(network: MemoryNetwork) -> Counter[str]:
    """How many packets each has forwarded."""
    return Counter(
        {name: network.host(name).forwarded for name in network.nodes if "spine" in name}
    )


def test_a_clos_uses_all_its_spines_and_paths_are_foretold() -> None:
    plan = clos()
    finder = PathFinder(plan)
    taken: Counter[str] = Counter()
    with running(plan) as network:
        for leaf in range(LEAVES):
            network.host(f"h{leaf}").tcp.listen(None, PORT)
        for source, target in permutations(range(LEAVES), 2):
            before = spines_taken(network)
            client = network.host(f"h{source}").tcp
            sender = client.connect((plan.hosts[f"h{target}"], PORT), network.now)
            network.run_for(SECOND)
            assert sender.connected
            ends = sender.local, sender.remote
            there, back = (path_of(finder, *order) for order in (ends, ends[::-1]))
            used = spines_taken(network) - before
            assert set(used) == {there, back}
            taken[there] += 1
            sender.abort(network.now)
            network.run_for(SECOND)
    assert len(taken) == SPINES
    assert min(taken.values()) >= LEAVES * (LEAVES - 1) / SPINES / 2


def path_of(finder: PathFinder, source: tuple[bytes, int], target: tuple[bytes, int]) -> str:
    """The spine that a TCP connection goes by in one direction."""
    ports = source[1].to_bytes(2, "big") + target[1].to_bytes(2, "big")
    flow = flow_key(source[0], target[0], PROTOCOL_TCP, ports)
    path = finder.path(source[0], target[0], flow)
    assert path is not None
    assert len(path) == 5
    return path[2]


def test_pings_go_as_the_path_says() -> None:
    plan = clos()
    finder = PathFinder(plan)
    for target in range(1, LEAVES):
        with running(plan) as network:
            assert ping(network, "h0", f"h{target}") is not None
            taken = {name for name, count in spines_taken(network).items() if count}
        there = finder.path(plan.hosts["h0"], plan.hosts[f"h{target}"])
        back = finder.path(plan.hosts[f"h{target}"], plan.hosts["h0"])
        assert there is not None
        assert back is not None
        assert taken == {there[2], back[2]}


def test_the_last_link_counts_for_a_ping() -> None:
    plan = plan_of(
        "a r0 delay=1ms",
        "r0 r1 delay=10ms",
        "r0 r2 delay=11ms",
        "r1 s delay=100ms",
        "r2 s delay=1ms",
        "s b delay=1ms",
    )
    with running(plan) as network:
        assert ping(network, "a", "b") is not None
        answered = ping(network, "a", "b")
        assert answered is not None
        assert answered[1] == 28 * MILLISECOND


@pytest.mark.parametrize("protocol_has_ports", [False, True])
def test_fragments_of_a_datagram_stay_together(protocol_has_ports: bool) -> None:
    """Only the first has the ports, so none of them counts any."""
    plan = plan_of("a r1 mtu=600", "r1 r2", "r1 r3", "r2 r4", "r3 r4", "r4 b")
    with running(plan) as network:
        ring: FramesSeen = watch(network)
        if protocol_has_ports:
            receiver = network.host("b").udp.bind(None, 9)
            sender = network.host("a").udp.bind(None, 0)
            sender.send(bytes(1400), (plan.hosts["b"], 9), network.now)
            network.run_for(SECOND)
            assert receiver.receive() is not None
        else:
            assert ping(network, "a", "b", size=1400) is not None
        through = {
            row.interface.partition("/")[0]
            for row in ring.frames
            if row.direction is Direction.INBOUND
            and row.interface.startswith(("r2", "r3"))
            and row.frame[23] in (1, 17)
            and row.frame[30:34] == plan.hosts["b"]
        }
        assert len(through) == 1
