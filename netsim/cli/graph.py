"""`netsim graph`: a picture of a topology."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from netsim.cli import options
from netsim.cli.outcome import MissingExtraError
from netsim.cli.printing import print_json, say
from netsim.core.printable import printable

if TYPE_CHECKING:
    from netsim.drawing.picture import Picture

_FORMATS: Final = (".svg", ".png", ".pdf", ".dot", ".mmd")
_PIXELS: Final = 2.0
"""Of a PNG for each of the SVG: sharp on a slide."""


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim graph topologies/campus.yaml\n"
    "  netsim graph topologies/campus.yaml -o campus.svg\n"
    "  netsim graph topologies/campus.yaml -o campus.png\n"
    "  netsim graph topologies/wan.yaml -o wan.dot && dot -Tpdf wan.dot -o wan.pdf",
)
@click.option(
    "-o",
    "--output",
    metavar="PICTURE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw into this file: *.svg, *.png, *.pdf, *.dot (Graphviz) or *.mmd (Mermaid).",
)
@click.option("--name", metavar="NAME", help="Call the network by another name.")
@options.as_json
@click.argument("file", type=click.Path())
def command(output: Path | None, name: str | None, as_json: bool, file: str) -> None:
    """Show the network in FILE as a tree, or draw a picture of it.

    Every node with its addresses, every link with what it does; nothing is started. Computers
    that differ in their number only are drawn as one.
    """
    if output is not None and output.suffix not in _FORMATS:
        raise click.BadParameter(
            f"{str(output)!r} is no picture that can be drawn; end it in "
            ".svg, .png, .pdf, .dot or .mmd",
            param_hint="'-o'",
        )
    if output is not None and as_json:
        raise click.UsageError("either -o PICTURE or --json")
    from netsim.topology.load_topology import load_plan  # pydantic takes a while

    plan = load_plan(file, name=name)
    if as_json:
        from netsim.drawing.plan_facts import facts_of

        print_json(facts_of(plan))
        return
    from netsim.drawing.picture import picture_of

    picture = picture_of(plan)
    if output is None:
        _print_tree(picture)
    else:
        output.write_bytes(_drawn(picture, output.suffix))
        say(f"{output}: {picture.caption()}")


def _drawn(picture: Picture, suffix: str) -> bytes:
    if suffix == ".dot":
        from netsim.drawing.dot import to_dot

        return to_dot(picture).encode()
    if suffix == ".mmd":
        from netsim.drawing.mermaid import to_mermaid

        return to_mermaid(picture).encode()
    from netsim.drawing.svg import to_svg

    return to_svg(picture).encode() if suffix == ".svg" else _converted(picture, suffix)


def _converted(picture: Picture, suffix: str) -> bytes:
    """As PNG or PDF; MissingExtraError without the package, or its library, that makes them."""
    try:
        import cairosvg
    except (ImportError, OSError) as error:  # OSError: there is no libcairo
        raise MissingExtraError(
            f"{suffix} is drawn by CairoSVG, which is not there ({printable(str(error))}); "
            "`pip install cairosvg` brings it, or write a .svg"
        ) from None
    from netsim.drawing.svg import to_svg

    svg = to_svg(picture).encode()
    drawn = cairosvg.svg2pdf(svg) if suffix == ".pdf" else cairosvg.svg2png(svg, scale=_PIXELS)
    assert isinstance(drawn, bytes), "nothing was written to a file"
    return drawn


def _print_tree(picture: Picture) -> None:
    from netsim.drawing.looks import LOOKS
    from netsim.drawing.tree import tree_rows

    rows = tree_rows(picture)
    name_width = max(len(row.branch) + len(row.name) for row in rows)
    link_width = max(len(row.link) for row in rows)
    click.echo(f"{click.style(picture.plan.name, bold=True)}: {picture.caption()}\n")
    for row in rows:
        padding = " " * (name_width - len(row.branch) - len(row.name))
        name = row.name
        if sys.stdout.isatty():
            colour = LOOKS[row.kind].terminal if row.kind else None
            name = click.style(name, bold=colour is not None, fg=colour)
        cells = f"{padding}  {row.kind or '':8}  {row.link:{link_width}}  {row.facts}".rstrip()
        click.echo(f"{row.branch}{name}{cells}")
