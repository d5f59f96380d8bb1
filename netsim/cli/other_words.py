"""What people type who come from another tool, and what it is called here."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from netsim.core.link_attributes import LINK_ATTRIBUTES
from netsim.tools.other_tools import elsewhere, same_here

_TOOLS: Final = frozenset(("curl", "dig", "iperf3", "ip", "mac-table", "ping", "ss", "traceroute"))
_UP: Final = "`up FILE` for a network, `node NODE start` for a node"
_DOWN: Final = "`down` for a network, `node NODE stop` for a node"
_CAPTURE: Final = "`capture NODE`"
_TO_WIRESHARK: Final = "`capture NODE -w - | wireshark -k -i -`"
_WORDS: Final = {
    "add": "`up FILE`",
    "attach": "`exec NODE COMMAND`",
    "clean": "`down --all`",
    "cli": "`shell`",
    "config": "`address`, `gateway` and `routes` in the file",
    "connect": "`exec NODE COMMAND`",
    "create": _UP,
    "delete": _DOWN,
    "dump": "`inspect`",
    "deploy": _UP,
    "destroy": _DOWN,
    "dpctl": "`exec SWITCH mac-table`",
    "events": "`logs --events -f`",
    "exit": "`down`",
    "help": "`--help`",
    "intfs": "`inspect`",
    "iperfudp": "`iperf NODE NODE -u -b 10mbit`",
    "kill": "`node NODE kill`",
    "links": "`inspect`",
    "list": "`ps`",
    "ls": "`ps`",
    "net": "`link`, or `inspect`",
    "netem": "`link NODE NODE --delay 80ms --loss 5%`",
    "nodes": "`inspect`",
    "ports": "`inspect`",
    "py": "a program in Python (docs/python.md)",
    "quit": "`down`",
    "redeploy": "`down`, then `up FILE`",
    "restart": "`node NODE restart`",
    "run": _UP,
    "save": "nothing: the file is all there is",
    "sh": "it without `netsim sh`: this is your own shell",
    "show": "`inspect`",
    "source": "`shell < FILE`, or a scenario (docs/scenarios.md) and `test FILE`",
    "ssh": "`exec NODE COMMAND`",
    "start": _UP,
    "status": "`ps`, or `inspect`",
    "stop": _DOWN,
    "switch": "`node NODE stop`, or `start`",
    "tc": "`link NODE NODE --delay 80ms --loss 5%`",
    "tcpdump": _CAPTURE,
    "tshark": "`capture NODE -w - | tshark -r -`",
    "tools": "`link NODE NODE --delay 80ms --loss 5%`",
    "version": "`--version`",
    "wireshark": _TO_WIRESHARK,
    "x": "`exec NODE COMMAND`",
    "xterm": "`exec NODE COMMAND`",
}
"""Mininet's, containerlab's, netlab's and docker's words."""
_NO_TERMINAL: Final = (
    "a node has no window; write `NODE COMMAND`, in a second `netsim shell` beside it"
)
_NO_PYTHON: Final = "Python does all of this in a program of yours (docs/python.md)"
_AT_THE_PROMPT: Final = {
    "dpctl": "switches learn by themselves and have no flows; write `SWITCH mac-table`",
    "EOF": "write `exit`",
    "gterm": _NO_TERMINAL,
    "iperfudp": "write `iperf NODE NODE -u -b 10mbit`",
    "noecho": "nothing is echoed; write `NODE COMMAND`",
    "ports": "write `intfs`, or `net`",
    "px": _NO_PYTHON,
    "py": _NO_PYTHON,
    "switch": "write `node SWITCH stop`, or `start`",
    "wait": "a switch has no controller that it would have to wait for; leave it out",
    "x": _NO_TERMINAL,
    "xterm": _NO_TERMINAL,
}
"""Of Mininet's prompt, what ours has not."""


_LINK_OPTIONS: Final = {
    "--" + name.replace("_", "-"): f"`--{each.word}`"
    for each in LINK_ATTRIBUTES
    for name in each.elsewhere
}
_LIKE_MININET: Final = "`netsim generate linear 3 | netsim up -`, or `tree`, `ring`, `clos`"
_OF_LINKS: Final = "`bandwidth`, `delay` and `loss` of links in the file (docs/topology.md, Links)"
_FILE_OPTIONS: Final = {
    "-t": "the file alone",
    "--topo": _LIKE_MININET,
    "--link": _OF_LINKS,
    "--reconfigure": "`down`, then `up FILE`",
}
_NETSIM_OPTIONS: Final = {
    "-c": "`down --all`",
    "-t": "`up FILE`",
    "--topo": _LIKE_MININET,
    "--custom": "`up FILE`, or networkx's graphs in Python (docs/python.md)",
    "--link": _OF_LINKS,
    "--switch": "`kind: switch` in the file; every switch learns by itself",
    "--controller": "`kind: switch` in the file; every switch learns by itself",
    "--test": "`pingall`",
    "--mac": "nothing: addresses are numbered in the order of the file",
}
_EXEC_OPTIONS: Final = dict.fromkeys(
    ("-i", "-t", "-it", "--interactive", "--tty"), "the node and the tool alone"
)


def option_here(command: str, option: str) -> str | None:
    """What to write instead of an option that is another tool's; None where nobody has it."""
    known = {
        "netsim": _NETSIM_OPTIONS,
        "exec": _EXEC_OPTIONS,
        "graph": _FILE_OPTIONS,
        "link": _LINK_OPTIONS,
        "up": _FILE_OPTIONS,
    }
    return known.get(command.removeprefix("netsim "), {}).get(option)


def prompt_words_here(word: str) -> str | None:
    """What to write instead of a word of Mininet's prompt; None where it has no such word."""
    return _AT_THE_PROMPT.get(word)


def words_here(arguments: Sequence[str]) -> str | None:
    """What to write instead of a command that is another tool's; None where nobody has it."""
    command, *rest = arguments
    if command in _TOOLS:
        if command == "ping" and len(rest) == 2 and not rest[0].startswith("-"):
            return f"write `exec {rest[0]} ping {rest[1]}`"  # in Mininet: from, to
        if command == "iperf3" and len(rest) >= 2 and not rest[0].startswith("-"):
            return f"write `iperf {shlex.join(rest)}`"
        return f"write `exec NODE {shlex.join(arguments)}`"
    if rest and rest[0] in (*_TOOLS, "tcpdump"):
        return f"write `exec {shlex.join(arguments)}`"  # in Mininet: a node, and what it runs
    if command in _WORDS:
        return f"write {_WORDS[command]}"
    if rest and (same := same_here(rest[0], rest[1:])):
        return f"write `exec {command} {same}`"
    if rest and (instead := elsewhere(rest[0], command)):
        return instead
    if command.endswith((".yaml", ".yml")):
        return f"write `up {shlex.quote(command)}`"
    return None
