"""`netsim ps`: the running networks."""

from __future__ import annotations

from typing import Any, Final

import click

from netsim.cli import options
from netsim.cli.printing import counted, print_json, print_table
from netsim.control.chosen_network import remote
from netsim.control.control_client import ControlClient
from netsim.control.state_directory import StateDirectory, running
from netsim.core.errors import NetsimError

_ANSWER_TIMEOUT: Final = 1.0
"""Seconds: a supervisor that hangs must not hide the others."""
_KEYS: Final = (
    "name",
    "file",
    "supervisor_pid",
    "started",
    "nodes",
    "state",
    "speed",
    "failed_programs",
    "faults",
)


@click.command(
    epilog="\b\nExamples:\n  netsim ps\n  netsim ps --json",
)
@options.as_json
def command(as_json: bool) -> None:
    """List the running networks."""
    place = remote()
    if place is not None:
        found = ControlClient(place).summary(_ANSWER_TIMEOUT)
        networks = [{key: found.get(key) for key in _KEYS}]
    else:
        networks = [_summary(state) for state in running()]
    if as_json:
        print_json(networks)
    elif networks:
        rows = [
            (
                *("-" if network[key] is None else str(network[key]) for key in _KEYS[:-4]),
                _state(network),
            )
            for network in networks
        ]
        head = ("NAME", "FILE", "PID", "STARTED", "NODES", "STATE")
        print_table(head, rows)
    else:
        click.echo("no network is running; netsim up FILE starts one", err=True)


def _state(network: dict[str, Any]) -> str:
    failed, faults = network["failed_programs"], network["faults"]
    words = [str(network["state"])]
    if network["speed"] not in (None, 1):
        words.append(f"speed {network['speed']:g}")
    if failed:
        words.append(f"{counted(failed, 'program')} failed")
    if faults:
        words.append(f"{counted(faults, 'fault')} in force")
    return ", ".join(words)


def _summary(state: StateDirectory) -> dict[str, Any]:
    """What the supervisor says, or else what it wrote down last."""
    try:
        found = ControlClient(state).summary(_ANSWER_TIMEOUT)
    except NetsimError:
        found = state.summary()
        if found.get("state") != "starting":
            found["state"] = "not responding"
    return {key: found.get(key) for key in _KEYS} | {"name": state.name}
