"""The pcapng files that a network's nodes write to."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from netsim.network.run_files import RunFiles
from netsim.observe import pcapng
from netsim.observe.filter_expression import Expression

WriteTo: TypeAlias = Callable[[str, str, Mapping[str, int], Expression | None], Awaitable[None]]
"""Lets a node append what passes interfaces: node, path, their numbers in the file, the filter."""


@dataclass(slots=True)
class _File:
    written: str
    """Its path while the network runs."""
    described: int = 0
    """Interfaces."""
    captured: set[str] = field(default_factory=set)
    """Those that a node writes, as `alice:eth0`."""


class CaptureFiles:
    """Begins files and describes interfaces in them. Any number of captures may share a file."""

    def __init__(self, network: str, run_files: RunFiles) -> None:
        self._network = network
        self._run_files = run_files
        self._files: dict[str, _File] = {}

    async def capture(
        self,
        node: str,
        interfaces: Sequence[str],
        path: str,
        expression: Expression | None,
        write_to: WriteTo,
    ) -> None:
        """Capture those of `interfaces` that this file has not yet; errors as of `write_to`."""
        known = self._files.get(path)
        # Without O_NONBLOCK a FIFO that nobody reads would hold up the network.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
        written = self._run_files.written(path) if known is None else known.written
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
                await write_to(node, written, numbers, expression)
                known.captured |= {f"{node}:{each}" for each in numbers}

    def close(self) -> None:
        """Nobody writes any more: put everything in its place."""
        for path, file in self._files.items():
            self._run_files.put_in_place(file.written, path)
        self._files.clear()
