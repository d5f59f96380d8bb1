"""From the words of a file to links: ends resolved, interfaces named, attributes by direction.

Precedence is `egress`, then the link, then `defaults.link`, word by word.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from netsim.core.errors import InvalidFileError, InvalidValueError
from netsim.core.link_attributes import LINK_ATTRIBUTES, LinkAttributes, contradiction
from netsim.topology.checked_topology import End, Link
from netsim.topology.findings import Findings
from netsim.topology.link_words import DirectionWords, LinkDefaultWords, LinkWords
from netsim.topology.topology_words import TopologyWords
from netsim.topology.trace_file import TraceFiles
from netsim.topology.values import Endpoint

MAX_LINKS: Final = 50_000


class _Written(NamedTuple):
    """A link of the file."""

    words: LinkWords
    path: Sequence[object]


def expand_links(
    topology: TopologyWords, members: Mapping[str, list[str]], folder: Path, findings: Findings
) -> tuple[list[Link], bool]:
    """Links in file order, and whether these are all. A counted end gives a link for each node.

    The links of `topology` are used up: of forty thousand only one form at a time is kept.
    Relative paths are below `folder`.
    A link that does not hold is reported and left out. Too many stop at once, before anything is
    unrolled.
    """
    standing_for = {name: [name] for names in members.values() for name in names} | dict(members)
    written = list(_resolve(topology, standing_for, members, findings))
    total = sum(
        math.prod(len(standing_for[name]) for name, _ in words.endpoints) for words, _ in written
    )
    if total > MAX_LINKS:
        message = f"{total} links are too many; write at most {MAX_LINKS}"
        findings.report(("links",), message, at_key=True)
        findings.stop_if_any()
    names = _InterfaceNames(written, standing_for, findings)
    default = topology.defaults.link if topology.defaults else None
    traces = TraceFiles(folder)
    links = []
    alike: dict[LinkAttributes, LinkAttributes] = {}
    is_whole = len(written) == len(topology.links or [])
    if topology.links is not None:
        topology.links.clear()
    written.reverse()
    while written:
        words, path = written.pop()
        (first_name, first_interface), (second_name, second_interface) = words.endpoints
        a_to_b, b_to_a = (
            _attributes(_egress(words, end), words, default, traces, path=path, findings=findings)
            for end in words.endpoints
        )
        a_to_b, b_to_a = alike.setdefault(a_to_b, a_to_b), alike.setdefault(b_to_a, b_to_a)
        for first in standing_for[first_name]:
            for second in standing_for[second_name]:
                a = names.end(first, first_interface)
                b = names.end(second, second_interface)
                links.append(Link(a, b, a_to_b, b_to_a, path))
    return links, is_whole


# Ends -----------------------------------------------------------------------------------------

_OUTSIDE: Final = dict.fromkeys(
    ("dummy", "host", "macvlan", "mgmt-net", "vxlan"),
    "write a computer with `attach: tap:NAME` for this machine, or `ports` to publish ports",
)
"""Ends of links that containerlab knows."""


def _resolve(
    topology: TopologyWords,
    standing_for: Mapping[str, list[str]],
    members: Mapping[str, list[str]],
    findings: Findings,
) -> Iterator[_Written]:
    for index, words in enumerate(topology.links or []):
        path = ("links", index)
        unknown = not words.endpoints  # its words were refused already
        for place, (name, _) in enumerate(words.endpoints):
            if name not in standing_for:
                instead = _OUTSIDE.get(name) or findings.suggest(name, members)
                message = f"there is no node `{name}`; {instead}"
                findings.report((*path, "endpoints", place), message)
                unknown = True
        if unknown:
            continue
        first, second = (standing_for[name] for name, _ in words.endpoints)
        mistake = _mistake_in_ends(words, first, second)
        if mistake is not None:
            place, message = mistake
            findings.report((*path, "endpoints", place), message)
            continue
        _check_egress(words, path, findings)
        yield _Written(words, path)


def _mistake_in_ends(
    words: LinkWords, first: list[str], second: list[str]
) -> tuple[int, str] | None:
    """Which end is wrong (0 or 1), and what to write."""
    if set(first) & set(second):
        name = words.endpoints[1][0]
        return 1, f"`{name}` is linked to itself; write two different nodes"
    if len(first) > 1 and len(second) > 1:
        return 1, "both ends are counted; put a switch between them, or write each pair"
    for place, (own, other) in enumerate(((first, second), (second, first))):
        name, interface = words.endpoints[place]
        if interface is not None and len(own) == 1 and len(other) > 1:
            what = f"{len(other)} links cannot share the interface `{interface}`"
            return place, f"{what}; write `{name}` alone"
    return None


def _check_egress(words: LinkWords, path: Sequence[object], findings: Findings) -> None:
    names = [name for name, _ in words.endpoints]
    for name, interface in words.egress or {}:
        if not any(_is_end((name, interface), end) for end in words.endpoints):
            written = name if interface is None else f"{name}:{interface}"
            message = f"`{written}` is no end of this link; write `{names[0]}` or `{names[1]}`"
            findings.report((*path, "egress", written), message, at_key=True)


def _is_end(written: Endpoint, end: Endpoint) -> bool:
    return written[0] == end[0] and written[1] in (None, end[1])


class _InterfaceNames:
    """Gives every end its interface: the name that is written, else the next free ethN."""

    def __init__(
        self,
        written: list[_Written],
        standing_for: Mapping[str, list[str]],
        findings: Findings,
    ) -> None:
        self._taken: set[End] = set()
        self._next: dict[str, int] = {}
        for words, path in written:
            for place, (name, interface) in enumerate(words.endpoints):
                for node in standing_for[name] if interface is not None else []:
                    end = End(node, interface or "")
                    if end in self._taken:
                        what = f"`{node}` has another link at its `{interface}`"
                        message = f"{what}; write another interface, or `{node}` alone"
                        findings.report((*path, "endpoints", place), message)
                    self._taken.add(end)

    def end(self, node: str, interface: str | None) -> End:
        if interface is not None:
            return End(node, interface)
        number = self._next.get(node, 0)
        while (end := End(node, _numbered(number))) in self._taken:
            number += 1
        self._next[node] = number + 1
        return end


@functools.lru_cache(None)
def _numbered(number: int) -> str:
    """One object for all nodes."""
    return f"eth{number}"


# Attributes -----------------------------------------------------------------------------------


def _egress(words: LinkWords, end: Endpoint) -> DirectionWords | None:
    for written, direction in (words.egress or {}).items():
        if _is_end(written, end):
            return direction
    return None


def _attributes(
    egress: DirectionWords | None,
    link: LinkWords,
    default: LinkDefaultWords | None,
    traces: TraceFiles,
    *,
    path: Sequence[object],
    findings: Findings,
) -> LinkAttributes:
    layers = [layer for layer in (egress, link, default) if layer is not None]
    chosen = {word: value for layer in reversed(layers) for word, value in layer.written()}
    attributes = LinkAttributes(
        **{each.field: chosen[each.word] for each in LINK_ATTRIBUTES if each.word in chosen}
    )
    try:
        attributes = traces.in_attributes(attributes)
    except InvalidValueError as error:
        findings.report((*path, "bandwidth", "file"), str(error))
    except InvalidFileError as error:
        findings.report_elsewhere(error)
    mistake = contradiction(attributes)
    if mistake is not None:
        word, message = mistake
        findings.report((*path, word), message)
    return attributes
