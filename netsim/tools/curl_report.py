"""What one transfer of curl was like, and `-w`, which prints it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

_VARIABLE: Final = re.compile(r"%\{([^}]*)\}|%(%)|\\([nrt])")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(slots=True)
class Transfer:
    """One URL from start to end, over all redirects. Times are network time in ns."""

    url: str
    """The last one, where there were redirects."""
    method: str
    started: int
    resolved: int = 0
    connected: int = 0
    sent: int = 0
    """When the headers of the last request were written."""
    answered: int = 0
    """When the headers of the last answer were complete."""
    ended: int = 0
    status: int = 0
    reason: str = ""
    http_version: str = "0"
    headers: list[tuple[str, str]] = field(default_factory=list)
    header_bytes: int = 0
    downloaded: int = 0
    uploaded: int = 0
    connects: int = 0
    redirects: int = 0
    redirect_url: str = ""
    local: tuple[str, int] = ("", 0)
    remote: tuple[str, int] = ("", 0)
    filename: str = ""
    exit_code: int = 0
    error: str = ""

    def header(self, name: str) -> str:
        """The first header of that name in the last answer; empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def elapsed_ns(self, moment: int) -> int:
        """From the start to `moment`; 0 for what has not happened."""
        return moment - self.started if moment else 0

    def variables(self) -> dict[str, str]:
        """What `-w` knows."""
        total = self.elapsed_ns(self.ended)
        connected = self.elapsed_ns(self.connected)
        scheme = self.url.partition(":")[0]
        per_second = 1e9 / total if total else 0
        return {
            "content_type": self.header("content-type"),
            "errormsg": self.error,
            "exitcode": str(self.exit_code),
            "filename_effective": self.filename,
            "http_code": f"{self.status:03}",
            "http_version": self.http_version,
            "local_ip": self.local[0],
            "local_port": str(self.local[1]),
            "method": self.method,
            "num_connects": str(self.connects),
            "num_redirects": str(self.redirects),
            "redirect_url": self.redirect_url,
            "remote_ip": self.remote[0],
            "remote_port": str(self.remote[1]),
            "response_code": f"{self.status:03}",
            "scheme": scheme,
            "size_download": str(self.downloaded),
            "size_header": str(self.header_bytes),
            "size_upload": str(self.uploaded),
            "speed_download": f"{self.downloaded * per_second:.0f}",
            "speed_upload": f"{self.uploaded * per_second:.0f}",
            "time_appconnect": _seconds(connected if scheme == "https" else 0),
            "time_connect": _seconds(connected),
            "time_namelookup": _seconds(self.elapsed_ns(self.resolved)),
            "time_pretransfer": _seconds(self.elapsed_ns(self.sent)),
            "time_starttransfer": _seconds(self.elapsed_ns(self.answered)),
            "time_total": _seconds(total),
            "url": self.url,
            "url_effective": self.url,
        }

    def document(self) -> dict[str, Any]:
        """The transfer without its body, ready for JSON; times in milliseconds of the network."""
        return {
            "url": self.url,
            "method": self.method,
            "status": self.status,
            "reason": self.reason,
            "http_version": self.http_version,
            "headers": [list(header) for header in self.headers],
            "size_download": self.downloaded,
            "size_upload": self.uploaded,
            "local": f"{self.local[0]}:{self.local[1]}" if self.local[0] else None,
            "remote": f"{self.remote[0]}:{self.remote[1]}" if self.remote[0] else None,
            "connects": self.connects,
            "redirects": self.redirects,
            "times_ms": {
                "namelookup": self.elapsed_ns(self.resolved) / 1e6,
                "connect": self.elapsed_ns(self.connected) / 1e6,
                "starttransfer": self.elapsed_ns(self.answered) / 1e6,
                "total": self.elapsed_ns(self.ended) / 1e6,
            },
            "file": self.filename or None,
            "exit_code": self.exit_code,
            "error": self.error or None,
        }


def write_out(template: str, transfer: Transfer) -> tuple[str, list[str]]:
    """The template with its variables replaced, and the names it has that curl has not."""
    variables = transfer.variables()
    unknown: list[str] = []

    def replace(match: re.Match[str]) -> str:
        name, percent, escape = match.groups()
        if percent:
            return "%"
        if escape:
            return _ESCAPES[escape]
        if name not in variables:
            unknown.append(name)
        return variables.get(name, "")

    return _VARIABLE.sub(replace, template), unknown


def _seconds(duration_ns: int) -> str:
    return f"{duration_ns / 1e9:.6f}"
