"""How a command ends: its exit code, and one line on stderr when it failed.

0    fine
1    the thing asked for failed
2    wrong usage, or an invalid file
130  interrupted
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Final, TextIO

import click

from netsim.cli.printing import say
from netsim.core.errors import InvalidFileError, NetsimError
from netsim.core.os_words import explains_itself, in_words

FINE: Final = 0
FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130


class MissingExtraError(NetsimError):
    """What was asked for needs a package that is installed only on request."""


class OutputError(NetsimError):
    """What was asked for cannot be shown."""


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
        _print_no_more()  # whoever read has gone (`netsim ps | head -1`)
        return FAILED
    except Exception as error:  # shown in one line, whatever it is
        if _comes_of_ctrl_c(error):
            return INTERRUPTED
        if (
            context is not None
            and context.params["debug"]
            and not isinstance(error, click.ClickException)
        ):
            raise
        if isinstance(error, OSError) and _is_unwritable(sys.stdout):
            _print_no_more()
            error = OutputError(f"cannot write to standard output: {error.strerror}")
        return report(error)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED


def report(error: Exception) -> int:
    """Say on stderr what is wrong and what to do; return the exit code."""
    text, code = explain(error)
    with contextlib.suppress(OSError):  # nobody can hear it
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
        case FileNotFoundError() if not error.filename and _is_nowhere():
            return "netsim: the working directory is gone; change to one that exists", FAILED
        case _ if explains_itself(error):
            return f"netsim: {in_words(error)}", FAILED
        case OSError():
            return f"netsim: {in_words(error)}; netsim --debug COMMAND shows where", FAILED
    return (
        f"netsim: a bug: {type(error).__name__}: {error}; netsim --debug COMMAND shows where",
        FAILED,
    )


def _is_nowhere() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _comes_of_ctrl_c(error: BaseException | None) -> bool:
    """Until Python 3.12 what interrupts the making of a class becomes a RuntimeError."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__
    return False


def _is_unwritable(stream: TextIO) -> bool:
    """Whether what waits to be written still cannot be."""
    try:
        stream.flush()
    except OSError:
        return True
    return False


def _print_no_more() -> None:
    """Throw away what waits: the interpreter would try again at its exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _misuse(error: click.ClickException) -> str:
    """Click's message in one line, with the help page to read."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "netsim"
    message = " ".join(error.format_message().split()).rstrip(".")
    if isinstance(error, click.NoSuchOption):
        from netsim.cli.other_words import option_here

        if ours := option_here(path, error.option_name):
            message = f"there is no `{error.option_name}`; write {ours}"
    return f"{path}: {message}; {path} --help shows how"
