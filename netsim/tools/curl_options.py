"""curl's command line."""

from __future__ import annotations

import argparse
import base64
import mimetypes
import os
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netsim.stack.socket_errors import AddressNotAvailableError
from netsim.tools.arguments import ToolParser, seconds
from netsim.tools.context import Context, is_numeric
from netsim.tools.source_address import NoSuchInterfaceError, source_of
from netsim.wire.address import IpAddress

AGENT: Final = "curl/8.5.0 (netsim)"
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


class CurlError(Exception):
    """The transfer failed; `code` is curl's exit code for that, the text its message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for. Times in seconds; None leaves them to TCP."""

    urls: tuple[str, ...]
    method: str | None
    headers: tuple[str, ...]
    data: bytes | None
    is_json: bool
    """Whether `--json` gave the data."""
    form: str
    """What the data are, for `Content-Type`, unless they are JSON."""
    upload: Path | None
    outputs: tuple[str, ...]
    remote_name: bool
    include: bool
    head: bool
    verbose: bool
    silent: bool
    show_error: bool
    fail: bool
    location: bool
    insecure: bool
    max_time: float | None
    connect_timeout: float | None
    write_out: str
    agent: str
    user: str | None
    compressed: bool
    byte_range: str | None
    source: IpAddress | None
    """The address of the node that connections come from."""
    resolve: dict[tuple[str, int], str]
    """Addresses by name and port."""

    def request_method(self) -> str:
        """What `-X` says, else what the other options imply."""
        if self.method:
            return self.method
        if self.head:
            return "HEAD"
        if self.upload is not None:
            return "PUT"
        return "GET" if self.data is None else "POST"

    def request_headers(self, *, with_body: bool, with_credentials: bool) -> list[tuple[str, str]]:
        """The headers to send, `-H` over the defaults: `Name:` removes, `Name;` sends it empty."""
        wanted: list[tuple[str, str]] = []
        if self.user is not None and with_credentials:
            wanted.append(("Authorization", _basic(self.user)))
        accepted = JSON if self.is_json else "*/*"
        wanted += [("User-Agent", self.agent), ("Accept", accepted)]
        if self.data is not None and with_body:
            wanted.append(("Content-Type", JSON if self.is_json else self.form))
        if self.compressed:
            wanted.append(("Accept-Encoding", "deflate, gzip"))
        if self.byte_range is not None:
            wanted.append(("Range", f"bytes={self.byte_range}"))
        given: list[tuple[str, str]] = []
        named = set()
        for header in self.headers:
            name, colon, value = header.partition(":")
            if not colon and name.endswith(";"):
                name = name[:-1]
                given.append((name, ""))
            elif value.strip():
                given.append((name.strip(), value.strip()))
            named.add(name.strip().lower())
        return [header for header in wanted if header[0].lower() not in named] + given


_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def with_scheme(url: str) -> str:
    """The URL, with `http://` in front where it names no scheme."""
    return url if _SCHEME.match(url) else f"http://{url}"


def parse(argv: Sequence[str], context: Context) -> Options:
    """Read the command line; ToolExit for a mistake, CurlError for a file that is not there."""
    parser = _parser(context)
    found = parser.parse_intermixed_args(list(argv))
    if not found.url:
        parser.exit(2, "curl: (2) no URL specified\n")
    bodies = (found.data, found.json, found.upload_file, found.form)
    if found.head + sum(body is not None for body in bodies) > 1:
        parser.exit(2, "curl: you can only select one of -I, -d, --json, -F and -T\n")
    form, data = FORM, _body(found.data, found.json, context.cwd)
    if found.form is not None:
        form, data = _multipart([part(context.cwd) for part in found.form])
    return Options(
        urls=tuple(found.url),
        method=found.request,
        headers=tuple(found.header),
        data=data,
        form=form,
        is_json=found.json is not None,
        upload=context.cwd / found.upload_file if found.upload_file is not None else None,
        outputs=tuple(found.output),
        remote_name=found.remote_name,
        include=found.include or found.head,
        head=found.head,
        verbose=found.verbose,
        silent=found.silent,
        show_error=found.show_error,
        fail=found.fail,
        location=found.location,
        insecure=found.insecure,
        # 0 means "no limit", as in curl.
        max_time=found.max_time or None,
        connect_timeout=found.connect_timeout or None,
        write_out=found.write_out,
        agent=found.user_agent,
        user=found.user,
        compressed=found.compressed,
        byte_range=found.range,
        source=_source(found.interface, context),
        resolve=dict(found.resolve),
    )


