"""`netsim exec`: run a tool at a node, as if sitting there, or at many nodes."""

from __future__ import annotations

import fnmatch
import os
import sys
from typing import TYPE_CHECKING

import click

from netsim.cli import options
from netsim.cli.completion import kind_names, node_lists, node_names, tool_words
from netsim.cli.outcome import FAILED, INTERRUPTED
from netsim.cli.waiting_for_tools import Waiting
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_WILD = frozenset("*?[,")
"""What makes several nodes of a word."""


def _first_words(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    if ctx.params.get("everywhere") or ctx.params.get("kind"):
        return tool_words(ctx, param, incomplete)
    return (node_lists if "," in incomplete else node_names)(ctx, param, incomplete)


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
    "  netsim exec --json alice ping -c 3 web\n"
    "  netsim exec 'staff-*,alice' ping -c 1 web\n"
    "  netsim exec --kind router ip route",
)
@click.option("--all", "everywhere", is_flag=True, help="At every node that has CMD; no NODE.")
@click.option(
    "--kind",
    metavar="KIND",
    shell_complete=kind_names,
    help="At every computer, router or switch; no NODE.",
)
@options.as_json
@options.network_name
@click.argument("node", metavar="NODE", required=False, shell_complete=_first_words)
@click.argument(
    "tool", metavar="CMD...", nargs=-1, type=click.UNPROCESSED, shell_complete=tool_words
)
@click.pass_context
def command(
    ctx: click.Context,
    everywhere: bool,
    kind: str | None,
    as_json: bool,
    name: str | None,
    node: str | None,
    tool: tuple[str, ...],
) -> int:
    """Run CMD at NODE: ping, traceroute, curl, dig, ip or ss; mac-table at a switch.

    NODE may be several: `alice,bob`, or a pattern in quotes ('h*'). They run at the same time, each
    line stands behind the name of its node, and the exit code is the highest.

    Options of netsim stand before NODE. Ctrl-C ends the tool, which may still say its last
    words. The exit code is the tool's own, or 130 after Ctrl-C.
    """
    words = [] if node is None else [node, *tool]
    nodes = words.pop(0) if words and not (everywhere or kind) else None
    argv = words[1:] if words[:1] == ["--"] else words  # kubectl's users write it
    if not argv:
        is_missing_node = nodes is None and not (everywhere or kind)
        raise click.MissingParameter(
            ctx=ctx, param=ctx.command.params[-2 if is_missing_node else -1]
        )
    client = ControlClient(find(name))
    if argv[0] == "tcpdump":
        return _tcpdump(client, nodes, kind, argv[1:], as_json)
    if nodes is not None and _WILD.isdisjoint(nodes):
        return _follow(client, nodes, argv, as_json)
    from netsim.cli.exec_at_many import follow

    written = [] if nodes is None else options.names(nodes)
    with client.exec_at_many(written, kind, argv, cwd=os.getcwd(), json=as_json) as execution:
        return follow(client, execution, as_json)


def _tcpdump(
    client: ControlClient, nodes: str | None, kind: str | None, argv: list[str], as_json: bool
) -> int:
    """What captures at many nodes as at one, and follows all of them in one stream."""
    from netsim.cli.tcpdump_words import tcpdump

    known = {name: own for name, own in client.kinds().items() if kind in (None, own)}
    at: dict[str, None] = {}
    for written in ["*"] if nodes is None else options.names(nodes):
        matching = fnmatch.filter(known, written)
        if not matching and not _WILD.isdisjoint(written):
            raise click.UsageError(f"no node matches `{written}`; netsim inspect lists them")
        at |= dict.fromkeys(matching or [written])  # an unknown name is told of by the network
    return tcpdump(client, list(at), argv, as_json)


def _follow(client: ControlClient, node: str, argv: list[str], as_json: bool) -> int:
    """Copy the output as it comes; return the exit code."""
    streams = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
    with (
        client.exec(node, argv, cwd=os.getcwd(), json=as_json) as execution,
        Waiting(client, execution, lambda: (node,)) as waiting,
    ):
        for stream, data in execution:
            waiting.heard()
            streams[stream].write(data)
            streams[stream].flush()
    if waiting.interrupted:
        return INTERRUPTED
    return FAILED if execution.code is None else execution.code
