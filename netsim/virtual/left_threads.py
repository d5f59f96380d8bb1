"""How a thread of a computer that lost its power ends: at once, in the midst of what it did.

No `finally` runs and nothing is flushed, as of a process that is killed. The system's thread ends;
its frames, and what they hold, stay in memory with what the interpreter knows of that thread.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any, Final


def _pthread_exit() -> Callable[[None], None]:
    function: Any = ctypes.CDLL(None).pthread_exit
    function.argtypes, function.restype = (ctypes.c_void_p,), None
    return function  # type: ignore[no-any-return]


def _can_unwind() -> bool:
    """glibc loads what it unwinds with when a thread exits, and ends the process where it cannot;
    this loads it before."""
    if not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return True
    try:
        ctypes.CDLL("libgcc_s.so.1")
    except OSError:
        return False
    return True


exit_thread: Final = _pthread_exit()
"""pthread_exit(3), with None: it does not return. ctypes has released the interpreter before."""
_CAN_UNWIND: Final = _can_unwind()


def may_exit() -> bool:
    """Whether the calling thread may. Not within a greenlet: C++ ends the process where a thread
    ends below it."""
    greenlets: Any = sys.modules.get("greenlet")
    return _CAN_UNWIND and (greenlets is None or greenlets.getcurrent().parent is None)