def _parser(context: Context) -> ToolParser:
    parser = ToolParser(context, "curl")
    parser.usage = "curl [options...] <url>..."
    parser.add_argument("url", nargs="*")
    parser.add_argument("-X", "--request", metavar="METHOD")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data", "--data-ascii", dest="data", action="append", type=_text)
    parser.add_argument("--data-raw", dest="data", action="append", type=_raw)
    parser.add_argument("--data-binary", dest="data", action="append", type=_binary)
    parser.add_argument("--json", action="append", type=_binary)
    parser.add_argument("-F", "--form", action="append", type=_form_part, metavar="NAME=CONTENT")
    parser.add_argument("--compressed", action="store_true")
    parser.add_argument("-r", "--range", metavar="FIRST-LAST")
    parser.add_argument("--resolve", action="append", default=[], type=_resolved)
    parser.add_argument("--interface", metavar="SOURCE")
    parser.add_argument("-T", "--upload-file", metavar="FILE")
    parser.add_argument("-o", "--output", action="append", default=[], metavar="FILE")
    parser.add_argument("-O", "--remote-name", action="store_true")
    parser.add_argument("-i", "--include", action="store_true")
    parser.add_argument("-I", "--head", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-S", "--show-error", action="store_true")
    parser.add_argument("-f", "--fail", action="store_true")
    parser.add_argument("-L", "--location", action="store_true")
    parser.add_argument("-k", "--insecure", action="store_true")
    parser.add_argument("-m", "--max-time", type=seconds(), metavar="SECONDS")
    parser.add_argument("--connect-timeout", type=seconds(), metavar="SECONDS")
    parser.add_argument("-w", "--write-out", default="", metavar="FORMAT")
    parser.add_argument("-A", "--user-agent", default=AGENT)
    parser.add_argument("-u", "--user", metavar="USER:PASSWORD")
    # What is so anyway: HTTP/1.1, no buffering, no progress meter.
    parser.add_argument("--http1.1", action="store_true")
    parser.add_argument("-N", "--no-buffer", action="store_true")
    parser.add_argument("--no-progress-meter", action="store_true")
    return parser


Part = Callable[[Path], bytes]
"""A piece of the body; reads its file, if it names one, relative to the folder it is given."""


def _text(value: str) -> Part:
    """`-d`: `@FILE` without its line ends."""
    if not value.startswith("@"):
        return _raw(value)
    return lambda cwd: _read(cwd / value[1:]).translate(None, b"\r\n\0")


def _binary(value: str) -> Part:
    """`--data-binary`: `@FILE` as it is."""
    if not value.startswith("@"):
        return _raw(value)
    return lambda cwd: _read(cwd / value[1:])


def _raw(value: str) -> Part:
    """`--data-raw`: `@` means nothing."""
    return lambda cwd: os.fsencode(value)


FormPart = Callable[[Path], tuple[str, bytes]]
"""Its headers and its content; reads its file, if it names one."""


def _form_part(value: str) -> FormPart:
    """`-F`: `name=text`, `name=@FILE` (with `;type=` and `;filename=`), `name=<FILE`."""
    name, equals, content = value.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{value!r} is no part; write NAME=CONTENT")
    disposition = f'Content-Disposition: form-data; name="{_quoted(name)}"'
    content, *words = content.split(";") if content[:1] in ("@", "<") else [content]
    said = dict(word.strip().partition("=")[::2] for word in words)
    file = content[1:]
    if content.startswith("<"):
        return lambda cwd: (disposition, _read(cwd / file))
    if not content.startswith("@"):
        return lambda cwd: (disposition, os.fsencode(content))
    filename = said.get("filename") or Path(file).name
    kind = said.get("type") or mimetypes.guess_type(filename)[0] or "application/octet-stream"
    headers = f'{disposition}; filename="{_quoted(filename)}"\r\nContent-Type: {kind}'
    return lambda cwd: (headers, _read(cwd / file))


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _multipart(parts: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The `Content-Type` and the body (RFC 7578)."""
    boundary = "-" * 24 + f"{random.getrandbits(64):016x}"
    body = b"".join(
        f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n"
        for headers, content in parts
    )
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def _resolved(value: str) -> tuple[tuple[str, int], str]:
    """`--resolve HOST:PORT:ADDRESS`."""
    host, _, rest = value.partition(":")
    port, _, address = rest.partition(":")
    if not host or not port.isdecimal() or not is_numeric(address):
        raise argparse.ArgumentTypeError(f"{value!r} is none; write HOST:PORT:ADDRESS")
    return (host.lower(), int(port)), address


def _source(text: str | None, context: Context) -> IpAddress | None:
    """The address that `--interface` means."""
    if text is None:
        return None
    try:
        return source_of(context.host, text)[0]
    except AddressNotAvailableError as error:
        reason = f"errno {error.errno}: {os.strerror(error.errno)}"
        raise CurlError(45, f"bind failed with {reason}") from None
    except NoSuchInterfaceError:
        raise CurlError(45, f"Couldn't bind to '{text}'") from None


def _body(form: list[Part] | None, json: list[Part] | None, cwd: Path) -> bytes | None:
    if form is not None:
        return b"&".join(part(cwd) for part in form)
    # Several `--json` are one document in pieces.
    return None if json is None else b"".join(part(cwd) for part in json)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> CurlError:
    """What curl says of a file, and that `-` is none here."""
    if path.name == "-":
        return CurlError(26, "standard input does not reach a node; write the name of a file")
    return CurlError(26, f"Failed to open {path.name}: {error.strerror}")


def _basic(user: str) -> str:
    credentials = user if ":" in user else f"{user}:"
    return "Basic " + base64.b64encode(credentials.encode()).decode()
