"""Another process like this one."""

from __future__ import annotations

import os
import warnings


def fork() -> int:
    """As `os.fork`, where no other thread has anything that the child needs.

    CPython from 3.12 on warns of other threads, ours among them, and from 3.15 on raises that where
    warnings are errors; it counts them in /proc/self/stat by splitting at blanks, and takes another
    number where a process title has some.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
