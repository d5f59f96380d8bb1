"""What an HTTP exchange comes to: a reply, or why there is none. All of it can be copied."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.message import Message
from typing import Any

from multidict import CIMultiDict


@dataclass(frozen=True, slots=True)
class HttpTimings:
    """When each part was over, in ns of network time from the start of the exchange.

    Where redirects were followed, all but `connected_ns` are those of the last request.
    """

    connected_ns: int
    """The connection was there, TLS included."""
    sent_ns: int
    """The request's headers were on their way."""
    first_byte_ns: int
    """The reply's headers were here."""
    done_ns: int
    """And all of its body."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole reply."""

    status: int
    reason: str
    version: str
    """`"1.1"`."""
    headers: CIMultiDict[str]
    """By name, in any case; `headers.getall(name)` where there are several."""
    body: bytes
    url: str
    """Where it came from: another than was asked for after redirects."""
    timings: HttpTimings
    untrusted: str = ""
    """Why its times may be those of a busy machine, and not of the network; empty else."""

    @property
    def elapsed_ns(self) -> int:
        """Network time from the start to the end of the body."""
        return self.timings.done_ns

    @property
    def text(self) -> str:
        """The body in the charset of its Content-Type, UTF-8 where that says nothing.

        What does not decode is replaced.
        """
        header = Message()
        header["Content-Type"] = self.headers.get("Content-Type", "")
        charset = header.get_content_charset("utf-8")
        try:
            return self.body.decode(charset, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """What the body is the JSON of; ValueError when it is none."""
        return json.loads(self.body)
