"""`netsim down`: stop a running network."""

from __future__ import annotations

from typing import Final

import click

from netsim.cli.completion import network_names
from netsim.cli.outcome import FINE, report
from netsim.cli.printing import say
from netsim.control.chosen_network import find, remote
from netsim.control.control_client import ControlClient
from netsim.control.shutdown import shut_down
from netsim.control.state_directory import StateDirectory, survey
from netsim.control.state_directory import find as find_here
from netsim.core.errors import NetsimError, NotRunningError

_WORDS: Final = {
    "stopped": "is down",
    "killed": "did not stop by itself and was killed",
    "cleaned": "had crashed; what it left is removed",
}


@click.command(
    epilog="\b\nExamples:\n  netsim down\n  netsim down campus office\n  netsim down --all",
)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=network_names)
@click.option(
    "--name",
    "option",
    metavar="NAME",
    shell_complete=network_names,
    help="The same as NAME, as other commands write it.",
)
@click.option("--all", "everything", is_flag=True, help="Stop every running network.")
def command(names: tuple[str, ...], option: str | None, everything: bool) -> int:
    """Stop running networks.

    NAME may be left out when one network runs. Returns when every process, socket and file of
    the network is gone.
    """
    if sum((everything, bool(names), option is not None)) > 1:
        raise click.UsageError("either NAMEs or --all")
    wanted = list(names) or ([] if option is None else [option])
    code = FINE
    if (place := remote()) is not None:
        ControlClient(find(wanted[0]) if wanted else place).stop()
        say(f"the network at {place.name} is stopping")
        return code
    for state in _asked_for(wanted, everything):
        try:
            say(f"{state.name} {_WORDS[shut_down(state)]}")
        except NetsimError as error:
            code = report(error)
    return code


def _asked_for(names: list[str], everything: bool) -> list[StateDirectory]:
    """All of them are there, or NotRunningError before any is stopped."""
    alive, stale = survey()
    if everything:
        return [*alive, *stale]
    if names:
        crashed = {state.name: state for state in stale}
        return [crashed.get(name) or find_here(name) for name in dict.fromkeys(names)]
    if len(alive) > 1:
        running = ", ".join(state.name for state in alive)
        raise NotRunningError(
            f"{len(alive)} networks are running; write `down NAME`, or `down --all`: {running}"
        )
    return alive or stale or [find_here(None)]
