"""Lines of users among those of a stack: not the interpreter's, ours or an installed package's."""

from __future__ import annotations

import asyncio
import os
import sysconfig
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Final

from netsim.interception.task_stacks import awaiting_frames

_NOT_THEIRS: Final = (
    "<frozen",
    sysconfig.get_path("stdlib"),
    os.path.dirname(os.path.dirname(__file__)),
)


def users_line(stack: Iterable[tuple[str, int]]) -> str:
    """The innermost line of a user's, `shop.py:12`; empty where none is. The stack begins there."""
    for file, number in stack:
        if not (file.startswith(_NOT_THEIRS) or "site-packages" in file):
            return f"{os.path.basename(file)}:{number}"
    return ""


def lines_of(stack: Iterable[tuple[FrameType, int]]) -> Iterator[tuple[str, int]]:
    """File and line of frames, as `traceback` walks them."""
    return ((frame.f_code.co_filename, number) for frame, number in stack)


def line_of_tasks(tasks: Iterable[asyncio.Task[Any]]) -> str:
    """The same where tasks stand, of the first that has one."""
    for task in tasks:
        frames = [(code.co_filename, number) for code, number in awaiting_frames(task)]
        if line := users_line(reversed(frames)):
            return line
    return ""


def blocks(line: str) -> str:
    """What is wrong with a line at which a computer stands that does not answer."""
    return (
        f"it stands at {line}, and nothing else runs there meanwhile; write what asyncio waits for "
        "(`await asyncio.sleep(1)`), or `await asyncio.to_thread(…)`"
    )
