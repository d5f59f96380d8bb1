"""A network in Graphviz's language (https://graphviz.org/doc/info/lang.html): `dot -Tsvg`."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.drawing import captions
from netsim.drawing.looks import LOOKS, fill_of, ink_of
from netsim.drawing.picture import Line, Picture


def to_dot(picture: Picture) -> str:
    """An undirected graph; a switched subnet is a cluster, any other is a label at its link."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield f"graph {_quoted(picture.plan.name)} {{"
    title = _quoted(f"{picture.plan.name}: {picture.caption()}")
    yield f'  graph [label={title}, labelloc=t, fontname="Helvetica", fontsize=16, nodesep=0.4]'
    yield '  node [fontname="Helvetica", fontsize=11, fillcolor=white]'
    yield '  edge [fontname="Helvetica", fontsize=9, color="#64748b"]'
    inside = picture.switched_subnet_of_figures()
    for number, subnet in enumerate(picture.subnets):
        if not subnet.switches:
            continue
        yield f"  subgraph cluster_{number} {{"
        yield f'    label={_quoted(subnet.prefix)}; style="rounded,filled"'
        yield f'    color="{ink_of(number)}"; fillcolor="{fill_of(number)}"'
        yield from (f"    {_node(picture, each)}" for each, own in inside.items() if own == number)
        yield "  }"
    for index in range(len(picture.figures)):
        if index not in inside:
            yield f"  {_node(picture, index)}"
    for line in picture.lines:
        yield f"  {_edge(picture, line)}"
    yield "}"


def _node(picture: Picture, index: int) -> str:
    figure = picture.figures[index]
    label = [figure.name]
    if not figure.traits.relays:
        label += captions.addresses(figure) + captions.services(figure) + captions.ports(figure)
    attributes = [f"label={_quoted(*label)}", LOOKS[figure.kind].dot]
    if len(figure.members) > 1:
        attributes.append("peripheries=2")
    return f"{_quoted(figure.name)} [{', '.join(attributes)}]"


def _edge(picture: Picture, line: Line) -> str:
    a, b = (picture.figures[end] for end in (line.a, line.b))
    label = captions.line_words(picture, line)
    subnet = picture.subnets[line.subnet]
    if not subnet.switches:
        label.insert(0, subnet.prefix)
    attributes = [f"label={_quoted(*label)}"] if label else []
    for word, figure, end in (("taillabel", a, line.a_end), ("headlabel", b, line.b_end)):
        if figure.traits.forwards:
            attributes.append(f"{word}={_quoted(captions.short_address(end))}")
    ways = f"{_quoted(a.name)} -- {_quoted(b.name)}"
    return f"{ways} [{', '.join(attributes)}]" if attributes else ways


def _quoted(*lines: str) -> str:
    r"""A string of some lines; `\n` is Graphviz's line break."""
    text = r"\n".join(line.replace("\\", r"\\").replace('"', r"\"") for line in lines)
    return f'"{text}"'
