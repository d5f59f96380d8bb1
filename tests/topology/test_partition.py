"""Smallest cuts, against trying out every set of links."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import plan_of

from netsim.core.errors import InvalidValueError, UnknownNameError
from netsim.topology.plan import LinkPlan, NetworkPlan, NodePlan
from netsim.topology.smallest_cut import smallest_cut

RING = ("alice r1", "r1 r2", "r2 r3", "r3 r1", "r2 web", "r3 web2", "alice r3")


def bare_plan(kinds: str, links: list[tuple[int, int]]) -> NetworkPlan:
    """Nodes n0, n1 … by the first letter of their kinds, and links between them."""
    words = {"c": "computer", "r": "router", "s": "switch"}
    return NetworkPlan(
        "test",
        "test",
        0,
        "",
        tuple(
            NodePlan(f"n{number}", words[kind], ())  # type: ignore[arg-type]
            for number, kind in enumerate(kinds)
        ),
        tuple(
            LinkPlan((f"n{a}", f"eth{index}"), (f"n{b}", f"eth{index}"))
            for index, (a, b) in enumerate(links)
        ),
        {},
    )


def is_apart(
    plan: NetworkPlan, group_a: list[str], group_b: list[str], missing: Collection[int]
) -> bool:
    reached, waiting = set(group_a), list(group_a)
    while waiting:
        here = waiting.pop()
        if plan.node(here).kind == "computer" and here not in group_a:
            continue
        for index, link in enumerate(plan.links):
            ends = (link.a[0], link.b[0])
            if index not in missing and here in ends:
                there = ends[1] if ends[0] == here else ends[0]
                if there not in reached:
                    reached.add(there)
                    waiting.append(there)
    return not reached & set(group_b)


def tried_out(
    plan: NetworkPlan, group_a: list[str], group_b: list[str], unusable: set[int]
) -> list[int]:
    usable = [index for index in range(len(plan.links)) if index not in unusable]
    return next(
        list(cut)
        for size in range(len(usable) + 1)
        for cut in combinations(usable, size)
        if is_apart(plan, group_a, group_b, {*cut, *unusable})
    )


@st.composite
def partitions(draw: st.DrawFn) -> tuple[NetworkPlan, list[str], list[str], set[int]]:
    kinds = draw(st.text("rrsc", min_size=2, max_size=7))
    node = st.integers(0, len(kinds) - 1)
    pairs = st.tuples(node, node).filter(lambda pair: pair[0] != pair[1])
    links = draw(st.lists(pairs, max_size=10))
    names = draw(st.permutations([f"n{number}" for number in range(len(kinds))]))
    first = draw(st.integers(1, len(names) - 1))
    second = draw(st.integers(first + 1, len(names)))
    unusable = draw(st.sets(st.integers(0, 9), max_size=2))
    return bare_plan(kinds, links), names[:first], names[first:second], unusable


@settings(max_examples=150)
@given(partitions())
def test_the_cut_is_the_first_of_the_smallest(
    case: tuple[NetworkPlan, list[str], list[str], set[int]],
) -> None:
    assert smallest_cut(*case) == tried_out(*case)


def test_ties_go_by_the_order_of_the_file() -> None:
    plan = plan_of("alice r1", "r1 r2", "r2 web")
    assert smallest_cut(plan, ["alice"], ["web"]) == [0]
    assert smallest_cut(plan, ["alice", "r1"], ["web"]) == [1]
    assert smallest_cut(plan, ["web"], ["alice"], [0]) == []


def test_nothing_leads_through_a_computer() -> None:
    plan = plan_of("alice bob", "bob web", "alice r1", "r1 web")
    assert smallest_cut(plan, ["alice"], ["web"]) == [2]
    assert smallest_cut(plan, ["alice"], ["web", "bob"]) == [0, 2]


def test_parallel_links_are_cut_together() -> None:
    plan = plan_of("alice r1", "r1 r2", "r1 r2", "r2 web", "r2 bob", "r2 eve")
    assert smallest_cut(plan, ["r1"], ["r2"]) == [1, 2]
    assert smallest_cut(plan, ["alice", "r1"], ["web", "bob", "eve"]) == [1, 2]


def test_a_large_network_is_cut_at_once() -> None:
    size = 40
    links = [
        (y * size + x, (y + dy) * size + x + dx)
        for y in range(size)
        for x in range(size)
        for dx, dy in ((1, 0), (0, 1))
        if x + dx < size and y + dy < size
    ]
    plan = bare_plan("r" * size * size, links)
    assert len(smallest_cut(plan, ["n0"], [f"n{size * size - 1}"])) == 2


@pytest.mark.parametrize(
    ("groups", "error", "text"),
    [
        ((["alice"], ["alice", "web"]), InvalidValueError, "alice is in both groups"),
        (([], ["web"]), InvalidValueError, "a group has no node"),
        ((["alise"], ["web"]), UnknownNameError, "no node 'alise'; write `alice`"),
    ],
)
def test_groups_that_make_no_sense(
    groups: tuple[list[str], list[str]], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        smallest_cut(plan_of(*RING), *groups)
