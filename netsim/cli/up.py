"""`netsim up`: start a network."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import click

from netsim.cli import options
from netsim.cli.detach import run_detached
from netsim.cli.supervision import run_network
from netsim.cli.watchers import JsonLines, OneDocument, Terminal

if TYPE_CHECKING:
    from netsim.realtime.launcher import StartMethod


def _real_time_only(context: click.Context, option: click.Parameter, time: str | None) -> None:
    if time not in (None, "real"):
        raise click.UsageError(
            "a network that is up runs in real time; netsim test runs scenarios in virtual time",
            context,
        )


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim up topologies/campus.yaml\n"
    "  netsim up -d --name home-2 topologies/home.yaml\n"
    "  netsim up -d --json topologies/home.yaml | jq '.ports'",
)
@click.option("-d", "--detach", is_flag=True, help="Return once the network is ready.")
@click.option("--name", metavar="NAME", help="Run the network under another name.")
@click.option("--seed", type=int, metavar="N", help="Seed of every random choice.")
@click.option(
    "--start-method",
    type=click.Choice(["fork", "forkserver", "spawn"]),
    default="fork",
    show_default=True,
    help="How node processes begin; fork is much the fastest.",
)
@click.option(
    "--speed",
    metavar="PART",
    default="1",
    help="Slow motion: 0.1 lets the network's time run at a tenth.",
)
@click.option(
    "--control",
    metavar="HOST:PORT",
    help="Serve the control API there, too, for whoever has the token that is printed.",
)
@click.option("--time", "time", hidden=True, metavar="TIME", callback=_real_time_only)
@options.as_json
@click.argument("file", type=click.Path())
def command(
    detach: bool,
    name: str | None,
    seed: int | None,
    start_method: StartMethod,
    speed: str,
    control: str | None,
    time: str | None,
    as_json: bool,
    file: str,
) -> int:
    """Start the network in FILE.

    In the foreground it shows what happens until Ctrl-C, which takes everything down; with -d it
    goes to the background once it is ready.
    """
    if file == "-":
        from netsim.topology.file_text import keep_standard_input

        keep_standard_input()  # the supervisor will have another one
    supervise = partial(run_network, file, name, seed, start_method, speed, control)
    if as_json:
        return supervise(JsonLines()) if not detach else run_detached(supervise, OneDocument())
    farewell = "netsim down takes it down" if detach else "Ctrl-C takes it down"
    with closing(Terminal(farewell)) as terminal:
        return run_detached(supervise, terminal) if detach else supervise(terminal)
