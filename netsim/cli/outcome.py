"""How a command ends: its exit code, and one line on stderr when it failed.

0    fine
1    the thing asked for failed
2    wrong usage, or an invalid file
130  interrupted
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from netsim.cli.printing import say
from netsim.core.errors import InvalidFileError, NetsimError

FINE: Final = 0
FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are printed, none is raised."""
    context = None
    try:
        from netsim.cli.root import netsim

        with netsim.make_context("netsim", list(arguments)) as context:
            code = netsim.invoke(context)
            sys.stdout.flush()
        return code if isinstance(code, int) else FINE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except BrokenPipeError:
        # Whoever read has gone (`netsim ps | head -1`); the interpreter would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # shown in one line, whatever it is
        if (
            context is not None
            and context.params["debug"]
            and not isinstance(error, click.ClickException)
        ):
            raise
        return report(error)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED


def report(error: Exception) -> int:
    """Say on stderr what is wrong and what to do; return the exit code."""
    text, code = explain(error)
    say(text, err=True)
    return code


def explain(error: Exception) -> tuple[str, int]:
    """The text for a person, and the exit code."""
    match error:
        case InvalidFileError():
            return str(error), MISUSED  # a line for each mistake, as compilers do
        case click.ClickException():
            return _misuse(error), error.exit_code
        case NetsimError():  # one that is a ValueError is about something that was written
            return f"netsim: {error}", MISUSED if isinstance(error, ValueError) else FAILED
        case OSError() if error.filename:
            return f"netsim: {error.filename}: {error.strerror}", FAILED
    return (
        f"netsim: a bug: {type(error).__name__}: {error}; netsim --debug COMMAND shows where",
        FAILED,
    )


def _misuse(error: click.ClickException) -> str:
    """Click's message in one line, with the help page to read."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "netsim"
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{path}: {message}; {path} --help shows how"
