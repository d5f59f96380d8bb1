"""The name of a computer, for programs that ask their process: the machine has another one.

What C code asks the kernel, and what child processes do, gives the machine's: a name of its own (a
UTS namespace) is not for every user to have.
"""

from __future__ import annotations

import os
import platform
import socket
from typing import Any


def take(name: str) -> None:
    """From now on this process is called so."""
    real = os.uname()
    renamed = os.uname_result((real.sysname, name, real.release, real.version, real.machine))

    def gethostname() -> str:
        return name

    def uname() -> os.uname_result:
        return renamed

    socket.gethostname, os.uname = gethostname, uname
    kept: Any = platform
    kept._uname_cache = None  # it is found again when somebody asks
