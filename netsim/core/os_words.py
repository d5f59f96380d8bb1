"""What the operating system refuses, in words for a person: which file, which limit, what to do."""

from __future__ import annotations

import errno
import os
from typing import Final

from netsim.core.printable import printable

_PROCESSES: Final = (
    "more processes than allowed: `ulimit -u` and the control group's pids.max are the limits"
)
_ROOM: Final = "make room where this command writes, and in XDG_RUNTIME_DIR and TMPDIR"
_LIMITS: Final = {
    errno.EAGAIN: _PROCESSES,
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "`ulimit -f` is the limit on the size of a file",
    errno.EMFILE: "ulimit -n raises the limit",
    errno.ENFILE: "the whole machine has too many files open",
    errno.ENOMEM: "end something else, or use fewer nodes",
}
"""What a system call says without naming a file, and what to do."""


def in_words(error: BaseException) -> str:
    """Why something failed: without an errno in brackets, with the limit where it is one."""
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
        if error.filename:
            return f"{printable(str(error.filename))}: {text}"
    limit = _limit(error)
    return text if limit is None else f"{text}; {limit}"


def in_system_words(error: OSError) -> str:
    """Why, in the midst of a sentence that names the address: asyncio's own texts repeat that."""
    number = error.errno or 0
    # Below zero it is no errno (`socket.gaierror`).
    return (os.strerror(number) if number > 0 else error.strerror or str(error)).lower()


def explains_itself(error: BaseException) -> bool:
    """Whether its words name a file, or a limit of the machine."""
    names_a_file = isinstance(error, OSError) and bool(error.filename)
    return names_a_file or _limit(error) is not None


def _limit(error: BaseException) -> str | None:
    if isinstance(error, OSError):
        return _LIMITS.get(error.errno or 0)
    # A thread is a process to the kernel, and none is no OSError.
    is_thread = isinstance(error, RuntimeError) and str(error) == "can't start new thread"
    return _PROCESSES if is_thread else None
