"""`netsim node`: cut the power of a node, shut it down, start it."""

from __future__ import annotations

from typing import Final

import click

from netsim.cli import options
from netsim.cli.completion import node_names
from netsim.cli.outcome import FAILED, FINE
from netsim.cli.printing import print_json, say
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient

_OF_PROGRAMS: Final = {
    "kill-program": "what ran there was killed",
    "pause": "what runs there stands still",
    "resume": "what runs there goes on",
}
_VERBS: Final = ("kill", "stop", "start", "restart", *_OF_PROGRAMS)


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim node r2 kill\n"
    "  netsim node r2 start\n"
    "  netsim node web restart\n"
    "  netsim node web pause",
)
@options.as_json
@options.network_name
@click.argument("node", metavar="NODE", shell_complete=node_names)
@click.argument("verb", type=click.Choice(_VERBS))
def command(as_json: bool, name: str | None, node: str, verb: str) -> int:
    """Kill, stop, start or restart a node, or what runs on it.

    kill is SIGKILL to its process, as a power cut, and returns when it is gone. stop lets its
    programs shut down. start returns when the node is ready and its services listen. kill-program
    kills what runs on a computer, and the machine lives: it closes the sockets. pause and resume
    are SIGSTOP and SIGCONT to what runs there.
    """
    document = ControlClient(find(name)).change_node(node, verb)
    before, after = document["before"], document["after"]
    has_ended = verb in ("start", "restart") and after["state"] == "dead"
    if as_json:
        print_json(document)
        return FAILED if has_ended else FINE
    if verb in _OF_PROGRAMS:
        say(f"{node}  {_OF_PROGRAMS[verb]}")
    elif has_ended:
        say(f"{node} has ended again; netsim logs {node} shows what it said", err=True)
        return FAILED
    elif before == after:
        say(f"{node} is {after['state']} already")
    else:
        say(f"{node}  {_text(before)} → {_text(after)}")
    return FINE


def _text(process: dict[str, str | int | None]) -> str:
    """`running (pid 12)`; a pid that is no more says nothing."""
    if process["state"] == "running":
        return f"running (pid {process['pid']})"
    return str(process["state"])
