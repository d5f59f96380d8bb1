"""The command line: one module for each command, imported when it is asked for."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point of the `netsim` command."""
    try:
        from netsim.cli.completion import VARIABLE, complete
        from netsim.cli.outcome import run
    except KeyboardInterrupt:
        sys.exit(130)  # Ctrl-C right after Enter
    instruction = os.environ.get(VARIABLE)
    sys.exit(run(sys.argv[1:]) if instruction is None else complete(instruction))
