"""The command line: one module for each command, imported when it is asked for."""

from __future__ import annotations

import os
import sys

_COMPLETE = "_NETSIM_COMPLETE"
"""Set by the shell's function for completion, as click defines it."""


def main() -> None:
    """Entry point of the `netsim` command."""
    instruction = os.environ.get(_COMPLETE)
    try:
        if instruction is not None:
            sys.exit(_complete(instruction))
        from netsim.cli.outcome import run
    except KeyboardInterrupt:
        sys.exit(130)  # Ctrl-C right after Enter
    sys.exit(run(sys.argv[1:]))


def _complete(instruction: str) -> int:
    """Answer the shell's question, which is in the environment; the exit code."""
    from click.shell_completion import shell_complete

    from netsim.cli.root import netsim

    return shell_complete(netsim, {}, "netsim", _COMPLETE, instruction)
