"""The pcapng files that a network's nodes write to."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from netsim.observe import pcapng

WriteTo: TypeAlias = Callable[[str, str, Mapping[str, int]], Awaitable[None]]
"""Lets a node append what passes some of its interfaces: node, path, numbers in the file."""

_numbers: Final = itertools.count(1)


@dataclass(slots=True)
class _File:
    written: str
    """Its path while the network runs."""
    described: int = 0
    """Interfaces."""
    captured: set[str] = field(default_factory=set)
    """Those that a node writes, as `alice:eth0`."""


class CaptureFiles:
    """Begins files and describes interfaces in them. Any number of captures may share a file.

    With `beside` they are written beside their places, which they take at the end: of several runs
    at the same time one stays, and it is whole.
    """

    def __init__(self, network: str, *, beside: bool) -> None:
        self._network = network
        self._beside = beside
        self._files: dict[str, _File] = {}

    async def capture(
        self, node: str, interfaces: Sequence[str], path: str, write_to: WriteTo
    ) -> None:
        """Capture those of `interfaces` that this file has not yet; errors as of `write_to`."""
        known = self._files.get(path)
        # Without O_NONBLOCK a FIFO that nobody reads would hold up the network.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
        written = self._written(path) if known is None else known.written
        descriptor = os.open(written, flags | (os.O_TRUNC if known is None else 0), 0o666)
        # It stays open until the node has opened it, lest the reader of a FIFO sees its end.
        with open(descriptor, "ab", buffering=0) as file:
            if known is None:
                known = self._files[path] = _File(written)
                file.write(pcapng.section(self._network))
            numbers = {}
            for each in interfaces:
                if (name := f"{node}:{each}") not in known.captured:
                    file.write(pcapng.interface(name))
                    numbers[each] = known.described
                    known.described += 1
            if numbers:
                await write_to(node, written, numbers)
                known.captured |= {f"{node}:{each}" for each in numbers}

    def close(self) -> None:
        """Nobody writes any more: put everything in its place."""
        for path, file in self._files.items():
            if file.written != path:
                os.replace(file.written, path)
        self._files.clear()

    def _written(self, path: str) -> str:
        if not self._beside or (os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)):
            return path
        return f"{path}.{os.getpid()}-{next(_numbers)}"
