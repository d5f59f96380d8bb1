"""A call that an event loop has planned, as it stands in the agenda of virtual time."""

from __future__ import annotations

import asyncio


class Timer(asyncio.TimerHandle):
    """Is called when it is due, unless it was cancelled before: then it comes up for nothing."""

    is_planned: bool = False
    """It stands in the agenda."""
