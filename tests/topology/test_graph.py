from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx
import pytest

from netsim import InvalidGraphError, NetsimError, load_graph, make_plan
from netsim.topology.load_topology import load_plan

TOPOLOGIES = Path(__file__).parents[2] / "topologies"

ASYMMETRIC = """\
name: odd
seed: 3
nodes:
  a: {kind: computer, address: 10.0.9.9/24, env: {A: b}, run: {call: m:f, args: {x: 1}}}
  r: {kind: router, address: {out: 10.0.9.1/24}, routes: [{to: 10.7.0.0/16, via: q}]}
  q: {kind: router, gateway: 10.0.4.2}
  p: {kind: router, address: {eth0: 10.0.4.2/24}}
links:
  - {endpoints: ["a", "r:out"], egress: {a: {bandwidth: 1mbit, loss: 1%}, r: {queue: 64KiB}}}
  - {endpoints: [q, r], loss: {gilbert_elliott: {p: 1%, r: 20%}}, mtu: 9000, delay: 1.5ms}
  - {endpoints: [q, p], delay: 7us, egress: {p: {delay: 0ms}}}
  - {endpoints: [q, r], jitter: {spread: 1us, distribution: normal}}
"""


@pytest.mark.parametrize("name", ["home", "office", "campus", "wan"])
def test_the_graph_of_a_file_is_the_same_network(name: str) -> None:
    file = TOPOLOGIES / f"{name}.yaml"
    assert make_plan(load_graph(file)) == load_plan(file)


def test_the_graph_of_odd_words_is_the_same_network(tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(ASYMMETRIC)
    graph = load_graph(file)
    assert make_plan(graph) == load_plan(file)
    assert make_plan(graph.copy()) == load_plan(file)


def test_nodes_and_edges_carry_the_checked_words() -> None:
    graph = load_graph(TOPOLOGIES / "campus.yaml")
    assert isinstance(graph, networkx.MultiGraph)
    assert graph.nodes["web"]["address"] == "10.0.3.10/24"
    assert graph.nodes["lab-20"] == {"kind": "computer"}
    edge = graph.edges["r1", "r2", 0]
    assert (edge["delay"], edge["bandwidth"]) == ("2ms", "1gbit")
    length = networkx.shortest_path_length(graph, "alice", "web", weight="delay_ns")
    assert length == 2_800_000


def test_a_changed_graph_is_a_changed_network() -> None:
    graph = load_graph(TOPOLOGIES / "campus.yaml")
    graph.edges["r1", "r2", 0]["delay"] = "50ms"
    graph.remove_node("bob")
    plan = make_plan(graph, seed=9, name="altered")
    assert (plan.name, plan.seed) == ("altered", 9)
    assert "bob" not in plan.hosts
    (way,) = [each for each in plan.node("r1").interfaces if each.peer == "r2"]
    assert way.egress.delay_ns == 50_000_000


def test_any_graph_becomes_a_network() -> None:
    plan = make_plan(networkx.grid_2d_graph(3, 2))
    assert [node.name for node in plan.nodes] == ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"]
    assert {node.kind for node in plan.nodes} == {"router"}
    plan = make_plan(networkx.star_graph(3))
    assert [node.kind for node in plan.nodes] == ["router", "computer", "computer", "computer"]
    assert (plan.name, plan.file) == ("graph", "")


def test_parallel_links_and_attributes_of_others() -> None:
    graph: networkx.MultiGraph[str] = networkx.MultiGraph(name="Two Ways")
    graph.add_edge("New York", "Oslo", delay="40ms", weight=3, pos=(1, 2))
    graph.add_edge("New York", "Oslo", delay="45ms", egress={"oslo": {"loss": "1%"}})
    plan = make_plan(graph)
    assert plan.name == "two-ways"
    assert [each.egress.delay_ns for each in plan.node("new-york").interfaces] == [
        40_000_000,
        45_000_000,
    ]
    assert [each.egress.loss for each in plan.node("oslo").interfaces] == [0.0, 0.01]


def test_mistakes_in_a_graph_are_all_named() -> None:
    graph: networkx.Graph[str] = networkx.Graph()
    graph.add_edge("a", "b", delay=5)
    graph.add_edge("b", "c", dealy="5ms", bw=10)
    graph.add_edge("c", "d", endpoints=["c:eth0", "x"])
    graph.nodes["a"]["kind"] = "host"
    graph.add_node("A")
    with pytest.raises(InvalidGraphError) as caught:
        make_plan(graph)
    assert isinstance(caught.value, NetsimError)
    text = "\n".join(caught.value.mistakes)
    assert "link a–b `delay`: `5` has no unit" in text
    assert "link b–c `dealy`: unknown attribute; write `delay`" in text
    assert "link b–c `bw`: unknown attribute; write `bandwidth`" in text
    assert "node a `kind`: `host` is no kind" in text
    assert "node a: two nodes have this name" in text
    assert "link c–d `endpoints`: the ends are c and d" in text


def test_an_edge_of_a_directed_graph_is_a_direction() -> None:
    graph: networkx.DiGraph[str] = networkx.DiGraph(name="one way")
    graph.add_edge("Home", "isp", bandwidth="10mbit", delay="5ms", mtu=1400)
    graph.add_edge("isp", "web", delay="2ms")
    graph.add_edge("isp", "Home", bandwidth="100mbit", delay="5ms", loss="1%")
    plan = make_plan(graph)
    assert plan.name == "one-way"
    assert [(link.a[0], link.b[0]) for link in plan.links] == [("home", "isp"), ("isp", "web")]
    (up,), (down, on), (back,) = (plan.node(name).interfaces for name in ("home", "isp", "web"))
    assert (up.egress.bandwidth_bps, up.egress.loss, up.egress.mtu) == (10_000_000, 0.0, 1400)
    assert (down.egress.bandwidth_bps, down.egress.loss, down.egress.mtu) == (
        100_000_000,
        0.01,
        1400,
    )
    assert on.egress == back.egress
    assert on.egress.delay_ns == 2_000_000
    assert [node.kind for node in plan.nodes] == ["computer", "router", "computer"]


def test_parallel_edges_of_a_directed_graph_are_paired_in_order() -> None:
    graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
    for delay in ("1ms", "2ms"):
        graph.add_edge("a", "b", delay=delay)
    for delay in ("3ms", "4ms", "5ms"):
        graph.add_edge("b", "a", delay=delay)
    plan = make_plan(graph)
    delays = [
        [interface.egress.delay_ns // 1_000_000 for interface in plan.node(name).interfaces]
        for name in ("a", "b")
    ]
    assert delays == [[1, 2, 5], [3, 4, 5]]


def test_mistakes_in_a_directed_graph_are_named() -> None:
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edge("a", "b", dealy="5ms")
    graph.add_edge("b", "a", loss="5")
    graph.add_edge("b", "b")
    with pytest.raises(InvalidGraphError) as caught:
        make_plan(graph)
    text = "\n".join(caught.value.mistakes)
    assert "`dealy`: unknown attribute; write `delay`" in text
    assert "`5` has no unit" in text
    assert "`b` is linked to itself" in text


def test_what_is_no_graph_is_refused() -> None:
    nodes: Any = {"a": ["b"]}
    with pytest.raises(InvalidGraphError, match="a dict is no network; write a path"):
        make_plan(nodes)


def test_a_plan_under_another_name_and_seed() -> None:
    plan = make_plan(networkx.path_graph(3))
    other = make_plan(plan, name="other", seed=9)
    assert (other.name, other.seed, other.nodes) == ("other", 9, plan.nodes)
    assert make_plan(plan) == plan
