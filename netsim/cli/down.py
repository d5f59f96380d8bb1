"""`netsim down`: stop a running network."""

from __future__ import annotations

from typing import Final

import click

from netsim.cli.completion import network_names
from netsim.cli.outcome import FINE, report
from netsim.cli.printing import say
from netsim.control.shutdown import shut_down
from netsim.control.state_directory import StateDirectory, find, survey
from netsim.core.errors import NetsimError

_WORDS: Final = {
    "stopped": "is down",
    "killed": "did not stop by itself and was killed",
    "cleaned": "had crashed; what it left is removed",
}


@click.command(
    epilog="\b\nExamples:\n  netsim down\n  netsim down campus\n  netsim down --all",
)
@click.argument("name", required=False, shell_complete=network_names)
@click.option(
    "--name",
    "option",
    metavar="NAME",
    shell_complete=network_names,
    help="The same as NAME, as other commands write it.",
)
@click.option("--all", "everything", is_flag=True, help="Stop every running network.")
def command(name: str | None, option: str | None, everything: bool) -> int:
    """Stop a running network.

    NAME may be left out when one network runs. Returns when every process, socket and file of
    the network is gone.
    """
    if sum((everything, name is not None, option is not None)) > 1:
        raise click.UsageError("either one NAME or --all")
    name = name or option
    code = FINE
    for state in _asked_for(name, everything):
        try:
            say(f"{state.name} {_WORDS[shut_down(state)]}")
        except NetsimError as error:
            code = report(error)
    return code


def _asked_for(name: str | None, everything: bool) -> list[StateDirectory]:
    alive, stale = survey()
    if everything:
        return [*alive, *stale]
    crashed = [state for state in stale if name in (None, state.name)]
    if crashed and (name is not None or not alive):
        return crashed
    return [find(name)]
