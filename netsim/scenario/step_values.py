"""What may stand behind one word of a scenario file: written form to checked value.

As in `netsim.topology.values`: a ValueError says what is wrong and what to write instead. At the
end: how these words look in JSON Schema, beside those that topology files share.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from netsim.core.errors import InvalidNameError
from netsim.core.units import (
    DURATION_UNITS,
    RATE_UNITS,
    parse_duration,
    parse_size,
    quantity_pattern,
)
from netsim.topology import json_forms as forms
from netsim.topology.addresses import ip_address
from netsim.topology.naming import check_attribute
from netsim.topology.values import Endpoint, endpoint, node_name

_METHOD: Final = re.compile(r"[A-Za-z]{1,20}")
_LABEL: Final = "[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?"
_LABELS: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
_MOST_TIMES: Final = 1_000_000


def scenario_name(written: object) -> str:
    """A line of text."""
    if isinstance(written, str) and written.strip() and not _UNPRINTABLE.search(written):
        return written
    raise ValueError("a scenario's name is a line of text; write what it shows")


def file_path(written: object) -> str:
    """A path as written."""
    if isinstance(written, str) and written and "\0" not in written:
        return written
    raise ValueError("this is no path; write for example `../../topologies/campus.yaml`")


def positive_duration(written: object) -> int:
    """ns above 0."""
    ns = parse_duration(written)
    if ns == 0:
        raise ValueError("this cannot be 0; write for example `1s`")
    return ns


def size(written: object) -> int:
    """Bytes above 0."""
    octets = parse_size(written)
    if octets == 0:
        raise ValueError("0 bytes are nothing to transfer; write for example `20MiB`")
    return octets


def ping_size(written: object) -> int:
    """Bytes of data in an echo request."""
    octets = parse_size(written)
    if octets > 65_507:
        raise ValueError(f"{octets} bytes do not fit in an IP packet; write at most `65507B`")
    return octets


def times(written: object) -> int:
    """How often."""
    if isinstance(written, bool) or not isinstance(written, int) or not 1 <= written <= _MOST_TIMES:
        most = f"write a whole number from 1 to {_MOST_TIMES}"
        raise ValueError(f"`{str(written)[:40]}` is no number of times; {most}")
    return written


def url(written: object) -> str:
    """`http://web/ip`."""
    try:
        parts = urlsplit(written) if isinstance(written, str) else None
        good = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and (parts is not None and (parts.port is None or parts.port > 0))
    except ValueError:
        good = False
    if good and isinstance(written, str) and not re.search(r"\s", written):
        return written
    raise ValueError(f"`{str(written)[:60]}` is no URL; write for example `http://web/ip`")


def method(written: object) -> str:
    """An HTTP method in capitals."""
    if isinstance(written, str) and _METHOD.fullmatch(written):
        return written.upper()
    raise ValueError(f"`{str(written)[:40]}` is no method; write for example `POST`")


def text(written: object) -> str:
    """Text; numbers and booleans as they are written in YAML."""
    if isinstance(written, bool):
        return str(written).lower()
    if isinstance(written, (str, int, float)):
        return str(written)
    raise ValueError("this is no text; write it in quotes")


def host(written: object) -> str:
    """A node's name, with or without the domain, or an address."""
    if isinstance(written, int) and not isinstance(written, bool):
        return str(written)
    if isinstance(written, str) and re.fullmatch(r"[0-9]+(\.[0-9]*)+", written):
        ip_address(written)
        return written
    if isinstance(written, str) and _LABELS.fullmatch(written) and len(written) <= 253:
        return written
    raise ValueError(f"`{str(written)[:60]}` is no host; write a node's name or an address")


def a_record(written: object) -> str:
    """An address, or `none`: there is no such name."""
    if not isinstance(written, str):
        raise ValueError("this is no address; write for example `10.0.3.10`, or `none`")
    if written != "none":
        ip_address(written)
    return written


def link(written: object) -> tuple[Endpoint, Endpoint]:
    """`[r1, r2]`, or `[r1:eth1, r2]` where there are several."""
    if not isinstance(written, list):
        raise ValueError("a link is named by its ends; write for example `[r1, r2]`")
    if len(written) != 2:
        raise ValueError(f"a link has two ends, not {len(written)}; write for example `[r1, r2]`")
    return endpoint(written[0]), endpoint(written[1])


