"""`netsim schema`: the JSON Schema of the files that people write."""

from __future__ import annotations

import click

from netsim.cli.text import print_json


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim schema topology > topology.schema.json\n"
    "  netsim schema topology | jq '.properties | keys'",
)
@click.argument("what", metavar="topology", type=click.Choice(["topology"]))
def command(what: str) -> None:
    """Print the JSON Schema of topology files, for editors to complete and check by."""
    from netsim.topology.json_schema import topology_schema  # pydantic takes a while

    assert what == "topology"
    print_json(topology_schema())
