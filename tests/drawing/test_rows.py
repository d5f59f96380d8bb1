"""What forms one line, or a ring, is drawn in rows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from netsim.drawing.grid import UP, Spot
from netsim.drawing.rows import in_rows


def line(count: int) -> list[tuple[int, int]]:
    return [(place, place + 1) for place in range(count - 1)]


def rows(spots: Sequence[Spot]) -> list[list[int]]:
    """Figures from left to right, from the top."""
    found: dict[int, list[tuple[int, int]]] = {}
    for figure, spot in enumerate(spots):
        found.setdefault(spot.row, []).append((spot.column, figure))
    return [[figure for _, figure in sorted(found[row])] for row in sorted(found)]


def test_a_short_line_is_one_row_from_the_end_that_comes_first() -> None:
    spots = in_rows(5, [(1, 0), (2, 1), (2, 3), (3, 4)])
    assert spots is not None
    assert rows(spots) == [[0, 1, 2, 3, 4]]


def test_a_long_line_is_folded_and_nothing_hangs_in_the_way_at_the_fold() -> None:
    spots = in_rows(20, line(20))
    assert spots is not None
    assert rows(spots) == [list(range(10)), list(range(19, 9, -1))]
    assert [figure for figure, spot in enumerate(spots) if spot.side == UP] == [9]


@pytest.mark.parametrize(
    ("count", "drawn"),
    [(4, [[0, 1], [3, 2]]), (7, [[0, 1, 2, 3], [6, 5, 4]])],
)
def test_a_ring_goes_round_clockwise_with_upright_ends(count: int, drawn: list[list[int]]) -> None:
    spots = in_rows(count, [*line(count), (count - 1, 0)])
    assert spots is not None
    assert rows(spots) == drawn
    above, below = drawn
    assert spots[above[0]].column == spots[below[0]].column
    assert spots[above[-1]].column == spots[below[-1]].column


@pytest.mark.parametrize(
    ("count", "edges"),
    [
        (3, [*line(3), (2, 0)]),  # few enough for the grid
        (5, [*line(4), (1, 4)]),  # a branch
        (5, [*line(4), (3, 0), (0, 4)]),  # a ring with a tail
    ],
)
def test_what_is_neither_line_nor_ring_stays_on_the_grid(
    count: int, edges: list[tuple[int, int]]
) -> None:
    assert in_rows(count, edges) is None
