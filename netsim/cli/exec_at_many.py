"""`netsim exec` at many nodes: each line behind the name of its node, and one exit code."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from netsim.cli.outcome import FAILED, INTERRUPTED
from netsim.cli.printing import print_json
from netsim.cli.waiting_for_tools import Waiting
from netsim.control.control_client import ControlClient, Execution
from netsim.control.exec_lines import Stream

_LONGEST: Final = 65_536
"""Bytes of a line that has not ended; they are shown as one."""


def follow(client: ControlClient, execution: Execution, as_json: bool) -> int:
    """Show what all print as it comes, or as JSON what each has printed; return the exit code."""
    pending = set(execution.nodes)
    kept: dict[str, _Kept] = {node: _Kept(node) for node in execution.nodes}
    shown = _Prefixed()
    with Waiting(client, execution, lambda: set(pending)) as waiting:
        for node, said in execution.by_node():
            waiting.heard()
            if not node and isinstance(said, tuple):  # of no node: how far times can be trusted
                _write(said[0], said[1])
                continue
            if isinstance(said, int):
                pending.discard(node)
                shown.flush(node)
                kept[node].code = said
                continue
            if isinstance(said, tuple):
                stream, data = said
            else:  # it could not be carried to its end
                pending.discard(node)
                kept[node].code = FAILED
                stream, data = "stderr", f"{said}\n".encode()
            if as_json:
                kept[node].streams[stream] += data
            else:
                shown.write(node, stream, data)
    for node in pending:
        shown.flush(node)
    if as_json:
        print_json([each.document() for each in kept.values()])
    if waiting.interrupted:
        return INTERRUPTED
    return FAILED if execution.code is None else execution.code


class _Prefixed:
    """Lines on the terminal, whole ones, each behind its node: `h1: 3 packets transmitted`."""

    def __init__(self) -> None:
        self._rest: dict[tuple[str, Stream], bytes] = {}

    def write(self, node: str, stream: Stream, data: bytes) -> None:
        *lines, rest = (self._rest.pop((node, stream), b"") + data).split(b"\n")
        if len(rest) > _LONGEST:
            lines.append(rest)
            rest = b""
        if rest:
            self._rest[node, stream] = rest
        self._put(node, stream, lines)

    def flush(self, node: str) -> None:
        """What it printed last, without an end of the line."""
        for stream in ("stdout", "stderr"):
            if rest := self._rest.pop((node, stream), b""):
                self._put(node, stream, [rest])

    def _put(self, node: str, stream: Stream, lines: list[bytes]) -> None:
        prefix = f"{node}: ".encode()
        _write(stream, b"".join(prefix + line + b"\n" for line in lines))


def _write(stream: Stream, data: bytes) -> None:
    file = {"stdout": sys.stdout, "stderr": sys.stderr}[stream].buffer
    file.write(data)
    file.flush()


class _Kept:
    """What a node has printed, for JSON."""

    def __init__(self, node: str) -> None:
        self._node = node
        self.code: int | None = None
        self.streams: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}

    def document(self) -> dict[str, Any]:
        printed = self.streams["stdout"].decode(errors="replace")
        result = _document_in(printed)
        return {
            "node": self._node,
            "exit": self.code,
            "result": result,
            "stdout": printed if result is None else "",
            "stderr": self.streams["stderr"].decode(errors="replace"),
        }


def _document_in(printed: str) -> Any:
    """What a tool printed that knows facts; None where it printed text."""
    try:
        return json.loads(printed)
    except ValueError:
        return None
