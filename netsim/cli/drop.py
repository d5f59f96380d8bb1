"""`netsim drop`: let packets vanish from one node to another."""

from __future__ import annotations

import click

from netsim.cli import options
from netsim.cli.completion import node_names
from netsim.cli.printing import print_in_force
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim drop alice web\n"
    "  netsim drop web alice --protocol tcp --port 80\n"
    "  netsim drop alice web --both-ways",
)
@click.option("--both-ways", is_flag=True, help="Also those that come back.")
@click.option("--protocol", type=click.Choice(["tcp", "udp", "icmp"]), help="Only those of it.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="Only those from or to this port.",
)
@options.as_json
@options.network_name
@click.argument("source", metavar="FROM", shell_complete=node_names)
@click.argument("to", metavar="TO", shell_complete=node_names)
def command(
    both_ways: bool,
    protocol: str | None,
    port: int | None,
    as_json: bool,
    name: str | None,
    source: str,
    to: str,
) -> None:
    """Let packets vanish that come from one node to another; links stay up, and nobody is told.

    What is in force is printed; netsim repair ends it.
    """
    words = {"from": source, "to": to, "both_ways": both_ways, "protocol": protocol, "port": port}
    print_in_force(ControlClient(find(name)).spoil_traffic("drop", words), as_json)
