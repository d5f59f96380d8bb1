"""Options that several commands share."""

from __future__ import annotations

import click

network_name = click.option(
    "--name",
    metavar="NAME",
    help="The running network; may be left out when there is only one.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
