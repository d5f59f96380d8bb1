"""`netsim shell`: a prompt in front of a running network, as Mininet's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from typing import Final, TextIO

import click

from netsim.cli import options
from netsim.cli.completion import network_names
from netsim.cli.outcome import FINE, INTERRUPTED, MISUSED, report
from netsim.cli.printing import say
from netsim.cli.shell_words import ShellWords
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient
from netsim.core.errors import NetsimError

_NESTED: Final = 10
"""Scripts that `source` scripts."""
_LONGEST: Final = 65_536
"""Characters of a line; what has longer ones is no script."""


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim shell\n"
    "  netsim shell campus\n"
    "  netsim shell -e < morning.txt\n"
    "  echo 'h1 ping -c1 h2' | netsim shell",
)
@click.option("-e", "stop_at_error", is_flag=True, help="A script ends at what fails, as sh -e.")
@options.network_name
@click.argument("network", metavar="[NAME]", required=False, shell_complete=network_names)
def command(stop_at_error: bool, name: str | None, network: str | None) -> int:
    """A prompt at which nodes and commands are typed, as at Mininet's.

    `h1 ping -c3 h2` runs a tool at a node, `link s1 s2 down` breaks a cable, and every command of
    netsim is there; `help` lists the words. Ctrl-C ends what runs and not the prompt; `exit` or
    Ctrl-D leaves it, and the network goes on. Where standard input is no terminal its lines are a
    script.
    """
    if name is not None and network is not None:
        raise click.UsageError("the network is named twice; leave --name out")
    client = ControlClient(find(name or network))
    words = ShellWords(client)
    shell = _Shell(words, stop_at_error)
    if sys.stdin.isatty():
        from netsim.cli.shell_input import prompt_of

        return shell.converse(prompt_of(words.network, words))
    return shell.run_script(sys.stdin, "-")


class _Shell:
    def __init__(self, words: ShellWords, stop_at_error: bool) -> None:
        self._words = words
        self._words.source = self._source
        self._stop_at_error = stop_at_error
        self._depth = 0

    def converse(self, ask: Callable[[], str]) -> int:
        """Until Ctrl-D or `exit`; the code is that of the last command, as a shell's."""
        code = FINE
        while True:
            try:
                line = ask()
            except KeyboardInterrupt:  # at the prompt it only gives up what was typed
                continue
            except EOFError:
                click.echo()
                return code
            code = self._do(line, "", code)
            if self._words.has_left:
                return code

    def run_script(self, lines: TextIO, name: str) -> int:
        """As `sh` does: it goes on after what fails, and ends with the code of the last command."""
        code = FINE
        for number in count(1):
            line = lines.readline(_LONGEST + 1)
            if len(line) > _LONGEST:
                say(
                    f"netsim: {name}:{number}: a line of more than {_LONGEST:,} characters",
                    err=True,
                )
                return MISUSED
            if not line:
                break
            code = self._do(line, f"{name}:{number}: ", code)
            if (
                self._words.has_left
                or code == INTERRUPTED
                or (code != FINE and self._stop_at_error)
            ):
                break
        return code

    def _do(self, line: str, where: str, before: int) -> int:
        """One line; the code stays where it has no command."""
        try:
            code = self._words.run(line, where)
        except NetsimError as error:
            code = report(error)
        except KeyboardInterrupt:
            code = INTERRUPTED
        sys.stdout.flush()
        return before if code is None else code

    def _source(self, file: str) -> int:
        """Do the lines of a file; its code is that of the last."""
        if self._depth >= _NESTED:
            say(f"netsim: {file} is sourced by scripts that source each other", err=True)
            return MISUSED
        self._depth += 1
        try:
            with open(file, encoding="utf-8", errors="replace") as lines:
                return self.run_script(lines, file)
        except OSError as error:
            return report(error)
        finally:
            self._depth -= 1
