"""What the shell may complete: names of networks, nodes and tools. Never an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from netsim.core.errors import NetsimError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from netsim.control.control_client import ControlClient


def network_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from netsim.control.state_directory import running

    try:
        return matching({state.name: "" for state in running()}, incomplete)
    except (NetsimError, OSError):
        return []


def node_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return matching(_kinds(ctx), incomplete)


def peer_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The nodes that a link joins to the one that was named before."""
    near = ctx.params["a"].partition(":")[0]
    pairs = [(link["a"]["node"], link["b"]["node"]) for link in _links(ctx)]
    peers = [b if near == a else a for a, b in pairs if near in (a, b)]
    return matching(dict.fromkeys(peers, ""), incomplete)


def node_lists(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`alice,bob`: the nodes again behind each comma."""
    listed, comma, _ = incomplete.rpartition(",")
    kinds = _kinds(ctx)
    others = {name: kind for name, kind in kinds.items() if name not in listed.split(",")}
    return matching({f"{listed}{comma}{name}": kind for name, kind in others.items()}, incomplete)


def kind_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from netsim.topology.kinds import KINDS

    return matching([(kind, "") for kind in KINDS], incomplete)


def tool_words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The tools of the node that was named; behind a tool, the nodes that it may go to."""
    from netsim.tools import HOST_TOOLS, SWITCH_TOOLS
    from netsim.topology.kinds import KINDS

    kinds = _kinds(ctx)
    everywhere = ctx.params.get("everywhere") or ctx.params.get("kind")
    if ctx.params.get("tool") or (everywhere and ctx.params.get("node")):
        return matching(kinds, incomplete)
    if everywhere:
        return matching(dict.fromkeys((*HOST_TOOLS, *SWITCH_TOOLS), ""), incomplete)
    stackless = [kind for kind, traits in KINDS.items() if not traits.has_stack]
    tools = SWITCH_TOOLS if kinds.get(ctx.params["node"]) in stackless else HOST_TOOLS
    return matching(dict.fromkeys((*tools, "tcpdump"), ""), incomplete)


def capture_words(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Nodes, and behind the first one the words of filters."""
    from netsim.observe.filter_tokens import WORDS

    words = _kinds(ctx)
    if ctx.params.get("words"):
        words = {**words, **dict.fromkeys(WORDS, "")}
    return matching(words, incomplete)


def matching(
    words: Mapping[str, str] | Iterable[tuple[str, str]], incomplete: str
) -> list[CompletionItem]:
    """Those of the words, each with what it means, that go on from what was typed."""
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(word, help=meaning or None)
        for word, meaning in dict(words).items()
        if word.startswith(incomplete)
    ]


def _kinds(ctx: click.Context) -> dict[str, str]:
    try:
        return _client(ctx).kinds()
    except (NetsimError, OSError):
        return {}


def _links(ctx: click.Context) -> list[dict[str, Any]]:
    try:
        return _client(ctx).links()
    except (NetsimError, OSError):
        return []


def _client(ctx: click.Context) -> ControlClient:
    from netsim.control.chosen_network import find
    from netsim.control.control_client import ControlClient

    # Behind the command, or before it.
    return ControlClient(find(ctx.params.get("name") or ctx.find_root().params.get("name")))
