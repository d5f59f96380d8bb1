"""What stands in a picture: figures, groups, subnets, and the words beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx
import pytest
from plans import plan_of

from netsim.drawing import captions
from netsim.drawing.picture import Picture, picture_of
from netsim.drawing.plan_facts import facts_of
from netsim.drawing.tree import middle, tree_rows
from netsim.topology.load_topology import load_plan
from netsim.topology.make_plan import make_plan

TOPOLOGIES = Path(__file__).parents[2] / "topologies"


@pytest.fixture(scope="module")
def campus() -> Picture:
    return picture_of(load_plan(TOPOLOGIES / "campus.yaml"))


def tree_of(picture: Picture) -> list[str]:
    return [f"{row.branch}{row.name}" for row in tree_rows(picture)]


def test_a_lab_is_one_figure(campus: Picture) -> None:
    names = [figure.name for figure in campus.figures]
    assert names[:3] == ["alice", "bob", "lab-1 … lab-20"]
    assert len(names) == 12
    lab = campus.figures[2]
    assert captions.addresses(lab) == ["10.0.2.10 … 10.0.2.29"]
    (line,) = [line for line in campus.lines if line.a == 2]
    assert len(line.links) == 20
    assert campus.caption() == "31 nodes, 31 links, 7 subnets"


@pytest.mark.parametrize(
    "difference",
    [
        {"ports": ["127.0.0.1:0:c1:80"]},
        {"services": {80: "netsim.services.httpbin:create_app"}},
        {"env": {"A": "b"}},
    ],
)
def test_only_computers_that_are_alike_are_one_figure(difference: dict[str, object]) -> None:
    links = [f"c{number} s1" for number in range(1, 13)]
    assert [figure.name for figure in picture_of(plan_of(*links)).figures] == ["c1 … c12", "s1"]
    plan = plan_of(*links, nodes={"c7": difference})
    assert [figure.name for figure in picture_of(plan).figures] == [
        "c1 … c6",
        "s1",
        "c7",
        "c8 … c12",
    ]


def test_figures_of_a_group_share_link_and_stem_and_follow_each_other() -> None:
    def names(*links: str) -> list[str]:
        return [
            figure.name for figure in picture_of(plan_of(*links)).figures if figure.kind[0] == "c"
        ]

    assert names(*(f"c{n} s1" for n in range(1, 5))) == ["c1", "c2", "c3", "c4"]
    delays = [f"c{n} s1 delay={1 if n < 6 else 2}ms" for n in range(1, 11)]
    assert names(*delays) == ["c1 … c5", "c6 … c10"]
    switches = [f"c{n} s{1 if n < 6 else 2}" for n in range(1, 11)]
    assert names(*switches, "s1 s2") == ["c1 … c5", "c6 … c10"]
    assert names(*(f"c{n} s1" for n in (1, 2, 3, 5, 6, 7))) == ["c1", "c2", "c3", "c5", "c6", "c7"]
    assert names(*(f"{stem} s1" for stem in ("a1", "b2", "c3", "d4", "e5"))) != ["a1 … e5"]


def test_alike_computers_at_a_router_have_a_subnet_each() -> None:
    picture = picture_of(make_plan(networkx.star_graph(30)))
    assert [figure.name for figure in picture.figures] == ["0", "1 … 30"]
    assert [subnet.prefix for subnet in picture.subnets] == ["10.0.1.0/24 … 10.0.30.0/24"]
    assert picture.caption() == "31 nodes, 30 links, 30 subnets"


def test_connected_switches_are_one_subnet() -> None:
    picture = picture_of(
        plan_of("a s1", "s1 s2", "s2 s3", "s3 b", "s2 r1", "r1 c", "r1 s4", "s4 d")
    )
    found = {
        subnet.prefix: [picture.figures[switch].name for switch in subnet.switches]
        for subnet in picture.subnets
    }
    assert found == {"10.0.1.0/24": ["s1", "s2", "s3"], "10.0.2.0/24": [], "10.0.3.0/24": ["s4"]}
    inside = {
        picture.figures[figure].name: picture.subnets[subnet].prefix
        for figure, subnet in picture.switched_subnet_of_figures().items()
    }
    assert inside == dict.fromkeys(["a", "s1", "s2", "s3", "b"], "10.0.1.0/24") | dict.fromkeys(
        ["s4", "d"], "10.0.3.0/24"
    )


def test_words_of_a_link() -> None:
    picture = picture_of(load_plan(TOPOLOGIES / "wan.yaml"))
    words = {
        f"{picture.figures[line.a].name} {picture.figures[line.b].name}": captions.line_words(
            picture, line
        )
        for line in picture.lines
    }
    assert words["berlin r-berlin"] == ["1gbit 1ms"]
    assert words["r-berlin r-boston"] == ["20mbit 45ms±2ms loss 0.1% queue 256KiB"]
    assert words["r-boston r-tokyo"] == ["10mbit 80ms±5ms bursts 0.5%/20% queue 256KiB"]
    assert words["r-berlin r-tokyo"] == [
        "120ms",
        "r-berlin → 5mbit loss 0.5%",
        "r-tokyo → 2mbit loss 1%",
    ]


def test_every_attribute_of_a_link_has_words() -> None:
    all_of_them = "jitter=1ms duplicate=1% reorder=2% corrupt=3% overhead=24B queue=7 mtu=9000"
    picture = picture_of(plan_of(f"a b {all_of_them}", "b r1", "b r1"))
    assert captions.line_words(picture, picture.lines[0]) == [
        "jitter 1ms duplicate 1% reorder 2% corrupt 3% overhead 24B queue 7 mtu 9000"
    ]
    assert captions.line_words(picture, picture.lines[1]) == []


@pytest.mark.parametrize(
    ("words", "caption"),
    [
        (
            {"delay": "20ms", "jitter": {"spread": "5ms", "distribution": "normal"}},
            "20ms±5ms normal",
        ),
        ({"delay": "20ms", "jitter": {"spread": "5ms", "reorder": True}}, "20ms±5ms"),
        ({"jitter": {"spread": "5ms", "distribution": "pareto"}}, "jitter 5ms pareto"),
    ],
)
def test_long_forms_have_short_words(words: dict[str, Any], caption: str) -> None:
    graph: networkx.MultiGraph[str] = networkx.MultiGraph(name="two")
    graph.add_edge("a", "b", **words)
    picture = picture_of(make_plan(graph))
    assert captions.line_words(picture, picture.lines[0]) == [caption]


def test_short_addresses() -> None:
    def of(address: str) -> str:
        plan = plan_of("a r1", nodes={"r1": {"address": address}})
        return captions.short_address(plan.node("r1").interfaces[0])

    assert of("10.0.3.1/24") == ".1"
    assert of("10.0.3.1/30") == ".1"
    assert of("10.0.3.1/16") == ".3.1"
    assert of("10.0.3.1/23") == ".3.1"
    assert of("10.0.3.1/8") == ".0.3.1"


def test_the_tree_grows_from_the_middle(campus: Picture) -> None:
    assert tree_of(campus) == [
        "r1",
        "├── s1",
        "│   ├── alice",
        "│   └── bob",
        "├── s2",
        "│   └── lab-1 … lab-20",
        "├── r2",
        "│   ├── s3",
        "│   │   ├── web",
        "│   │   └── files",
        "│   └── r3",
        "│       └── → r4",
        "└── r4",
    ]
    rows = {row.name: row for row in tree_rows(campus)}
    assert rows["alice"].facts == "10.0.1.10  127.0.0.1:8080 → web:80"
    assert rows["web"].facts == "10.0.3.10  :80 httpbin"
    assert rows["r1"].facts == "eth0 10.0.1.1  eth1 10.0.2.1  eth2 10.0.4.1  eth3 10.0.6.1"
    assert rows["s1"].link == "10.0.1.0/24; 1gbit 200us"
    assert rows["alice"].link == "1gbit 200us"
    assert rows["→ r4"].link == "10.0.7.0/24; 1gbit 2ms"


@pytest.mark.parametrize(
    "graph",
    [
        networkx.path_graph(2),
        networkx.cycle_graph(7),
        networkx.complete_graph(6),
        networkx.petersen_graph(),
        networkx.MultiGraph([(0, 1), (0, 1), (0, 1), (1, 2)]),
        networkx.path_graph(300),
    ],
    ids=["pair", "cycle", "complete", "petersen", "parallel", "long"],
)
def test_the_tree_tells_every_node_and_link_once(graph: networkx.Graph[int]) -> None:
    picture = picture_of(make_plan(graph))
    rows = tree_rows(picture)
    nodes = [row.name for row in rows if row.kind]
    loops = [row for row in rows if not row.kind]
    assert sorted(nodes) == sorted(figure.name for figure in picture.figures)
    assert len(nodes) - 1 + len(loops) == len(picture.lines)


def test_the_middle_is_a_router_where_there_is_one() -> None:
    def name(*links: str) -> str:
        picture = picture_of(plan_of(*links))
        return picture.figures[middle(picture)].name

    assert name("a s1", "b s1", "s1 s2", "s2 r1", "r1 c") == "r1"
    assert name("a s1", "s1 s2", "s2 s3", "s3 b") == "s2"
    assert name("a b") == "a"
    assert name(*(f"r{n} r{n + 1}" for n in range(1, 5))) == "r3"


def test_one_node_is_a_network() -> None:
    graph: networkx.Graph[str] = networkx.Graph()
    graph.add_node("alone", kind="switch")
    picture = picture_of(make_plan(graph))
    assert tree_of(picture) == ["alone"]
    assert picture.caption() == "1 node, 0 links, 0 subnets"


def test_the_document_has_both_directions_of_a_link() -> None:
    facts = facts_of(load_plan(TOPOLOGIES / "wan.yaml"))
    link = facts["links"][5]
    assert (link["a"]["node"], link["b"]["node"]) == ("r-berlin", "r-tokyo")
    assert [link[way]["bandwidth_bps"] for way in ("a_to_b", "b_to_a")] == [5_000_000, 2_000_000]
    burst = facts["links"][4]["a_to_b"]["loss"]
    assert burst == {"p": 0.005, "r": 0.2, "loss_bad": 1.0, "loss_good": 0.0}
    assert facts["subnets"][0] == {"prefix": "10.0.1.0/24", "nodes": ["berlin", "r-berlin"]}
