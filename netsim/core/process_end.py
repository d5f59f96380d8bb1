"""How a process has ended, in words."""

from __future__ import annotations

import signal


def how_it_ended(exit_code: int) -> str:
    """Of a code as `os.waitstatus_to_exitcode` has it: negative for a signal."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"
