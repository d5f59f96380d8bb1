"""Ending a network from outside, so that nothing of it is left."""

from __future__ import annotations

import signal
from typing import Any, Final, Literal

from netsim.control.control_client import ControlClient, ControlError
from netsim.control.process_watch import ProcessWatch
from netsim.control.state_directory import StateDirectory
from netsim.core.errors import NetsimError
from netsim.realtime.process_tree import Process, family

_PATIENCE: Final = 10.0
"""Seconds for a supervisor to stop its nodes; it gives them 2."""
_LAST_WORDS: Final = 2.0
"""Seconds for what ends by itself, or was killed, to be gone."""
_REAPING: Final = 1.5
"""Seconds for init to clear the process list. Some look once a second, that of a container may
never do it."""

Ending = Literal["stopped", "killed", "cleaned"]


def shut_down(state: StateDirectory) -> Ending:
    """Stop the network and wait until every process and file of it is gone.

    `stopped` in good order; `killed` because it did not answer; `cleaned` because only the
    remains of a crash were there. ControlError when a process survives even SIGKILL.
    """
    summary = state.summary()
    supervisor = int(summary.get("supervisor_pid", 0))
    processes = recorded(summary)
    if not state.is_alive():
        with ProcessWatch(processes) as watch:
            _finish(state, watch, _LAST_WORDS)
        return "cleaned"
    # Of a live network the family is asked for as well: nodes may have been started since.
    with ProcessWatch([*family(supervisor), *processes]) as watch:
        try:
            ControlClient(state).stop()
        except NetsimError:  # still starting, or hanging
            watch.signal(signal.SIGTERM, only=supervisor)
        return "killed" if _finish(state, watch, _PATIENCE) else "stopped"


def recorded(summary: dict[str, Any]) -> list[Process]:
    """The processes that a supervisor wrote down when its network was up."""
    return [Process(pid, started) for pid, started in summary.get("processes", [])]


def _finish(state: StateDirectory, watch: ProcessWatch, patience: float) -> bool:
    """Wait, then kill; True if that was needed."""
    killed = False
    if watch.wait(patience):
        killed = True
        watch.signal(signal.SIGKILL)
        if left := watch.wait(_LAST_WORDS):
            pids = ", ".join(str(process.pid) for process in left)
            raise ControlError(f"{state.name}: cannot end process {pids}; see ps -p {pids}")
    watch.wait_for_reaping(_REAPING)
    if not state.discard_if_stale():
        raise ControlError(f"{state.name} is running again; netsim ps shows who started it")
    return killed