def groups(written: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`[[alice, bob], [web]]`."""
    example = "write for example `[[alice, bob], [web]]`"
    if not isinstance(written, list) or not all(isinstance(group, list) for group in written):
        raise ValueError(f"a partition is between two groups of nodes; {example}")
    if len(written) != 2 or not all(written):
        raise ValueError(f"a partition is between two groups with a node in each; {example}")
    first, second = (tuple(node_name(name) for name in group) for group in written)
    both = sorted(set(first) & set(second))
    if both:
        raise ValueError(f"`{both[0]}` is in both groups; write it in one of them")
    return first, second


def port(written: object) -> int:
    """1 to 65535."""
    if isinstance(written, bool) or not isinstance(written, int) or not 0 < written < 65_536:
        raise ValueError(f"`{str(written)[:40]}` is no port; write 1 to 65535")
    return written


def byte_count(written: object) -> int:
    """Bytes, 0 or more."""
    return parse_size(written)


def call(written: object) -> str:
    """`module:attr` of a function."""
    return check_attribute(written, "mychecks.shop:checkout")


def watched_points(written: object) -> tuple[Endpoint, ...]:
    """`r1`, `r1:eth0`, or a list of such."""
    if not isinstance(written, list):
        return (_watched_point(written),)
    if not written:
        raise ValueError("nothing is named; write `r1:eth0`, or `r1` for all its interfaces")
    return tuple(map(_watched_point, written))


def _watched_point(written: object) -> Endpoint:
    try:
        return endpoint(written)
    except InvalidNameError:
        raise
    except ValueError:
        raise ValueError("this is no interface; write `r1:eth0`, or `r1` for all of them") from None


# How they look in JSON Schema -------------------------------------------------------------------

_COUNT_PATTERN: Final = "[0-9]{1,18}"
_PERCENTAGE_PATTERN: Final = r"[0-9]{1,18}(\.[0-9]{1,18})? ?%"


def _expected(number: str, *examples: str) -> forms.Form:
    """A number, compared or with a tolerance."""
    tolerance = rf"(±|\+-|\+/-) ?({number}|{_PERCENTAGE_PATTERN})"
    return forms.text(f"(((<=|>=|<|>) ?)?{number}|{number} ?{tolerance})", *examples)


EXPECTED_DURATION: Final = _expected(quantity_pattern(DURATION_UNITS), "5.6ms ± 0.3ms", "< 50ms")
EXPECTED_RATE: Final = _expected(quantity_pattern(RATE_UNITS), ">= 80mbit", "10mbit ± 5%")
EXPECTED_PERCENTAGE: Final = _expected(_PERCENTAGE_PATTERN, "0%", "<= 5%", "5% ± 2%")
EXPECTED_STATUS: Final = forms.either(forms.whole(0), _expected(_COUNT_PATTERN, "< 500"))

SCENARIO_NAME: Final = {
    "type": "string",
    "minLength": 1,
    "examples": ["the uplink fails and nobody notices"],
}
FILE: Final = {"type": "string", "minLength": 1}
TEXT: Final = {"type": ["string", "integer", "number", "boolean"]}
URL: Final = forms.text(r"https?://[^\s/]+(/\S*)?", "http://web/ip")
METHOD: Final = forms.text("[A-Za-z]+", "GET", "POST")
COUNT: Final = forms.whole(1, 1_000_000)
HOST: Final = forms.either(
    forms.NAME, forms.text(r"[A-Za-z0-9_.-]+", "web.campus.test", "10.0.3.10")
)
WATCHED_POINTS: Final = forms.either(
    forms.ENDPOINT, {"type": "array", "items": forms.ENDPOINT, "minItems": 1}
)
PORT: Final = forms.whole(1, 65_535)
GROUPS: Final = {
    "type": "array",
    "items": {"type": "array", "items": forms.NAME, "minItems": 1},
    "minItems": 2,
    "maxItems": 2,
    "examples": [[["alice", "bob"], ["web"]]],
}
A_RECORD: Final = forms.either(
    {"const": "none"}, forms.text(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", "10.0.3.10")
)
SEARCH_ORDER: Final = forms.text(
    "(fifo|random|exhaustive|pct(:[1-9][0-9]?)?)", "fifo", "random", "pct:3", "exhaustive"
)
REPAIR: Final[forms.Form] = {"const": "repair"}
