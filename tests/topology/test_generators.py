"""Generated topology files: valid, of the right shape, the same for the same command."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest

from netsim.core.errors import InvalidValueError
from netsim.topology.generators import MOST_NODES, Words, generate, to_yaml
from netsim.topology.load_topology import load_plan
from netsim.topology.plan import NetworkPlan


def planned(folder: Path, kind: str, *sizes: int, **options: int) -> NetworkPlan:
    """The plan of the file, which has no doubtful thing in it."""
    shape = generate(kind, list(sizes), **options)
    file = folder / "net.yaml"
    file.write_text(to_yaml(shape, Words("net", "netsim generate", {"delay": "5ms"})))
    plan = load_plan(file)
    assert not plan.warnings
    return plan


def graph_of(plan: NetworkPlan) -> networkx.Graph[str]:
    graph: networkx.Graph[str] = networkx.Graph()
    graph.add_edges_from((link.a[0], link.b[0]) for link in plan.links)
    return graph


@pytest.mark.parametrize(
    ("kind", "sizes", "nodes", "links", "last"),
    [
        ("linear", (1,), 2, 1, "h1"),
        ("linear", (3,), 6, 5, "h3"),
        ("tree", (1, 2), 3, 2, "h2"),
        ("tree", (2, 2), 7, 6, "h4"),
        ("tree", (3, 3), 40, 39, "h27"),
        ("ring", (3,), 6, 6, "h3"),
        ("clos", (4, 8, 2), 28, 48, "h16"),
        ("clos", (2, 3, 0), 5, 6, "leaf3"),
        ("random", (2,), 4, 3, "h2"),
        ("random", (20,), 40, 49, "h20"),
    ],
)
def test_sizes(
    tmp_path: Path, kind: str, sizes: tuple[int, ...], nodes: int, links: int, last: str
) -> None:
    plan = planned(tmp_path, kind, *sizes)
    assert (len(plan.nodes), len(plan.links), plan.nodes[-1].name) == (nodes, links, last)
    assert networkx.is_connected(graph_of(plan))


def test_more_hosts(tmp_path: Path) -> None:
    plan = planned(tmp_path, "linear", 2, hosts=3)
    graph = graph_of(plan)
    assert sorted(graph["s1"]) == ["h1", "h2", "h3", "s2"]
    assert sorted(graph["s2"]) == ["h4", "h5", "h6", "s1"]


def test_the_shapes(tmp_path: Path) -> None:
    ring = graph_of(planned(tmp_path, "ring", 6, hosts=0))
    assert all(degree == 2 for _, degree in ring.degree())
    fabric = graph_of(planned(tmp_path, "clos", 3, 5, 1))
    for leaf in range(1, 6):
        assert set(fabric[f"leaf{leaf}"]) == {"spine1", "spine2", "spine3", f"h{leaf}"}
    tree = graph_of(planned(tmp_path, "tree", 2, 3))
    assert set(tree["s1"]) == {"s2", "s3", "s4"}
    assert set(tree["s2"]) == {"s1", "h1", "h2", "h3"}


def test_what_is_drawn_comes_from_the_seed() -> None:
    links = [generate("random", [20], seed=seed).links for seed in (0, 1, 1)]
    assert links[0] != links[1]
    assert links[1] == links[2]
    assert generate("random", [20]).links == links[0]


@pytest.mark.parametrize(
    ("kind", "sizes", "options", "text"),
    [
        ("linear", [], {}, "linear takes 1 number; write `linear N`"),
        ("clos", [4, 8], {}, "clos takes 3 numbers; write `clos SPINES LEAVES HOSTS`"),
        ("ring", [2], {}, "N of ring is 2; write 3 or more"),
        ("tree", [2, 2], {"hosts": 1}, "tree takes no --hosts; FANOUT computers stand at"),
        ("clos", [2, 2, 2], {"hosts": 1}, "clos takes no --hosts; HOSTS is its third number"),
        ("ring", [4], {"seed": 1}, "nothing of ring is drawn; leave --seed out"),
        ("linear", [MOST_NODES], {}, "that is more than 10,000 nodes or links"),
        ("tree", [10**9, 2], {}, "that is more than 10,000 nodes or links"),
        ("tree", [9, 10**9], {}, "that is more than 10,000 nodes or links"),
        ("clos", [200, 200, 0], {}, "that is more than 10,000 nodes or links"),
        ("random", [5_001], {}, "that is more than 10,000 nodes or links"),
    ],
)
def test_mistakes(kind: str, sizes: list[int], options: dict[str, int], text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        generate(kind, sizes, **options)
    assert str(caught.value).startswith(text)
