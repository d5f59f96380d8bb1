"""Facts on stdout: tables for people, the same every time in a pipe, and JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from netsim.core.printable import printable


def say(text: str = "", *, err: bool = False, **style: Any) -> None:
    """A line, or several, for a person; what does not print in it is escaped."""
    click.secho(printable(text, "\n\t"), err=err, **style)


def print_json(document: Any) -> None:
    """One indented document."""
    click.echo(_json(document, indent=2))


def print_json_line(document: Any) -> None:
    """One line, for streams of documents."""
    click.echo(_json(document))


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table with rules and bold heads on a terminal, aligned columns in a pipe."""
    if not sys.stdout.isatty():
        click.echo(columns(head, rows))
        return
    from rich import box, console, table  # 50 ms that a pipe need not wait

    grid = table.Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name in head:
        grid.add_column(name, overflow="fold")  # whole, on a narrow terminal too
    for row in rows:
        grid.add_row(*map(_literally, row))
    console.Console().print(grid)


def columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns with two spaces between; no space at the end of a line."""
    lines = [[printable(cell) for cell in line] for line in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def link_ends(link: dict[str, Any]) -> str:
    """`r1:eth2 – r2:eth0`."""
    return " – ".join(f"{link[end]['node']}:{link[end]['interface']}" for end in ("a", "b"))


def print_in_force(faults: list[str], as_json: bool) -> None:
    """Faults of packets and connections, a line each."""
    if as_json:
        print_json({"in_force": faults})
        return
    for text in faults:
        say(text)
    if not faults:
        say("done; nothing is left in force")


def warn_of_timing(timing: dict[str, Any], when: str = "") -> None:
    """On stderr: times that were shown may be those of the machine, and not of the network."""
    if not timing["trusted"]:
        say(f"netsim: {when}{timing['text']}", err=True, fg="yellow")


def heading(text: str) -> None:
    """A line above a table, after an empty one."""
    say()
    say(text, bold=True)


def counted(number: int, noun: str) -> str:
    """`31 nodes`, `1 link`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _json(document: Any, indent: int | None = None) -> str:
    """Readable as it is in any script; JSON itself escapes only some of what does not print."""
    import json

    text = json.dumps(document, indent=indent, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text
    )


def _literally(cell: str) -> Any:
    from rich.text import Text

    return Text(printable(cell))  # `[eth0]` is no markup
