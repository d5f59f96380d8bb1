"""`netsim logs`: what the nodes and their programs logged, and what happened to the network."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from netsim.cli import options
from netsim.cli.completion import node_names
from netsim.cli.printing import print_json, print_json_line
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient
from netsim.core.printable import printable

_STYLES: Final = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "red"}
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim logs\n"
    "  netsim logs web db -n 20\n"
    "  netsim logs web --follow\n"
    "  netsim logs --events --since 10s\n"
    "  netsim logs --json --level error | jq -r '.lines[].text'",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option(
    "-n", "last", metavar="N", type=click.IntRange(0, 999_999_999), help="Only the last N lines."
)
@click.option("--since", metavar="TIME", help="Only of the last TIME of network time, as 10s.")
@click.option(
    "--level",
    type=click.Choice(_LEVELS),
    help="Only of this level and above.",
)
@click.option("--events", is_flag=True, help="What happened to the network as well.")
@options.as_json
@options.network_name
@click.argument("nodes", metavar="[NODE]...", nargs=-1, shell_complete=node_names)
def command(
    follow: bool,
    last: int | None,
    since: str | None,
    level: str | None,
    events: bool,
    as_json: bool,
    name: str | None,
    nodes: tuple[str, ...],
) -> None:
    """Show what the nodes and their programs logged and printed.

    With NODE, only what came from there. A line is the network's time, the node, the level and
    the text. --events adds nodes that die and start, carriers, routes, changed links, faults, and
    timing that cannot be trusted. The network keeps the last 10,000 lines, and as many events.
    """
    client = ControlClient(find(name))
    words = {"last": last, "since": since, "level": level, "events": "true" if events else None}
    width = 0 if as_json else max(map(len, nodes or client.kinds()), default=0)
    if follow:
        for line in client.follow_logs(nodes, **words):
            print_json_line(line) if as_json else _show(line, width, events)
            sys.stdout.flush()
        return
    document = client.logs(nodes, **words)
    if as_json:
        print_json(document)
        return
    if document["dropped"]:
        click.echo(f"{document['dropped']} earlier lines are not kept any more", err=True)
    if events and document["dropped_events"]:
        click.echo(f"{document['dropped_events']} earlier events are not kept any more", err=True)
    for line in document["lines"]:
        _show(line, width, events)


def _show(line: dict[str, Any], width: int, events: bool) -> None:
    """`    12.345 s  web  warning  disk full`; with events their kinds stand behind the level."""
    kind = f"  {line['kind']:14}" if events else ""
    level = click.style(f"{line['level']:8}", fg=_STYLES.get(line["level"]))
    text, node = printable(line["text"], "\t"), line["node"] or "-"
    click.echo(f"{line['time_ns'] / 1e9:10.3f} s  {node:{width}}  {level}{kind}  {text}")
