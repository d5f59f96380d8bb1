"""`netsim exec`: run a tool at a node, as if sitting there."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Final

import click

from netsim.cli import options
from netsim.cli.completion import node_names, tool_words
from netsim.cli.outcome import FAILED, INTERRUPTED
from netsim.cli.printing import say
from netsim.control.control_client import ControlClient, Execution
from netsim.control.state_directory import find
from netsim.core.errors import NetsimError

_PATIENCE: Final = 2.0
"""Seconds without any output after which it is worth asking whether the node is alive."""


@click.command(
    name="exec",
    # What follows NODE belongs to the tool, options included.
    context_settings={"allow_interspersed_args": False},
    epilog="\b\nExamples:\n"
    "  netsim exec alice ping -c 3 web\n"
    "  netsim exec alice traceroute web\n"
    "  netsim exec alice curl -v http://web/ip\n"
    "  netsim exec alice dig web\n"
    "  netsim exec web ss -tln\n"
    "  netsim exec r1 ip route\n"
    "  netsim exec s1 mac-table\n"
    "  netsim exec --json alice ping -c 3 web",
)
@options.as_json
@options.network_name
@click.argument("node", shell_complete=node_names)
@click.argument(
    "tool",
    metavar="CMD...",
    nargs=-1,
    required=True,
    type=click.UNPROCESSED,
    shell_complete=tool_words,
)
def command(as_json: bool, name: str | None, node: str, tool: tuple[str, ...]) -> int:
    """Run CMD at NODE: ping, traceroute, curl, dig, ip or ss; mac-table at a switch.

    Options of netsim stand before NODE. Ctrl-C ends the tool, which may still say its last
    words. The exit code is the tool's own, or 130 after Ctrl-C.
    """
    client = ControlClient(find(name))
    frozen = threading.Event()
    silence = threading.Timer(_PATIENCE, _explain_silence, (client, node, frozen))
    silence.daemon = True
    silence.start()
    try:
        with client.exec(node, list(tool), cwd=os.getcwd(), json=as_json) as execution:
            give_up = partial(_abandon_if_frozen, client, node, execution)
            return _follow(execution, silence, frozen, give_up)
    finally:
        silence.cancel()


def _explain_silence(client: ControlClient, node: str, frozen: threading.Event) -> None:
    """Nothing comes: say so if the node is frozen (`kill -STOP`) rather than waiting itself."""
    try:
        facts = client.inspect_node(node)
    except NetsimError:
        return
    if facts["state"] == "not responding":
        pid = facts["pid"]
        frozen.set()
        say(
            f"netsim: {node} does not respond, this waits for it; kill -CONT {pid} wakes it "
            "if it is stopped, Ctrl-C gives up",
            err=True,
        )


def _abandon_if_frozen(client: ControlClient, node: str, execution: Execution) -> None:
    """After Ctrl-C: a frozen node's tool would say its last words only when somebody wakes it."""
    try:
        state = client.inspect_node(node)["state"]
    except NetsimError:
        return
    if state == "not responding":
        execution.abandon()


def _follow(
    execution: Execution,
    silence: threading.Timer,
    frozen: threading.Event,
    give_up: Callable[[], None],
) -> int:
    """Copy the output as it comes; return the exit code."""
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Nothing is raised: the output that is being read stays whole. A second Ctrl-C does not
        # wait for it.
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if frozen.is_set():
            raise KeyboardInterrupt
        execution.interrupt()
        threading.Thread(target=give_up, daemon=True).start()

    before = signal.signal(signal.SIGINT, interrupt)
    streams = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
    try:
        for stream, data in execution:
            silence.cancel()
            frozen.clear()
            streams[stream].write(data)
            streams[stream].flush()
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        return INTERRUPTED
    return FAILED if execution.code is None else execution.code
