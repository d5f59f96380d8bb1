from __future__ import annotations

import json

from memory_runs import ping, running
from plans import chain

from netsim.core.time import MILLISECOND, SECOND
from netsim.realtime.lateness import Lateness
from netsim.site.node_facts import node_facts


def test_facts_of_every_kind_of_node_can_be_written_as_json() -> None:
    with running(chain()) as network:
        ping(network, "alice", "web")
        for node in network.nodes.values():
            facts = node_facts(node, network.now)
            assert json.loads(json.dumps(facts)) == facts


def test_the_facts_of_a_router() -> None:
    with running(chain()) as network:
        ping(network, "alice", "web")
        facts = node_facts(network.nodes["r1"], network.now)
    first = facts["interfaces"][0]
    plan = network.plan.node("r1").interfaces[0]
    assert (first["name"], first["peer"], first["up"]) == (plan.name, plan.peer, True)
    assert first["tx"]["frames"] == network.port("r1", plan.name).egress.counters.sent > 0
    assert first["rx"] == {"frames": first["rx"]["frames"], "dropped": {}, "in_flight": 0}
    assert facts["counters"]["forwarded"] == 2
    assert {route["origin"] for route in facts["routes"]} == {"connected", "computed"}
    assert {entry["interface"] for entry in facts["neighbours"]} == {"eth0", "eth1"}
    assert {entry["state"] for entry in facts["neighbours"]} <= {"REACHABLE", "STALE", "DELAY"}


def test_neighbours_are_shown_stale_when_they_are() -> None:
    with running(chain()) as network:
        ping(network, "alice", "web")
        states = []
        for wait in (0, 100 * SECOND):
            network.run_for(wait)
            facts = node_facts(network.nodes["alice"], network.now)
            states += [entry["state"] for entry in facts["neighbours"]]
    assert states == ["REACHABLE", "STALE"]


def test_the_facts_of_a_switch() -> None:
    with running(chain()) as network:
        ping(network, "alice", "web")
        facts = node_facts(network.nodes["s1"], network.now + 5 * MILLISECOND)
    stations = {(row["mac"], row["interface"]) for row in facts["mac_table"]}
    assert (network.port("alice", "eth0").mac.hex(":"), "eth0") in stations
    assert len(stations) == 2
    assert all(row["age_ms"] >= 5 for row in facts["mac_table"])
    assert facts["counters"] == {"flooded": 1, "stations_moved": 0, "stations_refused": 0}
    assert all(interface["addresses"] == [] for interface in facts["interfaces"])


def test_lateness_is_a_histogram_over_powers_of_two() -> None:
    lateness = Lateness()
    assert lateness.summary() == {"samples": 0, "median_us": 0, "p99_us": 0, "max_us": 0}
    for _ in range(98):
        lateness.add(900)
    lateness.add(70_000)
    lateness.add(5_000_000)
    assert lateness.summary() == {
        "samples": 100,
        "median_us": 1,
        "p99_us": 128,
        "max_us": 5000,
    }
    lateness.add(1 << 70)
    assert lateness.percentile_us(100) == 1 << 31
