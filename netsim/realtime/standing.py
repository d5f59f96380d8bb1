"""At which line a process stands that does not answer: a signal has it written down.

The C code of `faulthandler` does so whatever the process is doing, into memory that the asker
reads; a program that keeps its loop busy is found like one that sleeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import re
import signal
from pathlib import Path
from typing import Final

from netsim.site.users_lines import users_line

_SIGNAL: Final = signal.SIGRTMAX - 5
"""One that programs do not use."""
_MEMORY: Final = "netsim-standing"
_LINE: Final = re.compile(r'^ *File "(.+)", line (\d+) in ', re.MULTILINE)
_LOOKS: Final = 10
_LOOK_AGAIN: Final = 0.02
"""Seconds."""


def tell_when_asked() -> None:
    """Have this process write down where it stands, whenever somebody asks."""
    faulthandler.register(_SIGNAL, file=os.memfd_create(_MEMORY), all_threads=False)


async def line_of(pid: int) -> str:
    """The line of a user's at which a process stands, `shop.py:12`; empty where that is unknown."""
    with contextlib.suppress(OSError):
        memory = _memory_of(pid)
        if memory is not None and _would_hear(pid):
            before = len(memory.read_bytes())
            os.kill(pid, _SIGNAL)
            for _ in range(_LOOKS):
                await asyncio.sleep(_LOOK_AGAIN)
                # A process that was stopped (SIGSTOP) writes nothing.
                said = memory.read_bytes()[before:].decode(errors="replace")
                if said:
                    return users_line((file, int(line)) for file, line in _LINE.findall(said))
    return ""


def _memory_of(pid: int) -> Path | None:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(entry).startswith(f"/memfd:{_MEMORY} "):
                return entry
    return None


def _would_hear(pid: int) -> bool:
    """Whether the signal would not be the end of it."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", status, re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (_SIGNAL - 1) & 1)
