"""`netsim inspect`: what a running network, or one of its nodes, is made of."""

from __future__ import annotations

import click

from netsim.cli import options
from netsim.cli.completion import node_names
from netsim.cli.fact_tables import show_network, show_node
from netsim.cli.printing import print_json, warn_of_timing
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim inspect\n"
    "  netsim inspect r1\n"
    "  netsim inspect --json | jq '.nodes[].interfaces[].addresses'",
)
@options.as_json
@options.network_name
@click.argument("node", required=False, shell_complete=node_names)
def command(as_json: bool, name: str | None, node: str | None) -> None:
    """Show nodes, addresses, routes, tables and counters.

    With NODE, everything about that node.
    """
    client = ControlClient(find(name))
    if node is None:
        network = client.inspect()
        print_json(network) if as_json else show_network(network)
        warn_of_timing(network["timing"], "since the start: ")
    else:
        facts = client.inspect_node(node)
        print_json(facts) if as_json else show_node(facts)
