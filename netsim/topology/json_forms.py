"""How the words of a topology file look in JSON Schema: what an editor can know by itself.

A form admits all that the function of the same name in `words` admits, and as little else as a
regular expression can say (ECMA 262, as JSON Schema demands: no flags, `^` and `$` written out).
Whatever depends on another word of the file is left to `netsim validate`.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Form: TypeAlias = dict[str, Any]

_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_ADDRESS: Final = rf"{_OCTET}(\.{_OCTET}){{3}}"
_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NODE: Final = "[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_LOCALHOST: Final = "[lL][oO][cC][aA][lL][hH][oO][sS][tT]"
_INTERFACE: Final = "(?!lo$)[A-Za-z][A-Za-z0-9_.-]{0,14}"
_TCP_PORT: Final = (
    "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_DOTTED: Final = r"[^\s:.0-9][^\s:.]*(\.[^\s:.0-9][^\s:.]*)*"


def text(pattern: str, *examples: str) -> Form:
    """Text that `pattern` matches whole."""
    return {"type": "string", "pattern": f"^{pattern}$", "examples": list(examples)}


def whole(least: int, most: int | None = None) -> Form:
    """A whole number in these bounds."""
    return {"type": "integer", "minimum": least} | ({} if most is None else {"maximum": most})


def either(*forms: Form) -> Form:
    """Any of several forms."""
    return {"anyOf": list(forms)}


# Names may look like numbers to YAML: `1: {kind: router}`.
NETWORK_NAME: Final = {
    "type": ["string", "integer"],
    "pattern": f"^(?!localhost$){_LABEL}$",
    "minimum": 0,
    "maxLength": 63,
}
NAME: Final = {
    "type": ["string", "integer"],
    "pattern": f"^(?!{_LOCALHOST}$){_NODE}$",
    "minimum": 0,
    "maxLength": 63,
}
DOMAIN: Final = text(rf"{_LABEL}(\.{_LABEL})*", "campus.test") | {"maxLength": 190}
PACKAGE: Final = text("[A-Za-z_][A-Za-z0-9_]*", "celery")
INTERFACE: Final = text("[A-Za-z][A-Za-z0-9_.-]{0,14}", "eth0")
ENDPOINT: Final = {
    "type": ["string", "integer"],
    "pattern": f"^(?!{_LOCALHOST}(:|$)){_NODE}(:{_INTERFACE})?$",
    "minimum": 0,
    "examples": ["s1", "r1:eth0"],
}
ENDPOINTS: Final = {"type": "array", "items": ENDPOINT, "minItems": 2, "maxItems": 2}

HOST_ADDRESS: Final = text(f"{_ADDRESS}/0*([1-9]|[12][0-9]|3[0-2])", "10.0.3.10/24")
PREFIX: Final = text(f"{_ADDRESS}/0*([12]?[0-9]|3[0-2])", "10.9.0.0/16", "10.0.0.0/8")
ROUTE_TARGET: Final = either({"const": "default"}, PREFIX)
NEXT_HOP: Final = either(text(_ADDRESS, "10.0.1.1"), NAME)
SUBNET_LENGTH: Final = whole(8, 30)

COUNT: Final = whole(1, 10_000)
SEED: Final = {"type": "integer"}
TCP_PORT: Final = text(_TCP_PORT, "80")
VARIABLE: Final = text("[A-Za-z_][A-Za-z0-9_]*", "SHOP_DB")
VALUE: Final = {"type": ["string", "integer"]}
REFERENCE: Final = text(f"{_DOTTED}:{_DOTTED}", "netsim.services.httpbin:create_app")
ATTACH: Final = text("tap:[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}", "tap:tap0")
FOLDER: Final = {"type": "string", "minLength": 1, "examples": ["./site"]}
CONGESTION: Final = {"enum": ["cubic", "reno"]}
ECN: Final = {"type": "boolean"}
UPSTREAM: Final = either(
    text(rf"([A-Za-z0-9._-]{{1,253}}|\[[0-9A-Fa-f:.]+\]):{_TCP_PORT}", "127.0.0.1:5432"),
    text("unix:/[^\\u0000]*", "unix:/run/redis.sock"),
)
TLS: Final = {"type": "boolean"}
ORDER: Final = text("(fifo|random|pct(:[1-9][0-9]?)?)", "fifo", "random", "pct:3")
READY: Final = either(whole(1, 65535), REFERENCE)
RESTART: Final = {"enum": ["never", "on-failure"]}
OUTSIDE: Final = {"enum": ["refuse", "allow"]}
PORT_FORWARD: Final = text(
    rf"((localhost|127(\.{_OCTET}){{3}}|\[[0-9a-fA-F:.]+\])?:)?"
    rf"0*([0-9]|{_TCP_PORT}):[^:\[\]]+:{_TCP_PORT}",
    "127.0.0.1:8080:web:80",
    "8080:web:80",
)
