"""What the prompt completes: words, nodes, their tools, names and addresses. Never an error."""

from __future__ import annotations

from contextlib import suppress

import click

from netsim.cli.shell_words import HELP, LINK_VERBS, OWN_WORDS, ShellWords
from netsim.core.errors import NetsimError


def candidates(words: ShellWords, line: str) -> list[tuple[str, str]]:
    """For the last word of a line: what it may become, each with what that means."""
    *before, typed = line.lstrip().split(" ")
    before = [word for word in before if word]
    with suppress(NetsimError, OSError, click.ClickException):
        offered = _offered(words, before, typed)
        return [(word, meaning) for word, meaning in offered if word.startswith(typed)]
    return []


def _offered(words: ShellWords, before: list[str], typed: str) -> list[tuple[str, str]]:
    from netsim.cli.root import COMMANDS

    if not before:
        meanings = {word.split()[0]: text for word, text in HELP.items()}
        return [
            *words.kinds.items(),
            *((word, meanings.get(word, "")) for word in OWN_WORDS),
            *((name, text) for name, (_, text) in COMMANDS.items()),
        ]
    first, *rest = before
    if first == "time":
        return _offered(words, rest, typed)
    if first == "help":
        return [(name, text) for name, (_, text) in COMMANDS.items()]
    if first in words.kinds:
        return _at_a_node(words, first, rest)
    if first == "link" and len(rest) == 2:
        return [*((verb, "") for verb in LINK_VERBS), *_of_click(words, before, typed)]
    return _of_click(words, before, typed)


def _at_a_node(words: ShellWords, node: str, rest: list[str]) -> list[tuple[str, str]]:
    """Its tools; behind a tool the nodes, and their addresses."""
    from netsim.tools import HOST_TOOLS, SWITCH_TOOLS
    from netsim.topology.kinds import KINDS

    if rest:
        return [*words.kinds.items(), *words.addresses().items()]
    stackless = [kind for kind, traits in KINDS.items() if not traits.has_stack]
    tools = SWITCH_TOOLS if words.kinds[node] in stackless else HOST_TOOLS
    return [(tool, "") for tool in tools]


def _of_click(words: ShellWords, before: list[str], typed: str) -> list[tuple[str, str]]:
    """As the user's own shell completes it, for this network."""
    from click.shell_completion import ShellComplete

    from netsim.cli.root import netsim

    shell = ShellComplete(netsim, {}, "netsim", "_NETSIM_COMPLETE")
    found = shell.get_completions(["--name", words.network, *before], typed)
    return [(item.value, item.help or "") for item in found if item.type == "plain"]
