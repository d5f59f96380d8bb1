"""Options that several commands share."""

from __future__ import annotations

from typing import Final

import click

from netsim.cli.completion import network_names

NETWORK_HELP: Final = "The running network; may be left out when there is only one."
network_name = click.option(
    "--name",
    metavar="NAME",
    shell_complete=network_names,
    help=NETWORK_HELP,
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def names(group: str) -> list[str]:
    """`alice,bob`."""
    found = [name.strip() for name in group.split(",")]
    if not all(found):
        raise click.UsageError(f"`{group}` is no group; write names with commas, as alice,bob")
    return found
