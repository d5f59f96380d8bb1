"""Fabrics and trees of switches are drawn in layers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netsim.drawing.layers import layered
from netsim.drawing.layout import Layout, lay_out
from netsim.drawing.picture import Picture, picture_of
from netsim.drawing.svg import to_svg
from netsim.topology.generators import Words, generate, to_yaml
from netsim.topology.load_topology import load_plan


def picture(folder: Path, kind: str, *sizes: int, **link: str) -> Picture:
    file = folder / "net.yaml"
    file.write_text(to_yaml(generate(kind, list(sizes)), Words("net", "", link)))
    return picture_of(load_plan(file))


def rows_of(picture: Picture, layout: Layout) -> list[list[str]]:
    """Names from left to right in each row, from the top."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for item in layout.items.values():
        rows.setdefault(round(item.y), []).append((item.x, picture.figures[item.figure].name))
    return [[name for _, name in sorted(rows[row])] for row in sorted(rows)]


def test_a_clos_has_its_spines_above_its_leaves(tmp_path: Path) -> None:
    fabric = picture(tmp_path, "clos", 4, 8, 2)
    layout = lay_out(fabric)
    assert rows_of(fabric, layout) == [
        [f"spine{number}" for number in range(1, 5)],
        [f"leaf{number}" for number in range(1, 9)],
    ]
    outline = layout.outline()
    assert outline.right - outline.left > 1.5 * (outline.bottom - outline.top)


def test_what_all_lines_of_a_fabric_do_is_said_once(tmp_path: Path) -> None:
    svg = to_svg(picture(tmp_path, "clos", 4, 8, 2, delay="7ms"))
    (subtitle,) = re.findall(r'class="subtitle"[^>]*>([^<]*)<', svg)
    assert subtitle.endswith(" · between layers 10.0.1.0/24 … 10.0.32.0/24 7ms")
    assert svg.count(">10.0.1.0/24<") == 0
    assert svg.count(">10.0.33.0/24<") == 1


def test_a_tree_of_switches_grows_from_its_root(tmp_path: Path) -> None:
    tree = picture(tmp_path, "tree", 3, 3)
    layout = lay_out(tree)
    assert rows_of(tree, layout)[0] == ["s1"]
    lines = [(layout.items[line.a], layout.items[line.b]) for line in layout.lines]
    assert all(a.y < b.y for a, b in lines)
    assert not layout.faults()


def fat_tree(pods: int) -> tuple[int, list[tuple[int, int]], list[bool]]:
    """Two edge and two aggregation switches in each pod, four cores."""
    edges = []
    for pod in range(pods):
        low, high = [pod * 4, pod * 4 + 1], [pod * 4 + 2, pod * 4 + 3]
        edges += [(a, b) for a in low for b in high]
        edges += [(high[each], pods * 4 + 2 * each + core) for each in (0, 1) for core in (0, 1)]
    trays = [place < pods * 4 and place % 4 < 2 for place in range(pods * 4 + 4)]
    return pods * 4 + 4, edges, trays


def test_a_fat_tree_has_three_layers() -> None:
    count, edges, trays = fat_tree(4)
    layers = layered(count, edges, trays)
    assert layers is not None
    assert layers.is_fabric
    assert [spot.row for spot in layers.spots[:4]] == [2, 2, 1, 1]
    assert {spot.row for spot in layers.spots[16:]} == {0}
    assert len({spot[:2] for spot in layers.spots}) == count


@pytest.mark.parametrize(
    ("edges", "trays"),
    [
        ([(0, 1), (1, 2), (2, 0)], [True, True, False]),  # a line within a layer
        ([(0, 1), (1, 2), (2, 3), (3, 0)], [True, False, True, False]),  # few lines
        ([(0, 1)], [False, False]),  # nothing hangs anywhere
        ([(0, 1)], [True, True]),
    ],
)
def test_what_is_no_fabric_stays_on_the_grid(
    edges: list[tuple[int, int]], trays: list[bool]
) -> None:
    assert layered(len(trays), edges, trays) is None
