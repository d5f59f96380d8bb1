"""One line of a running command's output, as JSON: `{"stdout": "text"}`, `{"exit": 0}`.

Output that is not UTF-8 goes as `{"stdout_base64": …}`. A character may be cut in two between
lines; both halves are sent as base64, so that the bytes come out whole.
"""

from __future__ import annotations

import base64
import json
from typing import Literal

Stream = Literal["stdout", "stderr"]


def encode_output(stream: Stream, data: bytes) -> bytes:
    """The line for `data`, newline included."""
    try:
        document: dict[str, str] = {stream: data.decode()}
    except UnicodeDecodeError:
        document = {f"{stream}_base64": base64.b64encode(data).decode()}
    return json.dumps(document).encode() + b"\n"


def encode_exit(code: int) -> bytes:
    """The last line of a command that ended with `code`."""
    return json.dumps({"exit": code}).encode() + b"\n"


def encode_error(code: str, message: str) -> bytes:
    """The last line of a command that could not be carried to its end."""
    return json.dumps({"error": {"code": code, "message": message}}).encode() + b"\n"


def decode_line(line: bytes) -> tuple[Stream, bytes] | int | str:
    """Output, the exit code, or the message of an error."""
    ((key, value),) = json.loads(line).items()
    match key:
        case "exit":
            return int(value)
        case "error":
            return str(value["message"])
        case "stdout" | "stderr":
            return key, value.encode()
        case "stdout_base64":
            return "stdout", base64.b64decode(value)
        case "stderr_base64":
            return "stderr", base64.b64decode(value)
    raise ValueError(f"unknown line {key!r}")
