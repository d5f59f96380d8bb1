"""The words of a capture filter, tcpdump's (pcap-filter(7)), and what they mean.

    host web                      src host 10.0.1.10          net 10.0.1.0/24
    tcp port 80 or 443            portrange 8000-8080         ether host 02:00:00:01:00:00
    icmp or arp                   not (udp and dst port 53)   less 100

`and` and `or` bind equally, from left to right; `not` binds tighter. A value without words before
it takes those of the value before: `port 80 or 443`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NoReturn, TypeAlias

from netsim.core.errors import FilterMistake, InvalidFilterError
from netsim.observe.filter_expression import (
    Both,
    Either,
    Expression,
    Group,
    Length,
    Network,
    Not,
    Ports,
    Protocol,
    Station,
    Way,
)
from netsim.wire.address import IpAddress

Names: TypeAlias = Mapping[str, Sequence[IpAddress]]
"""Of hosts, in lower case, with their addresses."""

MOST_CHARACTERS: Final = 2000
MOST_MISTAKES: Final = 10
MOST_NAMES: Final = 2000
"""Among which the nearest to a misspelled one is looked for."""
DEEPEST: Final = 50
"""Parentheses within parentheses."""


_PROTOCOLS: Final = ("ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "ether")
_WITH_ADDRESSES: Final = ("", "ip", "ip6", "arp", "rarp")
_WITH_PORTS: Final = ("", "tcp", "udp", "sctp")
_TYPES: Final = ("host", "net", "port", "portrange")
_WAYS: Final = ("src", "dst")
WORDS: Final = (
    *_PROTOCOLS, *_TYPES, *_WAYS, "broadcast", "multicast", "less", "greater", "and", "or", "not"
)  # fmt: skip
_OPERATORS: Final = {"and": "and", "&&": "and", "or": "or", "||": "or"}
_NOT: Final = ("not", "!")
_ABSENT: Final = (
    "ah", "atalk", "decnet", "esp", "gateway", "igmp", "inbound", "ip6host", "ipx", "lat", "link",
    "llc", "mask", "mpls", "outbound", "pim", "ppp", "pppoes", "proto", "protochain", "stp", "type",
    "vlan", "vrrp", "wlan",
)  # fmt: skip
"""Words of tcpdump's that are not here."""
_SERVICES: Final = {
    "bootpc": 68, "bootps": 67, "domain": 53, "echo": 7, "ftp": 21, "http": 80, "http-alt": 8080,
    "https": 443, "imap": 143, "mysql": 3306, "ntp": 123, "pop3": 110, "postgresql": 5432,
    "redis": 6379, "smtp": 25, "snmp": 161, "ssh": 22, "syslog": 514, "telnet": 23, "tftp": 69,
}  # fmt: skip
_TOKEN: Final = re.compile(r"\s*(\(|\)|!|&&|\|\||[^\s()!&|]+|[&|])")
_MAC: Final = re.compile(r"[0-9a-f]{1,2}(?:[:.-][0-9a-f]{1,2}){5}|[0-9a-f]{12}", re.IGNORECASE)
_SHORT_NET: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,2}")


def parse_filter(written: str, names: Names) -> Expression | None:
    """What a filter means; None where nothing is written, and every frame is meant.

    InvalidFilterError points at every mistake.
    """
    if len(written) > MOST_CHARACTERS:
        message = f"the filter has {len(written):,} characters; write at most {MOST_CHARACTERS:,}"
        raise InvalidFilterError(written[:60] + "…", [FilterMistake(1, 61, message)])
    return _Parser(written, names).result()


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class _Qualifiers:
    """The words before a value."""

    protocol: str
    way: Way
    kind: str


class _SyntaxError(Exception):
    """Where the rest makes no sense any more."""


_ANYTHING: Final = Length(0, 1 << 30)
"""In the place of what was wrong."""


