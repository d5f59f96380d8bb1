"""`netsim top`: the busiest links, live."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any, Final

import click

from netsim.cli import options
from netsim.cli.printing import columns, print_json_line, say
from netsim.control.control_client import ControlClient
from netsim.control.state_directory import find

_ROWS: Final = 20
"""In a pipe; a terminal has as many as there is room for."""
_HEAD: Final = ("FROM", "TO", "RATE", "USED", "FRAMES/S", "QUEUED", "DROPPED")
_BESIDE: Final = 6
"""Lines of a terminal that the table does not get."""
_UNITS: Final = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s")


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim top\n"
    "  netsim top --once\n"
    "  netsim top -n 10 --interval 0.5 | tee busy.txt\n"
    "  netsim top --json | jq -c '.links[0]'",
)
@click.option("-n", "count", metavar="N", type=click.IntRange(1, 999_999_999), help="N intervals.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="How long an interval is.",
)
@click.option("--once", is_flag=True, help="One interval, as -n 1.")
@options.as_json
@options.network_name
def command(
    count: int | None, interval: float, once: bool, as_json: bool, name: str | None
) -> None:
    """Show the busiest links: rate, use, queue and drops of each direction, until Ctrl-C.

    On a terminal the table is drawn anew in its place; in a pipe there is one after the other, of
    links that are not idle. Below it stands which nodes are down, and timing that cannot be
    trusted.
    """
    client = ControlClient(find(name))
    with closing(client.top(interval, 1 if once else count)) as intervals:
        if as_json:
            for each in intervals:
                print_json_line(each)
                sys.stdout.flush()
        elif sys.stdout.isatty() and not once:
            _show_live(intervals)
        else:
            for number, each in enumerate(intervals):
                if number:
                    say()
                _show(each)
                sys.stdout.flush()


def _show(top: dict[str, Any]) -> None:
    busy = [link for link in top["links"] if _is_busy(link)]
    say(_title(top, busy))
    if busy:
        click.echo(columns(_HEAD, map(_row, busy[:_ROWS])))
    for line in _below(top, len(busy) - _ROWS):
        say(line)


def _show_live(intervals: Any) -> None:
    """A table in its place. Rich is imported where somebody looks at it."""
    from rich import box, console, live, table, text

    terminal = console.Console()
    with live.Live(console=terminal, auto_refresh=False, transient=False) as screen:
        for top in intervals:
            rows = max(1, terminal.size.height - _BESIDE - len(_below(top, 0)))
            grid = table.Table(
                box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold"
            )
            for index, head in enumerate(_HEAD):
                grid.add_column(head, justify="left" if index < 2 else "right", no_wrap=True)
            for link in top["links"][:rows]:
                grid.add_row(*map(text.Text, _row(link)), style=None if _is_busy(link) else "dim")
            busy = [link for link in top["links"] if _is_busy(link)]
            below = [text.Text(each, "yellow") for each in _below(top, len(top["links"]) - rows)]
            title = text.Text(_title(top, busy), "bold")
            screen.update(console.Group(title, grid, *below), refresh=True)


def _title(top: dict[str, Any], busy: list[dict[str, Any]]) -> str:
    total = sum(link["rate_bps"] for link in top["links"])
    return (
        f"{top['time_ns'] / 1e9:.3f} s: {len(busy)} of {len(top['links'])} directions busy, "
        f"{_rate(total)} over all links"
    )


def _below(top: dict[str, Any], more: int) -> list[str]:
    lines = [f"and {more} more"] if more > 0 else []
    if top["silent"]:
        lines.append(f"down or not responding: {', '.join(top['silent'])}")
    return lines + [top["timing"]["text"]] * (not top["timing"]["trusted"])


def _is_busy(link: dict[str, Any]) -> bool:
    return bool(link["rate_bps"] or link["queued"] or link["dropped"])


def _row(link: dict[str, Any]) -> tuple[str, ...]:
    used = link["utilisation"]
    return (
        link["sender"],
        link["receiver"],
        _rate(link["rate_bps"]),
        "-" if used is None else f"{used:.0%}",
        f"{link['frames_per_s']:.0f}",
        str(link["queued"]),
        str(link["dropped"]),
    )


def _rate(bps: float) -> str:
    """`1.25 Mbit/s`."""
    unit = 0
    while bps >= 999.5 and unit < len(_UNITS) - 1:
        bps /= 1000
        unit += 1
    return f"{bps:.3g} {_UNITS[unit]}"
