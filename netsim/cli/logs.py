"""`netsim logs`: what the nodes and their programs logged."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from netsim.cli import options
from netsim.cli.completion import node_names
from netsim.cli.printing import print_json, print_json_line
from netsim.control.control_client import ControlClient
from netsim.control.state_directory import find
from netsim.core.printable import printable

_STYLES: Final = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "red"}


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim logs\n"
    "  netsim logs web -n 20\n"
    "  netsim logs web --follow\n"
    "  netsim logs --json | jq -r '.lines[] | select(.level == \"error\") | .text'",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option(
    "-n", "last", metavar="N", type=click.IntRange(0, 999_999_999), help="Only the last N lines."
)
@options.as_json
@options.network_name
@click.argument("node", required=False, shell_complete=node_names)
def command(
    follow: bool, last: int | None, as_json: bool, name: str | None, node: str | None
) -> None:
    """Show what the nodes and their programs logged and printed.

    With NODE, only what came from there. A line is the network's time, the node, the level and
    the text. The network keeps the last 10,000 lines.
    """
    client = ControlClient(find(name))
    if follow:
        for line in client.follow_logs(node, last):
            print_json_line(line) if as_json else _show(line)
            sys.stdout.flush()
        return
    document = client.logs(node, last)
    if as_json:
        print_json(document)
        return
    if document["dropped"]:
        click.echo(f"{document['dropped']} earlier lines are not kept any more", err=True)
    for line in document["lines"]:
        _show(line)


def _show(line: dict[str, Any]) -> None:
    """`    12.345 s  web  warning  disk full`."""
    level = click.style(f"{line['level']:8}", fg=_STYLES.get(line["level"]))
    text = printable(line["text"], "\t")
    click.echo(f"{line['time_ns'] / 1e9:10.3f} s  {line['node']}  {level}  {text}")
