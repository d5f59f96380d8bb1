"""What can be typed at the prompt: Mininet's words, nodes, and netsim's own commands."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from netsim.cli import options
from netsim.cli.outcome import FAILED, FINE, INTERRUPTED, MISUSED, run
from netsim.cli.printing import columns, say
from netsim.control.control_client import ControlClient
from netsim.topology.kinds import KINDS

UNKNOWN: Final = 127
"""As shells report a word that is none."""
HELP: Final = {
    "NODE COMMAND": "run ping, traceroute, curl, dig, ip, ss … at a node: h1 ping -c3 h2",
    "nodes": "the nodes, by kind",
    "net": "which interface leads where",
    "intfs": "the interfaces of every node",
    "links": "the links and what they do",
    "dump": "nodes with addresses and processes, and links",
    "link A B down": "pull a cable; up, hold, release, reset; link A B --delay 80ms",
    "pingall": "everybody pings everybody; pingallfull shows each round trip",
    "pingpair": "the first two computers ping each other",
    "iperf A B": "how much A can send to B; without A and B, the first computer to the last",
    "time LINE": "how long a line takes",
    "source FILE": "do the lines of a file",
    "sh COMMAND": "a command of your own shell",
    "help [COMMAND]": "this list, or what a command takes",
    "exit": "leave; the network goes on (Ctrl-D does the same)",
}
"""Of the words that are the prompt's own; netsim's commands have their own help."""
OWN_WORDS: Final = (
    *("nodes", "net", "intfs", "links", "dump", "pingallfull", "pingpair", "pingpairfull"),
    *("time", "source", "sh", "help", "exit", "quit"),
)
LINK_VERBS: Final = ("down", "up", "hold", "release", "reset")
_SHOWN: Final = 70
"""Characters of a line in which something is wrong."""
_OF_A_SHELL: Final = frozenset(("|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1"))
_APART: Final = frozenset(("up", "test"))
"""Commands that take the whole process; they get one of their own."""


class ShellWords:
    """Does what a line says, to one running network."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client
        self.has_left = False
        """Whether `exit` was said."""
        self.kinds = client.kinds()
        self._name = str(client.summary()["name"])
        self._addresses: dict[str, str] | None = None
        self.source: Callable[[str], int] = lambda file: FINE
        """What to do with the lines of a file."""
        self._own: dict[str, Callable[[Sequence[str]], int | None]] = {
            "nodes": self._nodes,
            "net": self._net,
            "intfs": self._intfs,
            "links": lambda rest: self._command(["link", *rest]),
            "dump": lambda rest: self._command(["inspect", *rest]),
            "link": self._link,
            "pingall": self._pingall,
            "pingallfull": lambda rest: self._pingall(["--full", *rest]),
            "pingpair": self._pingpair,
            "pingpairfull": self._pingpair,
            "iperf": self._iperf,
            "down": self._down,
            "source": self._source,
            "help": self._help,
            "?": self._help,
            "exit": self._exit,
            "quit": self._exit,
        }

    @property
    def network(self) -> str:
        """The name of it."""
        return self._name

    def addresses(self) -> dict[str, str]:
        """Every address with the node and interface that has it, as of when it was first asked."""
        if self._addresses is None:
            self._addresses = {
                address.partition("/")[0]: f"{node['name']}:{interface['name']}"
                for node in self._client.inspect()["nodes"]
                for interface in node.get("interfaces", ())
                for address in interface.get("addresses", ())
            }
        return self._addresses

    def run(self, line: str, where: str = "") -> int | None:
        """The exit code; None for a line without a command. `where` stands before complaints."""
        text = line.strip()
        if not text or text.startswith("#"):
            return None
        first, _, rest = text.partition(" ")
        if first == "sh":
            return _own_shell(rest.strip())
        if first == "time":
            return self._time(rest, where)
        try:
            words = shlex.split(text)
        except ValueError as error:
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
            return _misused(f"{where}{str(error).lower()} in `{shown}`; close it")
        if not words:
            return None
        odd = next((word for word in words if word in _OF_A_SHELL), None)
        if odd is not None:
            return _misused(
                f"{where}there is no `{odd}` here: a line is one command; your own shell has it: "
                f"write `sh netsim {'exec ' * (words[0] in self.kinds)}{text}`"
            )
        return self._run(words, where)

    def _run(self, words: list[str], where: str) -> int | None:
        from netsim.cli.root import COMMANDS

        first, *rest = words
        if first in self._own:
            return self._own[first](rest)
        if first in COMMANDS:
            return self._command(words)
        if first in self.kinds or not {*first}.isdisjoint("*?,["):
            if rest:
                return self._command(["exec", *words])
            return _misused(f"{where}what is {first} to do? write `{first} ping …`, or `help`")
        say(f"netsim: {where}{self._instead(words)}", err=True)
        return UNKNOWN

    def _instead(self, words: list[str]) -> str:
        """Of a line that begins with no word of ours."""
        from netsim.cli.other_words import prompt_words_here, words_here
        from netsim.cli.root import COMMANDS
        from netsim.tools import HOST_TOOLS
        from netsim.topology.naming import nearest, suggest

        first = words[0][:_SHOWN]
        if len(words) > 1 and words[1] in HOST_TOOLS:
            return f"{self.network} has no node `{first}`; {suggest(first, self.kinds)}"
        if theirs := prompt_words_here(first):
            return f"there is no `{first}`; {theirs}"
        near = nearest(first, [*self.kinds, *COMMANDS, *OWN_WORDS])
        if near is None and (theirs := words_here(words)):
            return f"there is no `{first}`; {theirs}"
        hint = f"write `{near}`" if near else "`nodes` lists the nodes, `help` the words"
        return f"there is no node or command `{first}`; {hint}"

    def _command(self, words: Sequence[str]) -> int:
        """One of netsim's own, at this network where no other is named."""
        name, *rest = words
        if name == "shell":
            return _misused("this is the prompt; `exit` leaves it")
        if name in _APART:
            return _in_a_process([sys.executable, "-m", "netsim", *words])
        if _goes_to_a_network(name) and not any(word.startswith("--name") for word in rest):
            rest = ["--name", self._name, *rest]
        return run([name, *rest])

    def _link(self, rest: Sequence[str]) -> int:
        """`link s1 r1 down`, as Mininet has it, beside ours."""
        if len(rest) == 3 and rest[2] in LINK_VERBS:
            rest = [*rest[:2], f"--{rest[2]}"]
        return self._command(["link", *rest])

    def _down(self, rest: Sequence[str]) -> int:
        return self._command(["down", *(rest or [self._name])])

    def _nodes(self, rest: Sequence[str]) -> int:
        by_kind: dict[str, list[str]] = {}
        for node, kind in self.kinds.items():
            by_kind.setdefault(kind, []).append(node)
        for kind, nodes in by_kind.items():
            say(f"{kind:8}  {' '.join(nodes)}")
        return FINE

    def _net(self, rest: Sequence[str]) -> int:
        links = self._client.links()
        rows = [
            (node, link[near]["interface"], f"{link[far]['node']}:{link[far]['interface']}")
            for node in self.kinds
            for link in links
            for near, far in (("a", "b"), ("b", "a"))
            if link[near]["node"] == node
        ]
        click.echo(columns(("NODE", "INTERFACE", "PEER"), rows))
        return FINE

    def _intfs(self, rest: Sequence[str]) -> int:
        names: dict[str, list[str]] = {node: [] for node in self.kinds}
        for link in self._client.links():
            for end in (link["a"], link["b"]):
                names[end["node"]].append(end["interface"])
        for node, interfaces in names.items():
            say(f"{node}: {','.join(sorted(interfaces, key=_by_number))}")
        return FINE

    def _pingall(self, rest: Sequence[str]) -> int:
        """`pingall 1`, as Mininet's, waits a second for each answer."""
        *options, last = rest or [""]
        if re.fullmatch(r"[0-9]+\.?[0-9]*", last) and options[-1:] != ["--timeout"]:
            rest = [*options, "--timeout", last]
        return self._command(["pingall", *rest])

    def _pingpair(self, rest: Sequence[str]) -> int | None:
        """Both ways, as Mininet's: between the first two computers."""
        computers = self._computers()
        if len(computers) < 2:
            return _misused("there are no two computers; write `NODE ping ADDRESS`")
        a, b = computers[:2]
        there = self._command(["exec", a, "ping", "-c", "1", b])
        return there or self._command(["exec", b, "ping", "-c", "1", a])

    def _iperf(self, rest: Sequence[str]) -> int:
        """Between the first computer and the last where none is named, as Mininet's."""
        computers = self._computers()
        if not rest and len(computers) > 1:
            rest = [computers[0], computers[-1]]
            say(f"*** Iperf: from {computers[0]} to {computers[-1]}")
        return self._command(["iperf", *rest])

    def _computers(self) -> list[str]:
        running = [kind for kind, traits in KINDS.items() if traits.runs_programs]
        return [node for node, kind in self.kinds.items() if kind in running]

    def _time(self, line: str, where: str) -> int | None:
        start = time.monotonic()
        code = self.run(line, where)
        if code is None:
            return _misused(f"{where}time takes a line; write `time h1 ping -c1 h2`")
        say(f"*** Elapsed time: {time.monotonic() - start:.3f} s")
        return code

    def _source(self, rest: Sequence[str]) -> int:
        if len(rest) != 1:
            return _misused("source takes one file; write `source FILE`")
        return self.source(rest[0])

    def _help(self, rest: Sequence[str]) -> int:
        from netsim.cli.root import COMMANDS

        if rest and rest[0] in COMMANDS:
            return run([rest[0], "--help"])
        click.echo(columns(("AT THE PROMPT", ""), HELP.items()))
        click.echo(f"\nnetsim's commands (help COMMAND): {' '.join(COMMANDS)}")
        return FINE

    def _exit(self, rest: Sequence[str]) -> int | None:
        """The code is the last command's where none is given."""
        if rest and not (rest[0].isascii() and rest[0].isdecimal() and len(rest[0]) < 4):
            return _misused("exit takes a number up to 255, or nothing")
        self.has_left = True
        return int(rest[0]) & 0xFF if rest else None


