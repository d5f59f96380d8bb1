"""The text of a file that a person wrote: a bounded read, of pipes and standard input too."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import stat
import sys
from pathlib import Path
from typing import Final, TypeAlias

from netsim.core.errors import InvalidFileError, Problem

MAX_BYTES: Final = 1 << 20
STDIN: Final = "-"
PIPE_TIMEOUT: Final = 10.0
"""Seconds."""
Position: TypeAlias = tuple[int, int]
"""Line and column, both from 1."""


def read_text(path: str | os.PathLike[str], shown: str, *, most: int = MAX_BYTES) -> str:
    """What is in the file; InvalidFileError, whose problems name it as `shown`.

    Of a regular file `most` bytes are allowed, of a stream a MiB.
    """
    try:
        raw = _read_stream(os.fspath(path)) if _is_stream(path) else _read_file(path, most)
    except IsADirectoryError:
        raise invalid(shown, (1, 1), "is a directory; name a file in it") from None
    except FileNotFoundError:
        raise invalid(shown, (1, 1), "there is no such file; check the path") from None
    except TimeoutError:
        message = f"is a pipe into which nobody writes for {PIPE_TIMEOUT:g} s; name a file"
        raise invalid(shown, (1, 1), message) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise invalid(shown, (1, 1), f"cannot be read: {reason}; check the path") from None
    if len(raw) > most:
        message = f"the file is larger than {most >> 20} MiB"
        if most == MAX_BYTES:
            message += "; use `count` for many like nodes"
        raise invalid(shown, (1, 1), message)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        message = "this is not UTF-8 text; save the file as UTF-8"
        raise invalid(shown, position_after(before), message) from None


def shown_name(path: str | os.PathLike[str]) -> str:
    """How mistakes name the file at `path`."""
    return "<stdin>" if os.fspath(path) == STDIN else os.fspath(path)


def keep_standard_input() -> None:
    """Read it now, before it is another one; InvalidFileError comes when it is asked for."""
    with contextlib.suppress(OSError):
        _read_stream(STDIN)


def _is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether it can be read only once."""
    if os.fspath(path) == STDIN:
        return True
    mode = os.stat(path).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _read_file(path: str | os.PathLike[str], most: int) -> bytes:
    with Path(path).open("rb") as stream:
        return stream.read(most + 1)


@functools.cache
def _read_stream(path: str) -> bytes:
    """Everything until its end, or a byte more than is allowed."""
    if path == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1) if sys.stdin is not None else b""
    # Opening a pipe would wait for its other end; this waits for what comes out of it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        read = bytearray()
        waiting = select.poll()
        waiting.register(stream, select.POLLIN)
        while len(read) <= MAX_BYTES:
            if not waiting.poll(PIPE_TIMEOUT * 1000):
                raise TimeoutError
            part = stream.read(MAX_BYTES + 1 - len(read))
            if part == b"":
                break
            read += part or b""
        return bytes(read)


def position_after(text: str) -> Position:
    """Where the text goes on."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def invalid(file: str, position: Position, message: str) -> InvalidFileError:
    """The error of one mistake."""
    return InvalidFileError([Problem(file, *position, message)])
