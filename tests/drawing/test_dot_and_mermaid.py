"""Pictures in the languages of other tools."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from plans import plan_of

from netsim.drawing.dot import to_dot
from netsim.drawing.mermaid import to_mermaid
from netsim.drawing.picture import picture_of
from netsim.topology.load_topology import load_plan
from netsim.topology.plan import NetworkPlan

TOPOLOGIES = Path(__file__).parents[2] / "topologies"
PLANS = {file.stem: load_plan(file) for file in sorted(TOPOLOGIES.glob("*.yaml"))} | {
    # Words of the languages themselves, and switches without any address.
    "keywords": plan_of("graph end", "end node", "node subgraph", "subgraph r1"),
    "switches": plan_of("s1 s2"),
}

DOT_STRING = r'"(?:[^"\\]|\\.)*"'
DOT_ATTRIBUTES = rf"\[\w+=(?:[\w.]+|{DOT_STRING})(?:, \w+=(?:[\w.]+|{DOT_STRING}))*\]"
DOT_LINE = re.compile(
    rf"(?:graph|node|edge) {DOT_ATTRIBUTES}"
    rf"|{DOT_STRING}(?: -- {DOT_STRING})?(?: {DOT_ATTRIBUTES})?"
    rf"|subgraph cluster_\d+ \{{|\}}"
    rf"|\w+={DOT_STRING}; \w+={DOT_STRING}"
)
MERMAID_TEXT = r'"[^"]*"'
MERMAID_LINE = re.compile(
    rf"subgraph subnet\d+\[{MERMAID_TEXT}\]|end"
    rf"|n\d+(?:\[{MERMAID_TEXT}\]|\[\[{MERMAID_TEXT}\]\]|\(\({MERMAID_TEXT}\)\)):::\w+"
    rf"|n\d+ ---(?:\|{MERMAID_TEXT}\|)? n\d+"
    r"|style subnet\d+ fill:#\w+,stroke:#\w+|classDef \w+ [\w#:,]+"
)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_dot_is_of_its_grammar(plan: NetworkPlan) -> None:
    first, *lines, last = to_dot(picture_of(plan)).splitlines()
    assert (first, last) == (f'graph "{plan.name}" {{', "}")
    for line in lines:
        assert DOT_LINE.fullmatch(line.strip()), line


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_graphviz_lays_it_out(plan: NetworkPlan) -> None:
    picture = picture_of(plan)
    run = subprocess.run(
        ["dot", "-Tplain"], input=to_dot(picture), capture_output=True, encoding="utf-8", check=True
    )
    assert run.stderr == ""
    kinds = [line.split()[0] for line in run.stdout.splitlines()]
    assert kinds.count("node") == len(picture.figures)
    assert kinds.count("edge") == len(picture.lines)


def test_dot_of_the_campus() -> None:
    text = to_dot(picture_of(PLANS["campus"]))
    assert text.count("subgraph cluster_") == 3
    assert r'"alice" [label="alice\n10.0.1.10\n127.0.0.1:8080 → web:80"' in text
    assert r'"lab-1 … lab-20" [label="lab-1 … lab-20\n10.0.2.10 … 10.0.2.29"' in text
    assert r'"r1" -- "r2" [label="10.0.4.0/24\n1gbit 2ms", taillabel=".1", headlabel=".2"]' in text


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_mermaid_is_a_flowchart(plan: NetworkPlan) -> None:
    picture = picture_of(plan)
    comment, head, *lines = to_mermaid(picture).splitlines()
    assert comment.startswith(f"%% {plan.name}: ")
    assert head == "flowchart TB"
    for line in lines:
        assert MERMAID_LINE.fullmatch(line.strip()), line
    defined = {int(number) for line in lines for number in re.findall(r"^\s+n(\d+)[\[(]", line)}
    assert defined == set(range(len(picture.figures)))
    assert sum(" ---" in line for line in lines) == len(picture.lines)
    assert lines.count("  end") == sum(line.startswith("  subgraph ") for line in lines)


def test_mermaid_of_the_campus() -> None:
    text = to_mermaid(picture_of(PLANS["campus"]))
    assert 'subgraph subnet0["10.0.1.0/24"]' in text
    assert 'n0["alice<br/>10.0.1.10<br/>127.0.0.1:8080 → web:80"]:::computer' in text
    assert 'n8 ---|"10.0.4.0/24<br/>1gbit 2ms"| n9' in text
