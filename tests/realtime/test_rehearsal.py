"""A node that starts and ends in a process which goes on leaves that as it was."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import Any

from netsim.realtime.rehearsal import rehearse


def state_of_the_process() -> tuple[Any, ...]:
    return (
        sorted(os.listdir("/proc/self/fd")),
        dict(os.environ),
        list(sys.path),
        (sys.stdout, sys.stderr, list(logging.getLogger().handlers), logging.getLogger().level),
        (os.fork, os.posix_spawn),
    )


def test_a_rehearsal_leaves_nothing() -> None:
    before = state_of_the_process()
    try:
        rehearse()
    finally:
        gc.unfreeze()
    assert state_of_the_process() == before
