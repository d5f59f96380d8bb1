"""The vocabulary's view of a topology file, in pieces where it is long.

All mistakes of a wrong file of a megabyte together would take hundreds of megabytes, and a person
reads the first hundred.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError

from netsim.core.errors import MOST_PROBLEMS
from netsim.topology.findings import Findings, report_words
from netsim.topology.leave_out_mistakes import without_mistakes
from netsim.topology.topology_words import TopologyWords
from netsim.topology.values import MAX_NODES, count

PIECE: Final = 1_000
"""Nodes or links."""
_SECTIONS: Final = (("nodes", dict), ("links", list))


def read_words(written: Any, findings: Findings) -> tuple[TopologyWords, bool]:
    """The vocabulary's view of `written`, and whether all nodes and links are in it.

    Mistakes go to `findings`, which raises them where nothing can be made of the rest, and where
    they are more than a person reads. Too many nodes are refused before anything is made of them.
    """
    _check_number_of_nodes(written, findings)
    try:
        return TopologyWords.model_validate(_with_long_sections_read(written, findings)), True
    except ValidationError as error:
        report_words(error, findings, written=written)
        if findings.is_full:
            findings.stop_if_any()
        rest = without_mistakes(written, error)
    if rest is None:
        findings.stop_if_any()
    assert rest is not None
    return rest


def _with_long_sections_read(written: Any, findings: Findings) -> Any:
    """`written` with its nodes and links as words, if they are many; as it is, if some are wrong.

    Of more mistakes than a person reads the first go to `findings`, which raises them; the others
    are counted.
    """
    if not isinstance(written, dict) or not _is_long(written):
        return written
    nodes: dict[Any, Any] = {}
    links: list[Any] = []
    wrong: list[tuple[ValidationError, int]] = []
    mistakes = 0
    for piece, first_link in _pieces(written):
        try:
            words = TopologyWords.model_validate(piece)
        except ValidationError as error:
            mistakes += error.error_count()
            if mistakes - error.error_count() < MOST_PROBLEMS:
                wrong.append((error, first_link))
        else:
            if not wrong:
                nodes |= zip(piece["nodes"], words.nodes.values(), strict=True)
                links += words.links or []
    if mistakes >= MOST_PROBLEMS:
        for refused, first_link in wrong:
            report_words(refused, findings, written=written, first_link=first_link)
            mistakes -= refused.error_count()
        findings.found += mistakes
        findings.stop_if_any()
    return written if wrong else written | {"nodes": nodes, "links": links}


def _check_number_of_nodes(written: Any, findings: Findings) -> None:
    nodes = written.get("nodes") if isinstance(written, dict) else None
    if isinstance(nodes, dict):
        total = sum(map(_number_of, nodes.values()))
        if total > MAX_NODES:
            message = f"{total} nodes are too many; write at most {MAX_NODES}"
            findings.report(("nodes",), message, at_key=True)
            findings.stop_if_any()


def _number_of(node: Any) -> int:
    """For how many it stands; one where that is wrong, which the words tell."""
    written = node.get("count") if isinstance(node, dict) else None
    try:
        return 1 if written is None else count(written)
    except ValueError:
        return 1


def _is_long(written: dict[Any, Any]) -> bool:
    return sum(len(_in(written, section, kind)) for section, kind in _SECTIONS) > PIECE


def _in(written: dict[Any, Any], section: str, kind: type[Any]) -> Any:
    """What is in a section; nothing where it is no such thing, which the words tell."""
    found = written.get(section)
    return found if isinstance(found, kind) else kind()


def _pieces(written: dict[Any, Any]) -> Iterator[tuple[dict[Any, Any], int]]:
    """Topologies that together hold what `written` does, each with the number of its first link."""
    nodes, links = (_in(written, *section) for section in _SECTIONS)
    empty: dict[str, Any] = {
        name: kind() for name, kind in _SECTIONS if isinstance(written.get(name), kind)
    }
    yield written | empty, 0
    nodes = iter(nodes.items())
    while some := dict(islice(nodes, PIECE)):
        yield {"name": "piece", "nodes": some, "links": []}, 0
    for first in range(0, len(links), PIECE):
        yield {"name": "piece", "nodes": {}, "links": links[first : first + PIECE]}, first