def _goes_to_a_network(name: str) -> bool:
    """Whether its `--name` says which running network is meant."""
    from netsim.cli.root import netsim

    command = netsim.get_command(click.Context(netsim), name)
    parameters: list[Any] = [] if command is None else command.params
    return any(getattr(each, "help", None) == options.NETWORK_HELP for each in parameters)


def _by_number(interface: str) -> tuple[str, int]:
    """So that eth2 stands before eth10."""
    stem = interface.rstrip("0123456789")
    return stem, int(interface[len(stem) :] or 0)


def _own_shell(text: str) -> int:
    """The only line that a shell evaluates."""
    if not text:
        return _misused("sh takes a command; write `sh ls`")
    return _in_a_process(["sh", "-c", text])


def _in_a_process(argv: list[str]) -> int:
    """Ctrl-C goes to all processes of the terminal: it ends this one, and not the prompt."""
    stdin = None if sys.stdin.isatty() else subprocess.DEVNULL  # else it would read the script
    # Not SIG_IGN, which the process would inherit.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with subprocess.Popen(argv, stdin=stdin) as process:
            code = process.wait()
    except OSError as error:
        say(f"netsim: {argv[0]}: {error.strerror}", err=True)
        return FAILED
    finally:
        signal.signal(signal.SIGINT, before)
    if code == -signal.SIGINT:
        return INTERRUPTED
    return 128 - code if code < 0 else code


def _misused(text: str) -> int:
    say(f"netsim: {text}", err=True)
    return MISUSED
