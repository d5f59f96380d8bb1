"""`netsim partition`: cut the network between two groups of nodes."""

from __future__ import annotations

import click

from netsim.cli import options
from netsim.cli.completion import node_lists
from netsim.cli.printing import link_ends, print_json, say
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim partition alice,bob web\n"
    "  netsim partition r1,r4 r2,r3\n"
    "  netsim partition alice web --json | jq -r '.links[] | .a.node + \" \" + .b.node'",
)
@options.as_json
@options.network_name
@click.argument("first", metavar="GROUP", shell_complete=node_lists)
@click.argument("second", metavar="GROUP", shell_complete=node_lists)
def command(as_json: bool, name: str | None, first: str, second: str) -> None:
    """Take down the smallest set of links that leaves no path between two groups of nodes.

    A GROUP is names with commas between. The links are printed; netsim repair brings them back.
    """
    groups = options.names(first), options.names(second)
    links = ControlClient(find(name)).partition(*groups)
    if as_json:
        print_json({"links": links})
        return
    for link in links:
        say(f"{link_ends(link)}  down")
    if not links:
        say("no link had to go: there was no path")
