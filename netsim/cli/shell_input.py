"""Reading the lines of the prompt: with prompt_toolkit, with readline, or plainly.

The first two have history and completion. The history is a file of the user's own
(`$XDG_STATE_HOME/netsim/shell_history`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from netsim.cli.printing import say
from netsim.cli.shell_completion import candidates
from netsim.cli.shell_words import ShellWords

_HISTORY: Final = 10_000
"""Lines, for readline."""
_MISSING: Final = (
    "netsim: without prompt_toolkit completion is plainer; pip install prompt-toolkit has it"
)
_PLAIN: Final = (
    "netsim: neither prompt_toolkit nor readline is there: lines have no history and no "
    "completion; pip install prompt-toolkit has both"
)


def prompt_of(network: str, words: ShellWords) -> Callable[[], str]:
    """What asks for a line; EOFError at Ctrl-D, KeyboardInterrupt at Ctrl-C."""
    text = f"{network}> "
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return partial(_plain, text)
    try:
        return _with_prompt_toolkit(text, words)
    except ImportError:
        pass
    try:
        import readline
    except ImportError:
        say(_PLAIN, err=True)
        return partial(_plain, text)
    say(_MISSING, err=True)
    return _with_readline(readline, text, words)


def _with_prompt_toolkit(text: str, words: ShellWords) -> Callable[[], str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    class Words(Completer):
        def get_completions(
            self, document: Document, complete_event: CompleteEvent
        ) -> Iterator[Completion]:
            line = document.text_before_cursor
            typed = line.split(" ")[-1]
            for word, meaning in candidates(words, line):
                yield Completion(word, start_position=-len(typed), display_meta=meaning)

    file = _history_file()
    history: History = InMemoryHistory() if file is None else FileHistory(str(file))
    session: PromptSession[str] = PromptSession(
        history=history, completer=Words(), complete_while_typing=False, complete_in_thread=True
    )
    return lambda: session.prompt(text)


def _with_readline(readline: Any, text: str, words: ShellWords) -> Callable[[], str]:
    found: list[str] = []

    def complete(typed: str, number: int) -> str | None:
        if number == 0:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            found[:] = [f"{word} " for word, _ in candidates(words, line)]
        return found[number] if number < len(found) else None

    readline.set_completer_delims(" ")
    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    file = _history_file()
    if file is None:
        return lambda: input(text)
    with suppress(OSError):
        readline.read_history_file(str(file))
    readline.set_history_length(_HISTORY)

    def ask() -> str:
        line = input(text)
        with suppress(OSError):  # a full disk; the line is done all the same
            readline.append_history_file(1, str(file))
        return line

    return ask


def _plain(text: str) -> str:
    click.echo(text, nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _history_file() -> Path | None:
    """A file that only the user reads; None where there can be none."""
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        folder = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
        file = folder / "netsim" / "shell_history"
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except (OSError, RuntimeError):  # RuntimeError: nobody knows where home is
        return None
    return file
