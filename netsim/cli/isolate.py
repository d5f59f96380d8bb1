"""`netsim isolate`: let packets vanish between two groups of nodes."""

from __future__ import annotations

import click

from netsim.cli import options
from netsim.cli.completion import node_lists
from netsim.cli.printing import print_in_force
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient


@click.command(epilog="\b\nExamples:\n  netsim isolate alice,bob web")
@options.as_json
@options.network_name
@click.argument("first", metavar="GROUP", shell_complete=node_lists)
@click.argument("second", metavar="GROUP", shell_complete=node_lists)
def command(as_json: bool, name: str | None, first: str, second: str) -> None:
    """Let packets vanish between two groups of nodes; links stay up, and nobody is told.

    A GROUP is names with commas between. What is in force is printed; netsim repair ends it.
    """
    groups = [options.names(first), options.names(second)]
    print_in_force(ControlClient(find(name)).spoil_traffic("isolate", {"groups": groups}), as_json)
