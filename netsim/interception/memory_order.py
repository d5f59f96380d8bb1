"""The order of what is kept by hash and by address, and how a process gets one that repeats.

A set of `str` or `bytes` iterates in the order of a hash that Python salts in each process, and a
set of plain objects in the order of their addresses, which the kernel draws for each process.
Both can be had the same every time, but only from the start of a process on: `PYTHONHASHSEED=0`
and `personality(ADDR_NO_RANDOMIZE)`, which is allowed to everybody, though not in every container.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import Final

_ADDR_NO_RANDOMIZE: Final = 0x0040000
_ASK: Final = 0xFFFFFFFF

_is_shared = False

HASH_SEED: Final = {"PYTHONHASHSEED": "0"}
"""In the environment of a process whose hashes are those of every run."""


def personality(wanted: int) -> int:
    """personality(2): what it was before; -1 where it is refused, or is not Linux's to ask."""
    try:
        before: int = ctypes.CDLL(None).personality(ctypes.c_ulong(wanted))
    except AttributeError:
        return -1
    return before


@contextlib.contextmanager
def without_randomisation() -> Iterator[bool]:
    """What is executed meanwhile has its memory always at the same addresses.

    False where the kernel refuses: a sandbox may.
    """
    before = personality(_ASK)
    granted = before >= 0 and personality(before | _ADDR_NO_RANDOMIZE) >= 0
    try:
        yield granted
    finally:
        if granted:
            personality(before)


def what_differs() -> str:
    """What of the order in this process will be another one in the next, and why; "" if nothing."""
    causes = []
    if not _hashes_repeat():
        causes.append("sets of str and bytes, and hash(), as the hash seed is random")
    if _is_shared or not _addresses_repeat():
        causes.append("sets of plain objects, as they lie elsewhere in memory in each process")
    return "; ".join(causes)


def share_memory() -> None:
    """This process does other things, too, that differ in each run (pytest) and move memory."""
    global _is_shared
    _is_shared = True


def _hashes_repeat() -> bool:
    chosen = os.environ.get("PYTHONHASHSEED", "random") != "random"
    return not sys.flags.hash_randomization or (chosen and not sys.flags.ignore_environment)


def _addresses_repeat() -> bool:
    persona = personality(_ASK)
    return persona >= 0 and bool(persona & _ADDR_NO_RANDOMIZE)
