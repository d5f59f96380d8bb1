"""One line of a running command's output, as JSON: `{"stdout": "text"}`, `{"exit": 0}`.

Where it runs at many nodes, each line but the last names the node: `{"node": "h1", "exit": 0}`.

Output that is not UTF-8 goes as `{"stdout_base64": …}`. A character may be cut in two between
lines; both halves are sent as base64, so that the bytes come out whole.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Literal

Stream = Literal["stdout", "stderr"]


def encode_output(stream: Stream, data: bytes, node: str | None = None) -> bytes:
    """The line for `data`, newline included."""
    try:
        return _encode({stream: data.decode()}, node)
    except UnicodeDecodeError:
        return _encode({f"{stream}_base64": base64.b64encode(data).decode()}, node)


def encode_exit(code: int, node: str | None = None) -> bytes:
    """The last line of a command that ended with `code`."""
    return _encode({"exit": code}, node)


def encode_error(code: str, message: str, node: str | None = None) -> bytes:
    """The last line of a command that could not be carried to its end."""
    return _encode({"error": {"code": code, "message": message}}, node)


def decode_line(line: bytes) -> tuple[str | None, tuple[Stream, bytes] | int | str]:
    """The node, if one is named, and: output, the exit code, or the message of an error."""
    document = json.loads(line)
    node = document.pop("node", None)
    ((key, value),) = document.items()
    match key:
        case "exit":
            return node, int(value)
        case "error":
            return node, str(value["message"])
        case "stdout" | "stderr":
            return node, (key, value.encode())
        case "stdout_base64":
            return node, ("stdout", base64.b64decode(value))
        case "stderr_base64":
            return node, ("stderr", base64.b64decode(value))
    raise ValueError(f"unknown line {key!r}")


def _encode(document: dict[str, Any], node: str | None) -> bytes:
    named = document if node is None else {"node": node, **document}
    return json.dumps(named).encode() + b"\n"
