"""`netsim repair`: heal what partition has cut."""

from __future__ import annotations

import click

from netsim.cli import options
from netsim.cli.printing import link_ends, print_json, say
from netsim.control.control_client import ControlClient
from netsim.control.state_directory import find


@click.command(epilog="\b\nExamples:\n  netsim repair")
@options.as_json
@options.network_name
def command(as_json: bool, name: str | None) -> None:
    """Bring back the links that netsim partition has taken down, and no others."""
    links = ControlClient(find(name)).repair()
    if as_json:
        print_json({"links": links})
        return
    for link in links:
        say(f"{link_ends(link)}  up")
    if not links:
        say("nothing to repair: no partition is in force")
