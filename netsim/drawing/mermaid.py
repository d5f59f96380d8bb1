"""A network as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html).

GitHub, GitLab and many wikis draw it where it stands in a code block of the language `mermaid`.
"""

from __future__ import annotations

from collections.abc import Iterator

from netsim.drawing import captions
from netsim.drawing.looks import LOOKS, fill_of, ink_of
from netsim.drawing.picture import Line, Picture


def to_mermaid(picture: Picture) -> str:
    """Figures are `n0`, `n1` …, as names like `end` are Mermaid's own words."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield f"%% {picture.plan.name}: {picture.caption()}"
    yield "flowchart TB"
    inside = picture.switched_subnet_of_figures()
    for number, subnet in enumerate(picture.subnets):
        if not subnet.switches:
            continue
        yield f"  subgraph subnet{number}[{_quoted(subnet.prefix or ' ')}]"
        yield from (f"    {_node(picture, each)}" for each, own in inside.items() if own == number)
        yield "  end"
    for index in range(len(picture.figures)):
        if index not in inside:
            yield f"  {_node(picture, index)}"
    for line in picture.lines:
        yield f"  {_edge(picture, line)}"
    for number, subnet in enumerate(picture.subnets):
        if subnet.switches:
            yield f"  style subnet{number} fill:{fill_of(number)},stroke:{ink_of(number)}"
    for kind, look in LOOKS.items():
        yield f"  classDef {kind} {look.mermaid_colours}"


def _node(picture: Picture, index: int) -> str:
    figure = picture.figures[index]
    label = [figure.name]
    if not figure.traits.relays:
        label += captions.addresses(figure) + captions.services(figure) + captions.ports(figure)
    left, right = LOOKS[figure.kind].mermaid
    return f"n{index}{left}{_quoted(*label)}{right}:::{figure.kind}"


def _edge(picture: Picture, line: Line) -> str:
    label = captions.line_words(picture, line)
    subnet = picture.subnets[line.subnet]
    if not subnet.switches:
        label.insert(0, subnet.prefix)
    middle = f"|{_quoted(*label)}|" if label else ""
    return f"n{line.a} ---{middle} n{line.b}"


def _quoted(*lines: str) -> str:
    """Markup characters as Mermaid's entities, so that text stays text."""
    text = "<br/>".join(
        line.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
        for line in lines
    )
    return f'"{text}"'
