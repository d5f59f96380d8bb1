"""`netsim schema`: the JSON Schema of the files that people write."""

from __future__ import annotations

import click

from netsim.cli.printing import print_json


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim schema topology > topology.schema.json\n"
    "  netsim schema scenario | jq '.definitions.StepWords.properties | keys'",
)
@click.argument("what", metavar="topology|scenario", type=click.Choice(["topology", "scenario"]))
def command(what: str) -> None:
    """Print the JSON Schema of topology or scenario files, for editors to complete and check by."""
    if what == "topology":
        from netsim.topology.editor_schema import topology_schema  # pydantic takes a while

        print_json(topology_schema())
    else:
        from netsim.scenario.scenario_words import scenario_schema

        print_json(scenario_schema())