class _Parser:
    def __init__(self, written: str, names: Names) -> None:
        self._written = written
        self._names = names
        self._tokens = [_Token(each[1], each.start(1) + 1) for each in _TOKEN.finditer(written)]
        self._next = 0
        self._depth = 0
        self._carried: _Qualifiers | None = None
        """Those of the last value."""
        self._mistakes: list[FilterMistake] = []

    def result(self) -> Expression | None:
        expression = None
        try:
            if self._tokens:
                expression = self._expression()
                if (token := self._peek()) is not None:
                    self._stands_alone(token)
        except _SyntaxError:
            pass
        if self._mistakes:
            raise InvalidFilterError(self._written, self._mistakes[:MOST_MISTAKES])
        return expression

    def _expression(self) -> Expression:
        left = self._term()
        while (token := self._peek()) is not None and token.text in _OPERATORS:
            self._next += 1
            right = self._term()
            left = (Both if _OPERATORS[token.text] == "and" else Either)(left, right)
        return left

    def _term(self) -> Expression:
        negated = False
        while (token := self._peek()) is not None and token.text in _NOT:
            self._next += 1
            negated = not negated
        operand = self._operand()
        return Not(operand) if negated else operand

    def _operand(self) -> Expression:
        token = self._take("a word such as `tcp`")
        if token.text == "(":
            return self._parenthesis(token)
        if token.text in ("less", "greater"):
            self._carried = None
            return self._length(token.text)
        if token.text in ("broadcast", "multicast"):
            self._carried = None
            return Group("", token.text == "broadcast")
        if token.text in _PROTOCOLS or token.text in _WAYS or token.text in _TYPES:
            self._next -= 1
            return self._primitive()
        if token.text in _OPERATORS or token.text == ")":
            self._fail(token, f"`{token.text}` has nothing before it; write for example `tcp`")
        if self._carried is None or token.text in _ABSENT or "[" in token.text:
            self._stands_alone(token)
        return self._value(self._carried, token)

    def _parenthesis(self, opening: _Token) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(opening, f"too deep; write at most {DEEPEST} parentheses in each other")
        inner = self._expression()
        closing = self._peek()
        if closing is None:
            self._fail(opening, "`(` is never closed; write `)`")
        if closing.text != ")":
            self._stands_alone(closing)
        self._next += 1
        self._depth -= 1
        return inner

    def _primitive(self) -> Expression:
        """Qualifiers and what follows them."""
        first = self._take("")
        protocol = ""
        token: _Token | None = first
        if first.text in _PROTOCOLS:
            protocol = first.text
            token = self._peek()
            if token is not None and token.text in ("broadcast", "multicast"):
                return self._group(protocol, token)
            if token is None or token.text not in (*_WAYS, *_TYPES):
                return self._protocol(first, token)
            self._next += 1
        assert token is not None, "the first one, or one that was looked at"
        way: Way = "any"
        if token.text in _WAYS:
            way = "src" if token.text == "src" else "dst"
            way = self._other_way(token.text, way)
            following = self._peek()
            kind = "host"
            if following is not None and following.text in _TYPES:
                self._next += 1
                token, kind = following, following.text
        else:
            kind = token.text
        self._check_kind(protocol, first, kind, token)
        qualifiers = self._carried = _Qualifiers(protocol, way, kind)
        example = {"host": "10.0.1.10", "net": "10.0.1.0/24", "port": "80"}.get(kind, "8000-8080")
        value = self._take(f"`{example}`", after=token)
        if value.text == "(":
            # `port (80 or 443)`
            return self._parenthesis(value)
        return self._value(qualifiers, value)

    def _other_way(self, word: str, way: Way) -> Way:
        """`src or dst`, `src and dst`."""
        operator, other = self._peek(), self._peek(1)
        if operator is None or other is None or operator.text not in _OPERATORS:
            return way
        following = self._peek(2)
        if other.text not in _WAYS or other.text == word or following is None:
            return way
        self._next += 2
        return "any" if _OPERATORS[operator.text] == "or" else "both"

    def _protocol(self, word: _Token, following: _Token | None) -> Expression:
        self._carried = None
        if word.text == "ether":
            self._fail(word, "`ether` of what? write `ether host 02:00:00:01:00:00`")
        ends = following is None or following.text == ")" or following.text in _OPERATORS
        if not ends and following is not None:
            self._stands_alone(following, word)
        return Protocol(word.text)

    def _group(self, protocol: str, word: _Token) -> Expression:
        self._carried = None
        self._next += 1
        is_broadcast = word.text == "broadcast"
        if protocol != "ether" and (protocol != "ip" or is_broadcast):
            self._fail(word, f"`{protocol} {word.text}` is not there; write `ether {word.text}`")
        return Group("" if protocol == "ether" else protocol, is_broadcast)

    def _length(self, word: str) -> Expression:
        token = self._take("a number of octets, `100`")
        octets = self._number(token, 1 << 20)
        return Length(0, octets) if word == "less" else Length(octets, 1 << 30)

    def _check_kind(self, protocol: str, first: _Token, kind: str, token: _Token) -> None:
        if protocol == "ether":
            if kind != "host":
                self._fail(token, f"Ethernet has no {kind}; write `ether host`")
        elif kind in ("host", "net"):
            if protocol not in _WITH_ADDRESSES:
                self._fail(
                    first, f"`{protocol} {kind}` is not there; write `{protocol} and {kind}`"
                )
        elif protocol not in _WITH_PORTS:
            self._fail(first, f"`{protocol}` has no ports; write `{kind}`, or `tcp {kind}`")

    # Values

    def _value(self, qualifiers: _Qualifiers, token: _Token) -> Expression:
        if token.text in WORDS or token.text in _OPERATORS or token.text in ("!", ")", "&", "|"):
            self._fail(token, f"`{token.text}` is no {qualifiers.kind}; write one before it")
        if qualifiers.protocol == "ether":
            return self._station(qualifiers.way, token)
        match qualifiers.kind:
            case "host":
                return self._host(qualifiers, token)
            case "net":
                return self._net(qualifiers, token)
        return self._ports(qualifiers, token)

    def _station(self, way: Way, token: _Token) -> Expression:
        if _MAC.fullmatch(token.text) is None:
            example = "write for example `02:00:00:01:00:00`"
            return self._mistake(token, f"`{token.text}` is no MAC address; {example}")
        parts = re.split(r"[:.-]", token.text)
        if len(parts) == 1:
            return Station(way, bytes.fromhex(token.text))
        return Station(way, bytes(int(part, 16) for part in parts))

    def _host(self, qualifiers: _Qualifiers, token: _Token) -> Expression:
        text = token.text
        if "/" in text:
            return self._mistake(token, f"`{text}` is no host; write `net {text}`")
        if _MAC.fullmatch(text) is not None and ":" in text:
            return self._mistake(token, f"`{text}` is a MAC address; write `ether host {text}`")
        try:
            addresses: Sequence[IpAddress] = [ipaddress.ip_address(text).packed]
        except ValueError:
            if _SHORT_NET.fullmatch(text):
                return self._mistake(token, f"`{text}` is no address; write `net {text}`")
            addresses = self._names.get(text.lower().removesuffix("."), ())
            if not addresses:
                near = _nearest(text, self._names)
                hint = "the name of a node, or an address" if near is None else f"`{near}`"
                return self._mistake(token, f"there is no host `{text}`; write {hint}")
            wanted = {"ip6": 16, "": 0}.get(qualifiers.protocol, 4)
            addresses = [each for each in addresses if wanted in (0, len(each))] or addresses
        found = [self._network(qualifiers, token, each, len(each) * 8) for each in addresses]
        expression = found[0]
        for other in found[1:]:
            expression = Either(expression, other)
        return expression

    def _net(self, qualifiers: _Qualifiers, token: _Token) -> Expression:
        text = token.text
        following = self._peek()
        mask = None
        if following is not None and following.text == "mask":
            self._next += 1
            mask = self._take("`255.255.255.0`", after=following)
        if _SHORT_NET.fullmatch(text.partition("/")[0]):
            # 10.0.1 is 10.0.1.0/24 (pcap-filter(7)).
            numbers = text.partition("/")[0].split(".")
            rest = ".0" * (4 - len(numbers))
            length = text.partition("/")[2] or str(8 * len(numbers))
            text = f"{'.'.join(numbers)}{rest}/{length}"
        if mask is not None:
            text = f"{text.partition('/')[0]}/{mask.text}"
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            try:
                right = ipaddress.ip_network(text, strict=False)
            except ValueError:
                example = "write for example `10.0.1.0/24`"
                return self._mistake(token, f"`{token.text}` is no network; {example}")
            return self._mistake(
                token, f"`{token.text}` has bits behind its prefix; write `{right}`"
            )
        address = network.network_address.packed
        return self._network(qualifiers, token, address, network.prefixlen)

    def _network(
        self, qualifiers: _Qualifiers, token: _Token, address: IpAddress, prefix: int
    ) -> Expression:
        protocol = qualifiers.protocol
        if protocol and (protocol == "ip6") != (len(address) == 16):
            other = "ip6" if len(address) == 16 else "ip"
            return self._mistake(token, f"`{token.text}` is not of `{protocol}`; write `{other}`")
        return Network(protocol, qualifiers.way, address, prefix)

    def _ports(self, qualifiers: _Qualifiers, token: _Token) -> Expression:
        first, dash, last = token.text.partition("-")
        is_service = token.text.lower() in _SERVICES
        if dash and not is_service:
            if qualifiers.kind == "port":
                message = f"`{token.text}` is no port; write `portrange {token.text}`"
                return self._mistake(token, message)
            ends = sorted(self._number(token, 65535, each) for each in (first, last))
        else:
            ends = [self._number(token, 65535)] * 2
        return Ports(qualifiers.protocol, qualifiers.way, ends[0], ends[1])

    def _number(self, token: _Token, most: int, text: str | None = None) -> int:
        text = token.text if text is None else text
        if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most:
            return int(text)
        if most == 65535 and (port := _SERVICES.get(text.lower())) is not None:
            return port
        what = "port" if most == 65535 else "number"
        self._mistake(token, f"`{text}` is no {what}; write one from 0 to {most}")
        return 0

    # Tokens and mistakes

    def _peek(self, ahead: int = 0) -> _Token | None:
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else None

    def _take(self, wanted: str, after: _Token | None = None) -> _Token:
        token = self._peek()
        if token is None:
            last = after or self._tokens[-1]
            self._fail(last, f"`{last.text}` is the end, and something is missing; add {wanted}")
        self._next += 1
        return token

    def _stands_alone(self, token: _Token, before: _Token | None = None) -> NoReturn:
        """A word that is none, or has no place here."""
        text = token.text
        if "[" in text:
            hint = "tests of bytes are not there; write `tcp`, and let tshark -Y look at the file"
        elif text in _ABSENT:
            hint = f"`{text}` is not there; write `-w FILE`, and let tshark -Y look at the file"
        elif text in ("&", "|"):
            hint = f"`{text}` is no operator; write `{text * 2}`"
        elif text in WORDS or text in ("(", "!"):
            hint = f"`{text}` comes unexpectedly; write `and` or `or` before it"
        elif before is not None and text.isdecimal():
            hint = f"`{text}` of what? write `{before.text} port {text}`"
        elif text.isdecimal():
            hint = f"`{text}` of what? write `port {text}`"
        elif near := _nearest(text, WORDS):
            hint = f"`{text}` is no word of a filter; write `{near}`"
        elif text.lower() in self._names or _is_address(text):
            kind = "net" if "/" in text else "ether host" if _MAC.fullmatch(text) else "host"
            hint = f"`{text}` of what? write `{kind} {text}`"
        elif near := _nearest(text, self._names):
            hint = f"`{text}` is no word of a filter, and no host; write `host {near}`"
        else:
            hint = (
                f"`{text}` is no word of a filter; write `host`, `net`, `port`, `tcp` or the like"
            )
        self._fail(token, hint)

    def _mistake(self, token: _Token, message: str) -> Expression:
        """What comes after it may be wrong, too."""
        self._mistakes.append(FilterMistake(token.column, len(token.text), message))
        return _ANYTHING

    def _fail(self, token: _Token, message: str) -> NoReturn:
        self._mistake(token, message)
        raise _SyntaxError


def _is_address(text: str) -> bool:
    if _MAC.fullmatch(text):
        return True
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


def _nearest(text: str, words: Iterable[str]) -> str | None:
    from difflib import get_close_matches  # only when there is a mistake to explain

    known = list(islice(words, MOST_NAMES))
    return next(iter(get_close_matches(text.lower()[:80], known, n=1, cutoff=0.6)), None)
