"""`netsim repair`: heal what partition, drop, isolate and connections have done."""

from __future__ import annotations

import click

from netsim.cli import options
from netsim.cli.printing import link_ends, print_json, say
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient


@click.command(epilog="\b\nExamples:\n  netsim repair")
@options.as_json
@options.network_name
def command(as_json: bool, name: str | None) -> None:
    """Bring back the links that netsim partition has taken down, and no others.

    It also ends what netsim drop, isolate and connections have in force.
    """
    document = ControlClient(find(name)).repair()
    if as_json:
        print_json(document)
        return
    for link in document["links"]:
        say(f"{link_ends(link)}  up")
    for text in document["healed"]:
        say(f"{text}  healed")
    if not any(document.values()):
        say("nothing to repair: no partition is in force")
