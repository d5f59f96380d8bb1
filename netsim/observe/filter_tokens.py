"""The words of a capture filter one after the other, and the mistakes in them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NoReturn, TypeAlias

from netsim.core.errors import FilterMistake
from netsim.wire.address import IpAddress

Names: TypeAlias = Mapping[str, Sequence[IpAddress]]
"""Of hosts, in lower case, with their addresses."""

DEEPEST: Final = 50
"""Parentheses within parentheses."""
MOST_MISTAKES: Final = 10
MOST_NAMES: Final = 2000
"""Among which the nearest to a misspelled one is looked for."""

PROTOCOLS: Final = ("ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "ether")
TYPES: Final = ("host", "net", "port", "portrange")
WAYS: Final = ("src", "dst")
WORDS: Final = (
    *PROTOCOLS, *TYPES, *WAYS, "broadcast", "multicast", "less", "greater", "len", "and", "or",
    "not",
)  # fmt: skip
COMPARED: Final = ("=", "==", "!=", "<", "<=", ">", ">=")
OPERATORS: Final = {"and": "and", "&&": "and", "or": "or", "||": "or"}
NEGATIONS: Final = ("not", "!")
ABSENT: Final = (
    "ah", "atalk", "decnet", "esp", "gateway", "igmp", "inbound", "ip6host", "ipx", "lat", "link",
    "llc", "mask", "mpls", "outbound", "pim", "ppp", "pppoes", "proto", "protochain", "stp", "type",
    "vlan", "vrrp", "wlan",
)  # fmt: skip
"""Words of tcpdump's that are not here."""
_TOKEN: Final = re.compile(
    r"\s*(&&|\|\||<<|>>|[<>=!]=|[][()!&|<>=+*/-]|[^][\s()!&|<>=+*/-][^][\s()!&|<>=+*]*)"
)
_IN_BRACKETS: Final = re.compile(r"\s*(<<|>>|[][()&|+*/:-]|[^][\s()&|+*/:-]+)")
MAC: Final = re.compile(r"[0-9a-f]{1,2}(?:[:.-][0-9a-f]{1,2}){5}|[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    column: int


class FilterSyntaxError(Exception):
    """Where the rest makes no sense any more."""


class Tokens:
    """What is written, from its first word to its last."""

    def __init__(self, written: str, names: Names) -> None:
        self.mistakes: list[FilterMistake] = []
        self._names = names
        self._tokens = _tokens_of(written)
        self._next = 0

    def peek(self, ahead: int = 0) -> Token | None:
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else None

    def closing(self) -> int:
        """How far behind the parenthesis that opens here comes what follows its end."""
        depth = 0
        for ahead, token in enumerate(self._tokens[self._next :]):
            depth += (token.text == "(") - (token.text == ")")
            if not depth:
                return ahead + 1
        return len(self._tokens)

    def skip(self, count: int = 1) -> None:
        self._next += count

    def take(self, wanted: str, after: Token | None = None) -> Token:
        token = self.peek()
        if token is None:
            last = after or self._tokens[-1]
            self.fail(last, f"`{last.text}` is the end, and something is missing; add {wanted}")
        self._next += 1
        return token

    def stands_alone(self, token: Token, before: Token | None = None) -> NoReturn:
        """A word that is none, or has no place here."""
        text = token.text
        if text in ABSENT:
            hint = f"`{text}` is not there; write `-w FILE`, and let tshark -Y look at the file"
        elif text in ("&", "|"):
            hint = f"`{text}` is no operator; write `{text * 2}`"
        elif text in (*COMPARED, "[", "len"):
            hint = f"`{text}` comes unexpectedly; write for example `tcp[13] & 2 != 0`"
        elif text in WORDS or text in ("(", "!"):
            hint = f"`{text}` comes unexpectedly; write `and` or `or` before it"
        elif before is not None and text.isdecimal():
            hint = f"`{text}` of what? write `{before.text} port {text}`"
        elif text.isdecimal():
            hint = f"`{text}` of what? write `port {text}`"
        elif near := nearest(text, WORDS):
            hint = f"`{text}` is no word of a filter; write `{near}`"
        elif text.lower() in self._names or _is_address(text):
            kind = "net" if "/" in text else "ether host" if MAC.fullmatch(text) else "host"
            hint = f"`{text}` of what? write `{kind} {text}`"
        elif near := nearest(text, self._names):
            hint = f"`{text}` is no word of a filter, and no host; write `host {near}`"
        else:
            hint = (
                f"`{text}` is no word of a filter; write `host`, `net`, `port`, `tcp` or the like"
            )
        self.fail(token, hint)

    def mistake(self, token: Token, message: str) -> None:
        self.mistakes.append(FilterMistake(token.column, len(token.text), message))

    def fail(self, token: Token, message: str) -> NoReturn:
        self.mistake(token, message)
        raise FilterSyntaxError


def _tokens_of(written: str) -> list[Token]:
    """Between brackets `:`, `/` and `-` are signs of their own, elsewhere parts of words."""
    tokens: list[Token] = []
    place = depth = 0
    while (found := (_IN_BRACKETS if depth else _TOKEN).match(written, place)) is not None:
        place = found.end()
        tokens.append(Token(found[1], found.start(1) + 1))
        depth = max(0, depth + (found[1] == "[") - (found[1] == "]"))
    return tokens


def _is_address(text: str) -> bool:
    if MAC.fullmatch(text):
        return True
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


def nearest(text: str, words: Iterable[str]) -> str | None:
    from difflib import get_close_matches  # only when there is a mistake to explain

    known = list(islice(words, MOST_NAMES))
    return next(iter(get_close_matches(text.lower()[:80], known, n=1, cutoff=0.6)), None)
