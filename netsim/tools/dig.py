"""`dig`, with the output of BIND's, answered from the hosts table: there is no DNS server yet."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from netsim.tools.arguments import ToolExit, ToolParser
from netsim.tools.context import Context
from netsim.wire.address import IpAddress, format_ip, parse_ip

NO_REPLY: Final = 9
"""dig's exit code where no server could be reached."""
_TYPES: Final = ("A", "AAAA", "ANY", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT")
_SECTIONS: Final = ("cmd", "comments", "question", "answer", "stats")
_IGNORED: Final = ("recurse", "search", "tcp", "dnssec", "edns", "multiline")
_REVERSE: Final = ".in-addr.arpa"


@dataclass(slots=True)
class Query:
    """What is asked for, and which parts of the answer are shown."""

    name: str
    type: str
    short: bool = False
    sections: set[str] = field(default_factory=lambda: set(_SECTIONS))


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is that of a DNS response; `data` are the records of the type asked for."""

    status: str
    data: tuple[str, ...] = ()
    type: str = "A"


async def dig(argv: Sequence[str], context: Context) -> int:
    """Exit codes of dig: 0 for an answer, also that there is no such name; 1 usage (2 for an
    option that does not exist), 9 for a server that cannot be asked."""
    query = _parse(argv, context)
    answer = _look_up(query, context)
    if context.json:
        context.print_line(json.dumps(_document(query, answer), indent=2))
    elif query.short:
        for data in answer.data:
            context.print_line(data)
    else:
        for line in _lines(query, answer, context.node, " ".join(argv)):
            context.print_line(line)
    return 0


def _look_up(query: Query, context: Context) -> Answer:
    table = context.loop.hosts_table
    name = query.name.rstrip(".").lower()
    if name.endswith(_REVERSE):
        address = _address_of(name.removesuffix(_REVERSE))
        owner = None if address is None else table.name_of(address) or context.name_of(address)
        if owner is None:
            return Answer("NXDOMAIN")
        if query.type in ("PTR", "ANY"):
            return Answer("NOERROR", (f"{owner}.",), "PTR")
        return Answer("NOERROR")
    try:
        address = table.resolve(name)
    except socket.gaierror:
        return Answer("NXDOMAIN")
    if query.type in ("A", "ANY"):
        return Answer("NOERROR", (format_ip(address),))
    return Answer("NOERROR")


def _lines(query: Query, answer: Answer, node: str, asked: str) -> list[str]:
    """The sections of dig's output that are wanted."""
    wanted = query.sections
    lines = []
    if "cmd" in wanted:
        lines += ["", f"; <<>> dig of netsim <<>> {asked}", ";; global options: +cmd"]
    if "comments" in wanted:
        lines += [
            ";; Got answer:",
            f";; ->>HEADER<<- opcode: QUERY, status: {answer.status}",
            f";; flags: qr aa; QUERY: 1, ANSWER: {len(answer.data)}, AUTHORITY: 0, ADDITIONAL: 0",
            "",
        ]
    name = f"{query.name.rstrip('.')}."
    if "question" in wanted:
        if "comments" in wanted:
            lines.append(";; QUESTION SECTION:")
        lines += [_columns(f";{name}", "", "IN", query.type), ""]
    if "answer" in wanted and answer.data:
        if "comments" in wanted:
            lines.append(";; ANSWER SECTION:")
        lines += [_columns(name, "0", "IN", answer.type, data) for data in answer.data]
        lines.append("")
    if "stats" in wanted:
        lines += [
            f";; Query answered from the hosts table of {node}: there is no DNS server yet",
            "",
        ]
    return lines


def _columns(name: str, ttl: str, *rest: str) -> str:
    """Tabs as dig sets them: names take three of them, or one and whatever is too long."""
    tabs = max(1, 3 - len(name) // 8)
    return f"{name}{chr(9) * tabs}{ttl}\t{chr(9).join(rest)}"


def _document(query: Query, answer: Answer) -> dict[str, object]:
    return {
        "question": {"name": f"{query.name.rstrip('.')}.", "type": query.type},
        "status": answer.status,
        "answers": [{"type": answer.type, "ttl": 0, "data": data} for data in answer.data],
        "source": "hosts table",
    }


def _address_of(reversed_octets: str) -> IpAddress | None:
    """`10.3.0.10` of `10.3.0.10.in-addr.arpa` is 10.0.3.10 (RFC 1035 3.5)."""
    try:
        return parse_ip(".".join(reversed(reversed_octets.split("."))))
    except ValueError:
        return None


def _parse(argv: Sequence[str], context: Context) -> Query:
    parser = ToolParser(context, "dig")
    parser.add_argument("-x", metavar="ADDRESS", help="the name of an address")
    parser.add_argument("-t", metavar="TYPE", help="the type of record, as in: dig web AAAA")
    parser.add_argument("-4", action="store_true", help="IPv4, which is all there is")
    parser.add_argument(
        "words",
        metavar="NAME [TYPE] [+short] [+noall] [+answer]",
        nargs="*",
        help="what to ask for, and how to show it",
    )
    found = parser.parse_intermixed_args(list(argv))
    query = Query("", found.t.upper() if found.t else "")
    for word in found.words:
        _take(word, query, context)
    if query.type and query.type not in _TYPES:
        _fail(context, f"{query.type} is not known as a type; write one of {', '.join(_TYPES)}")
    if found.x is not None:
        try:
            octets = format_ip(parse_ip(found.x)).split(".")
        except ValueError:
            octets = []
        if len(octets) != 4:
            _fail(context, f"'{found.x}' is not an IPv4 address")
        query.name = ".".join(reversed(octets)) + _REVERSE
        query.type = query.type or "PTR"
    if not query.name:
        _fail(context, "what shall be looked up? write for example: dig web")
    query.type = query.type or "A"
    return query


def _take(word: str, query: Query, context: Context) -> None:
    """One word of the command line."""
    if word.startswith("@"):
        context.print_error(f";; {word[1:]} cannot be asked: there is no DNS server yet")
        raise ToolExit(NO_REPLY)
    if word.startswith("+"):
        _take_option(word, query, context)
    elif word.upper() in _TYPES and not query.type:
        query.type = word.upper()
    elif word.upper() != "IN":
        if query.name:
            _fail(context, f"one name at a time: {query.name}, or {word}?")
        query.name = word


def _take_option(word: str, query: Query, context: Context) -> None:
    option = word[1:]
    on = not option.startswith("no")
    option = option.removeprefix("no")
    if option == "short":
        query.short = on
    elif option == "all":
        query.sections = set(_SECTIONS) if on else set()
    elif option in _SECTIONS:
        (query.sections.add if on else query.sections.discard)(option)
    elif option not in _IGNORED:
        _fail(context, f"Invalid option: {word}; there are +short and +[no]all, cmd, comments, …")


def _fail(context: Context, message: str) -> None:
    context.print_error(f"dig: {message}")
    raise ToolExit(1)
