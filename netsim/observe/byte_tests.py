"""Tests of bytes in a capture filter, as of pcap-filter(7): `tcp[tcpflags] & tcp-syn != 0`.

    ip[8] < 5                 len > 1000            icmp[icmptype] = icmp-echo
    tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420     (the first bytes of what TCP carries: `GET `)

Numbers have 32 bits and no sign. In arithmetic `|` binds loosest, then `&`, shifts, `+` and `-`,
`*` and `/`.
"""

from __future__ import annotations

from typing import Final

from netsim.observe.filter_expression import (
    Calculation,
    Comparison,
    FrameLength,
    Number,
    Octets,
    Value,
)
from netsim.observe.filter_tokens import COMPARED, DEEPEST, PROTOCOLS, Token, Tokens

_BINDS: Final = {"|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5}
_NAMED: Final = {
    "tcpflags": 13, "icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1,
    "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32,
    "tcp-ece": 64, "tcp-cwr": 128,
    "icmp-echoreply": 0, "icmp-unreach": 3, "icmp-redirect": 5, "icmp-echo": 8,
    "icmp-timxceed": 11, "icmp-paramprob": 12,
}  # fmt: skip
_MOST: Final = 0xFFFFFFFF


def is_byte_test(tokens: Tokens) -> bool:
    """Whether what comes next is compared, and is no word that stands for itself."""
    first, second = tokens.peek(), tokens.peek(1)
    if first is None or second is None:
        return False
    if first.text == "(":
        second = tokens.peek(tokens.closing())
        return second is not None and second.text in (*COMPARED, *_BINDS)
    if first.text in PROTOCOLS:
        return second.text == "["
    is_value = first.text == "len" or first.text in _NAMED or first.text[0].isdecimal()
    return is_value and second.text in (*COMPARED, *_BINDS)


def byte_test(tokens: Tokens) -> Comparison:
    """Two values that are compared; FilterSyntaxError."""
    parser = _Arithmetic(tokens)
    left = parser.value()
    operator = tokens.take("`!= 0`")
    if operator.text not in COMPARED:
        tokens.fail(operator, f"`{operator.text}` compares nothing; write for example `!= 0`")
    return Comparison("=" if operator.text == "==" else operator.text, left, parser.value())


class _Arithmetic:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._depth = 0

    def value(self, least: int = 1) -> Value:
        """What operators that bind as tightly as `least` make together."""
        left = self._operand()
        while (token := self._tokens.peek()) is not None and _BINDS.get(token.text, 0) >= least:
            self._tokens.skip()
            right = self.value(_BINDS[token.text] + 1)
            if token.text == "/" and right == Number(0):
                self._tokens.fail(token, "nothing can be divided by 0; write another number")
            left = Calculation(token.text, left, right)
        return left

    def _operand(self) -> Value:
        token = self._tokens.take("a number, or bytes such as `tcp[13]`")
        if token.text == "(":
            inner = self._inside(token)
            self._end(token, ")")
            return inner
        if token.text in PROTOCOLS:
            return self._octets(token)
        if token.text == "len":
            return FrameLength()
        number = _NAMED.get(token.text)
        if number is None:
            number = self._number(token)
        return Number(number)

    def _inside(self, opening: Token) -> Value:
        self._depth += 1
        if self._depth > DEEPEST:
            self._tokens.fail(
                opening, f"too deep; write at most {DEEPEST} parentheses in each other"
            )
        inner = self.value()
        self._depth -= 1
        return inner

    def _end(self, opening: Token, closing: str) -> None:
        token = self._tokens.peek()
        if token is None:
            self._tokens.fail(opening, f"`{opening.text}` is never closed; write `{closing}`")
        if token.text != closing:
            self._tokens.fail(token, f"`{token.text}` comes unexpectedly; write `{closing}`")
        self._tokens.skip()

    def _octets(self, protocol: Token) -> Octets:
        opening = self._tokens.take("`[13]`", after=protocol)
        if opening.text != "[":
            self._tokens.fail(protocol, f"`{protocol.text}` of what? write `{protocol.text}[13]`")
        at, size = self._inside(opening), 1
        following = self._tokens.peek()
        if following is not None and following.text == ":":
            self._tokens.skip()
            written = self._tokens.take("`2`", after=following)
            size = self._number(written)
            if size not in (1, 2, 4):
                self._tokens.fail(written, f"`{written.text}` bytes are no number; write 1, 2 or 4")
        self._end(opening, "]")
        return Octets(protocol.text, at, size)

    def _number(self, token: Token) -> int:
        """As in C: 13, 0x0d, 015."""
        text = token.text
        is_octal = len(text) > 1 and text.isdecimal() and text[0] == "0"
        try:
            number = int(text, 8 if is_octal else 0)
        except ValueError:
            number = -1
        if "_" in text or not 0 <= number <= _MOST:
            self._tokens.fail(token, f"`{text}` is no number; write for example `13` or `0x0d`")
        return number
