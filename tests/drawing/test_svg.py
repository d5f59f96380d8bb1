"""SVG pictures: complete, the same every time, and nothing in them covers anything else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx
import pytest
from plans import chain, plan_of

from netsim.drawing.geometry import Box, text_width
from netsim.drawing.layout import lay_out
from netsim.drawing.picture import picture_of
from netsim.drawing.svg import MOST_FIGURES, TooLargeError, to_svg
from netsim.topology.generators import generate
from netsim.topology.load_topology import load_plan
from netsim.topology.make_plan import make_plan

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
SIZES = {"title": 24, "subtitle": 13, "name": 13, "prefix": 13, "end": 10}
BOLD = {"title", "name", "prefix", "subnet", "count"}

FILES = {
    name: load_plan(ROOT / "topologies" / f"{name}.yaml")
    for name in ("home", "office", "campus", "wan")
}
GENERATED = {
    f"{kind} {size}": generate(kind, [size])
    for kind, size in (("linear", 20), ("ring", 7), ("random", 16))
}
RING = [f"r{n} r{(n + 1) % 6} delay=2ms" for n in range(6)]
PLANS = FILES | {
    "chain": chain(),
    "pair": plan_of("alice bob delay=1ms"),
    "ring with lans": plan_of(
        *RING, *(f"s{n} r{n}" for n in range(6)), *(f"c{n}x s{n}" for n in range(6))
    ),
    "tree of switches": plan_of(
        "s1 s2 delay=1ms", "s2 s3", "s1 s4", "r1 s1", "a s2", "b s3", "c s4"
    ),
    "star": make_plan(networkx.star_graph(50)),
    "tree": make_plan(networkx.balanced_tree(2, 3)),
    "many leaves": plan_of("s1 r1", *(f"{letter}x s1 delay=1ms" for letter in "abcdefghijklm")),
    "at two networks": plan_of("m s1", "m s2", "a s1", "b s2", "s1 r1", "s2 r1"),
    "grid": make_plan(networkx.grid_2d_graph(3, 3)),
    **{name: plan_of(*map(" ".join, shape.links)) for name, shape in GENERATED.items()},
}


@cache
def drawn(name: str) -> str:
    return to_svg(picture_of(PLANS[name]))


def test_a_router_shows_the_addresses_of_its_loopback(tmp_path: Path) -> None:
    file = tmp_path / "lo.yaml"
    file.write_text(
        "name: lo\nnodes:\n  r1: {kind: router, address: {lo: [10.255.0.1/32, 10.255.0.2/32]}}\n"
        "  r2: {kind: router}\nlinks: [[r1, r2]]\n"
    )
    svg = to_svg(picture_of(load_plan(file)))
    assert re.findall(r">(lo [\d.]+)<", svg) == ["lo 10.255.0.1", "lo 10.255.0.2"]


def texts_of(svg: str) -> Iterator[tuple[str, str, Box]]:
    """Style, words and place of each line of text behind the title."""
    root = ElementTree.fromstring(svg)
    group = root.find(f"{SVG}g")
    assert group is not None
    for text in group.iter(f"{SVG}text"):
        style, words = text.get("class", ""), text.text or ""
        size = SIZES.get(style, 11)
        width = text_width(words, size, bold=style in BOLD) * 0.85  # as browsers set it
        x, y = float(text.get("x", "")), float(text.get("y", ""))
        anchor = re.search(r"text-anchor:(\w+)", text.get("style", ""))
        left = {"start": x, "end": x - width}.get(anchor[1] if anchor else "", x - width / 2)
        yield style, words, Box(left, y - 0.7 * size, left + width, y + 0.1 * size)


@pytest.mark.parametrize("name", PLANS)
def test_no_text_covers_another_and_no_figure_stands_in_another(name: str) -> None:
    texts = list(texts_of(drawn(name)))
    covered = [
        (one[1], other[1]) for one, other in combinations(texts, 2) if one[2].overlaps(other[2])
    ]
    assert covered == []
    layout = lay_out(picture_of(PLANS[name]))
    for one, other in combinations(layout.items.values(), 2):
        assert not one.box.overlaps(other.box)
    assert layout.faults() == 0


@pytest.mark.parametrize("name", PLANS)
def test_everything_is_inside_and_has_its_words(name: str) -> None:
    plan = PLANS[name]
    picture = picture_of(plan)
    svg = drawn(name)
    root = ElementTree.fromstring(svg)
    words = [words for _, words, _ in texts_of(svg)]
    for figure in picture.figures:
        assert words.count(figure.name) == 1
    for subnet in picture.subnets:
        assert words.count(subnet.prefix) == 1
    for node in plan.nodes:
        for port in node.ports:
            assert f"{port.listen_host}:{port.listen_port} → {port.host}:{port.port}" in words
    _, _, width, height = map(float, root.get("viewBox", "").split())
    group = root.find(f"{SVG}g")
    assert group is not None
    shift_x, shift_y = map(float, re.findall(r"[-\d.]+", group.get("transform", "")))
    for _, _, box in texts_of(svg):
        assert 0 < box.left + shift_x < box.right + shift_x < width
        assert 60 < box.top + shift_y < box.bottom + shift_y < height


def test_icons_tell_kinds_apart() -> None:
    root = ElementTree.fromstring(drawn("campus"))
    found: dict[str, list[str]] = {}
    for icon in root.iter(f"{SVG}g"):
        title = icon.find(f"{SVG}title")
        if title is not None:
            found.setdefault(icon.get("class", ""), []).append((title.text or "").split(" (")[0])
    assert found == {
        "computer": ["alice", "bob"],
        "computers": ["lab-1 … lab-20"],
        "server": ["web", "files"],
        "switch": ["s1", "s2", "s3"],
        "router": ["r1", "r2", "r3", "r4"],
    }


def test_the_picture_of_the_campus_in_the_documentation_is_this_one() -> None:
    assert (ROOT / "docs" / "campus.svg").read_text(encoding="utf-8") == drawn("campus")


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_picture_does_not_depend_on_hash_seeds(seed: str) -> None:
    program = (
        "from netsim.topology.load_topology import load_plan\n"
        "from netsim.drawing.picture import picture_of\n"
        "from netsim.drawing.svg import to_svg\n"
        "print(to_svg(picture_of(load_plan('topologies/wan.yaml'))), end='')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=ROOT,
    )
    assert run.stdout == drawn("wan")


@pytest.mark.parametrize(
    "graph",
    [
        networkx.petersen_graph(),
        networkx.complete_graph(6),
        networkx.MultiGraph([(0, 1), (0, 1), (0, 1), (1, 2), (2, 0)]),
        networkx.path_graph(1),
        networkx.connected_watts_strogatz_graph(120, 4, 0.1, seed=1),
    ],
    ids=["petersen", "complete", "parallel", "alone", "large"],
)
def test_any_network_can_be_drawn(graph: networkx.Graph[Any]) -> None:
    plan = make_plan(graph)
    svg = to_svg(picture_of(plan))
    words = [words for _, words, _ in texts_of(svg)]
    assert {node.name for node in plan.nodes} <= set(words)


def test_what_nobody_could_read_is_refused() -> None:
    plan = plan_of(*(f"c{number}x s1" for number in range(MOST_FIGURES)))
    with pytest.raises(TooLargeError, match="too many for a picture"):
        to_svg(picture_of(plan))


def test_text_is_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "<b>&co"
    folder.mkdir()
    nodes = {"a": {"services": {80: {"files": str(folder)}}}}
    svg = to_svg(picture_of(plan_of("a b", nodes=nodes)))
    assert ":80 <b>&co/" in [words for _, words, _ in texts_of(svg)]
