"""The command line: one module for each command, imported when it is asked for."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the `netsim` command."""
    from netsim.cli.outcome import run

    sys.exit(run(sys.argv[1:]))
