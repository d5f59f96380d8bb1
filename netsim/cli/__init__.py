"""The command line: one module for each command, imported when it is asked for."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` takes enum along
import io
import os
import sys

_COMPLETE = "_NETSIM_COMPLETE"
"""Set by the shell's function for completion, as click defines it."""


def main() -> None:
    """Entry point of the `netsim` command."""
    try:
        if _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:
            # The command has left Ctrl-C to the system until somebody could catch it.
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        instruction = os.environ.get(_COMPLETE)
        if not _prepare_streams():
            sys.exit(1)
        if instruction is not None:
            sys.exit(_complete(instruction))
        from netsim.cli.outcome import run

        code = run(sys.argv[1:])
        # It is done: Ctrl-C while the interpreter puts itself away is no traceback either.
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    except KeyboardInterrupt:
        code = 130  # Ctrl-C right after Enter
    sys.exit(code)


def _prepare_streams() -> bool:
    """Standard streams that can be used; False, and said, where nobody could see an answer."""
    told = sys.stdout is not None
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Closed: whatever is opened next would get its number, and what is printed.
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    if not told:
        print(  # noqa: T201
            "netsim: standard output is closed; write > /dev/null to see nothing", file=sys.stderr
        )
        return False
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another charset shows what it lacks as \u2013.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return True


def _complete(instruction: str) -> int:
    """Answer the shell's question, which is in the environment; the exit code."""
    from click.shell_completion import shell_complete

    from netsim.cli.root import netsim

    return shell_complete(netsim, {}, "netsim", _COMPLETE, instruction)
