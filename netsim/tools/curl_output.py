"""Where a transfer's body goes: the terminal, a file, or the memory of a JSON document."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from netsim.tools.curl_options import CurlError


class Output(Protocol):
    """Takes the bytes of one transfer."""

    def write(self, data: bytes) -> None:
        """Take some, perhaps none yet; CurlError 23 when they cannot be kept."""

    def close(self) -> None:
        """No more will come."""


class Terminal:
    """Passes everything on to stdout."""

    def __init__(self, stdout: Callable[[bytes], None]) -> None:
        self._stdout = stdout

    def write(self, data: bytes) -> None:
        """Pass it on."""
        if data:
            self._stdout(data)

    def close(self) -> None:
        """The terminal stays open for the next."""


class File:
    """Writes to a file, which is made when the answer begins to come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Append to the file; CurlError when the disk says no."""
        try:
            if self._file is None:
                self._file = self._path.open("wb")
            self._file.write(data)
            self._file.flush()  # a full disk is told here and not at the end
        except OSError as error:
            message = f"Failed writing to {self._path}: {error.strerror}"
            raise CurlError(23, message) from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # it was told when it was written
                self._file.close()


class Memory:
    """Keeps the body, for `document`."""

    def __init__(self) -> None:
        self._body = bytearray()

    def write(self, data: bytes) -> None:
        """Keep it."""
        self._body += data

    def close(self) -> None:
        """Nothing to close."""

    def document(self) -> dict[str, str]:
        """`body` as text, or `body_base64` when it is not UTF-8."""
        try:
            return {"body": self._body.decode()}
        except UnicodeDecodeError:
            return {"body_base64": base64.b64encode(self._body).decode()}
