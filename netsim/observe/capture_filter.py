"""The words of a capture filter, tcpdump's (pcap-filter(7)), and what they mean.

    host web                      src host 10.0.1.10          net 10.0.1.0/24
    tcp port 80 or 443            portrange 8000-8080         ether host 02:00:00:01:00:00
    icmp or arp                   not (udp and dst port 53)   tcp[13] & 2 != 0

`and` and `or` bind equally, from left to right; `not` binds tighter. A value without words before
it takes those of the value before: `port 80 or 443`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netsim.core.errors import FilterMistake, InvalidFilterError
from netsim.observe.byte_tests import byte_test, is_byte_test
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
from netsim.observe.filter_tokens import (
    ABSENT,
    DEEPEST,
    MAC,
    MOST_MISTAKES,
    NEGATIONS,
    OPERATORS,
    PROTOCOLS,
    TYPES,
    WAYS,
    WORDS,
    FilterSyntaxError,
    Names,
    Token,
    Tokens,
    nearest,
)
from netsim.wire.address import IpAddress

MOST_CHARACTERS: Final = 2000

_WITH_ADDRESSES: Final = ("", "ip", "ip6", "arp", "rarp")
_WITH_PORTS: Final = ("", "tcp", "udp", "sctp")
_SERVICES: Final = {
    "bootpc": 68, "bootps": 67, "domain": 53, "echo": 7, "ftp": 21, "http": 80, "http-alt": 8080,
    "https": 443, "imap": 143, "mysql": 3306, "ntp": 123, "pop3": 110, "postgresql": 5432,
    "redis": 6379, "smtp": 25, "snmp": 161, "ssh": 22, "syslog": 514, "telnet": 23, "tftp": 69,
}  # fmt: skip
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
class _Qualifiers:
    """The words before a value."""

    protocol: str
    way: Way
    kind: str


_ANYTHING: Final = Length(0, 1 << 30)
"""In the place of what was wrong."""


class _Parser:
    def __init__(self, written: str, names: Names) -> None:
        self._written = written
        self._names = names
        self._tokens = Tokens(written, names)
        self._depth = 0
        self._carried: _Qualifiers | None = None
        """Those of the last value."""

    def result(self) -> Expression | None:
        expression = None
        try:
            if self._tokens.peek() is not None:
                expression = self._expression()
                if (token := self._tokens.peek()) is not None:
                    self._tokens.stands_alone(token)
        except FilterSyntaxError:
            pass
        if self._tokens.mistakes:
            raise InvalidFilterError(self._written, self._tokens.mistakes[:MOST_MISTAKES])
        return expression

    def _expression(self) -> Expression:
        left = self._term()
        while (token := self._tokens.peek()) is not None and token.text in OPERATORS:
            self._tokens.skip()
            right = self._term()
            left = (Both if OPERATORS[token.text] == "and" else Either)(left, right)
        return left

    def _term(self) -> Expression:
        negated = False
        while (token := self._tokens.peek()) is not None and token.text in NEGATIONS:
            self._tokens.skip()
            negated = not negated
        operand = self._operand()
        return Not(operand) if negated else operand

    def _operand(self) -> Expression:
        if is_byte_test(self._tokens):
            self._carried = None
            return byte_test(self._tokens)
        token = self._tokens.take("a word such as `tcp`")
        if token.text == "(":
            return self._parenthesis(token)
        if token.text in ("less", "greater"):
            self._carried = None
            return self._length(token.text)
        if token.text in ("broadcast", "multicast"):
            self._carried = None
            return Group("", token.text == "broadcast")
        if token.text in PROTOCOLS or token.text in WAYS or token.text in TYPES:
            return self._primitive(token)
        if token.text in OPERATORS or token.text == ")":
            self._tokens.fail(
                token, f"`{token.text}` has nothing before it; write for example `tcp`"
            )
        if self._carried is None or token.text in ABSENT:
            self._tokens.stands_alone(token)
        return self._value(self._carried, token)

    def _parenthesis(self, opening: Token) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            self._tokens.fail(
                opening, f"too deep; write at most {DEEPEST} parentheses in each other"
            )
        inner = self._expression()
        closing = self._tokens.peek()
        if closing is None:
            self._tokens.fail(opening, "`(` is never closed; write `)`")
        if closing.text != ")":
            self._tokens.stands_alone(closing)
        self._tokens.skip()
        self._depth -= 1
        return inner

    def _primitive(self, first: Token) -> Expression:
        """Qualifiers and what follows them."""
        protocol = ""
        token: Token | None = first
        if first.text in PROTOCOLS:
            protocol = first.text
            token = self._tokens.peek()
            if token is not None and token.text in ("broadcast", "multicast"):
                return self._group(protocol, token)
            if token is None or token.text not in (*WAYS, *TYPES):
                return self._protocol(first, token)
            self._tokens.skip()
        assert token is not None, "the first one, or one that was looked at"
        way: Way = "any"
        if token.text in WAYS:
            way = "src" if token.text == "src" else "dst"
            way = self._other_way(token.text, way)
            following = self._tokens.peek()
            kind = "host"
            if following is not None and following.text in TYPES:
                self._tokens.skip()
                token, kind = following, following.text
        else:
            kind = token.text
        self._check_kind(protocol, first, kind, token)
        qualifiers = self._carried = _Qualifiers(protocol, way, kind)
        example = {"host": "10.0.1.10", "net": "10.0.1.0/24", "port": "80"}.get(kind, "8000-8080")
        value = self._tokens.take(f"`{example}`", after=token)
        if value.text == "(":
            # `port (80 or 443)`
            return self._parenthesis(value)
        return self._value(qualifiers, value)

    def _other_way(self, word: str, way: Way) -> Way:
        """`src or dst`, `src and dst`."""
        operator, other = self._tokens.peek(), self._tokens.peek(1)
        if operator is None or other is None or operator.text not in OPERATORS:
            return way
        following = self._tokens.peek(2)
        if other.text not in WAYS or other.text == word or following is None:
            return way
        self._tokens.skip(2)
        return "any" if OPERATORS[operator.text] == "or" else "both"

    def _protocol(self, word: Token, following: Token | None) -> Expression:
        self._carried = None
        if word.text == "ether":
            self._tokens.fail(word, "`ether` of what? write `ether host 02:00:00:01:00:00`")
        ends = following is None or following.text == ")" or following.text in OPERATORS
        if not ends and following is not None:
            self._tokens.stands_alone(following, word)
        return Protocol(word.text)

    def _group(self, protocol: str, word: Token) -> Expression:
        self._carried = None
        self._tokens.skip()
        is_broadcast = word.text == "broadcast"
        if protocol != "ether" and (protocol != "ip" or is_broadcast):
            self._tokens.fail(
                word, f"`{protocol} {word.text}` is not there; write `ether {word.text}`"
            )
        return Group("" if protocol == "ether" else protocol, is_broadcast)

    def _length(self, word: str) -> Expression:
        token = self._tokens.take("a number of octets, `100`")
        octets = self._number(token, 1 << 20)
        return Length(0, octets) if word == "less" else Length(octets, 1 << 30)

    def _check_kind(self, protocol: str, first: Token, kind: str, token: Token) -> None:
        if protocol == "ether":
            if kind != "host":
                self._tokens.fail(token, f"Ethernet has no {kind}; write `ether host`")
        elif kind in ("host", "net"):
            if protocol not in _WITH_ADDRESSES:
                self._tokens.fail(
                    first, f"`{protocol} {kind}` is not there; write `{protocol} and {kind}`"
                )
        elif protocol not in _WITH_PORTS:
            self._tokens.fail(first, f"`{protocol}` has no ports; write `{kind}`, or `tcp {kind}`")

    # Values

    def _value(self, qualifiers: _Qualifiers, token: Token) -> Expression:
        if token.text in WORDS or token.text in OPERATORS or token.text in ("!", ")", "&", "|"):
            self._tokens.fail(token, f"`{token.text}` is no {qualifiers.kind}; write one before it")
        if qualifiers.protocol == "ether":
            return self._station(qualifiers.way, token)
        match qualifiers.kind:
            case "host":
                return self._host(qualifiers, token)
            case "net":
                return self._net(qualifiers, token)
        return self._ports(qualifiers, token)

    def _station(self, way: Way, token: Token) -> Expression:
        if MAC.fullmatch(token.text) is None:
            example = "write for example `02:00:00:01:00:00`"
            return self._mistake(token, f"`{token.text}` is no MAC address; {example}")
        parts = re.split(r"[:.-]", token.text)
        if len(parts) == 1:
            return Station(way, bytes.fromhex(token.text))
        return Station(way, bytes(int(part, 16) for part in parts))

    def _host(self, qualifiers: _Qualifiers, token: Token) -> Expression:
        text = token.text
        if "/" in text:
            return self._mistake(token, f"`{text}` is no host; write `net {text}`")
        if MAC.fullmatch(text) is not None and ":" in text:
            return self._mistake(token, f"`{text}` is a MAC address; write `ether host {text}`")
        try:
            addresses: Sequence[IpAddress] = [ipaddress.ip_address(text).packed]
        except ValueError:
            if _SHORT_NET.fullmatch(text):
                return self._mistake(token, f"`{text}` is no address; write `net {text}`")
            addresses = self._names.get(text.lower().removesuffix("."), ())
            if not addresses:
                near = nearest(text, self._names)
                hint = "the name of a node, or an address" if near is None else f"`{near}`"
                return self._mistake(token, f"there is no host `{text}`; write {hint}")
            wanted = {"ip6": 16, "": 0}.get(qualifiers.protocol, 4)
            addresses = [each for each in addresses if wanted in (0, len(each))] or addresses
        found = [self._network(qualifiers, token, each, len(each) * 8) for each in addresses]
        expression = found[0]
        for other in found[1:]:
            expression = Either(expression, other)
        return expression

    def _net(self, qualifiers: _Qualifiers, token: Token) -> Expression:
        text = token.text
        following = self._tokens.peek()
        mask = None
        if following is not None and following.text == "mask":
            self._tokens.skip()
            mask = self._tokens.take("`255.255.255.0`", after=following)
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
        self, qualifiers: _Qualifiers, token: Token, address: IpAddress, prefix: int
    ) -> Expression:
        protocol = qualifiers.protocol
        if protocol and (protocol == "ip6") != (len(address) == 16):
            other = "ip6" if len(address) == 16 else "ip"
            return self._mistake(token, f"`{token.text}` is not of `{protocol}`; write `{other}`")
        return Network(protocol, qualifiers.way, address, prefix)

    def _ports(self, qualifiers: _Qualifiers, token: Token) -> Expression:
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

    def _number(self, token: Token, most: int, text: str | None = None) -> int:
        text = token.text if text is None else text
        if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most:
            return int(text)
        if most == 65535 and (port := _SERVICES.get(text.lower())) is not None:
            return port
        what = "port" if most == 65535 else "number"
        self._tokens.mistake(token, f"`{text}` is no {what}; write one from 0 to {most}")
        return 0

    def _mistake(self, token: Token, message: str) -> Expression:
        """What comes after it may be wrong, too."""
        self._tokens.mistake(token, message)
        return _ANYTHING
