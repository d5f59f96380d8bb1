"""`netsim.run`: a program whose time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from netsim.virtual.loops import DirectorLoop

Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result], *, debug: bool | None = None) -> Result:
    """As `asyncio.run`, in virtual time: `netsim.run(main())`.

    Networks with `time="virtual"` live in it, and `asyncio.sleep(600)` takes no real time.
    DeadlockError when nothing is left that could let `main` go on.
    """
    with asyncio.Runner(debug=debug, loop_factory=DirectorLoop) as runner:
        return runner.run(main)
