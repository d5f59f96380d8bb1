"""What is left of a topology once its misspelled words are taken out.

The cross checks run on the rest, so that one wrong word does not hide other mistakes until the
next try.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from netsim.topology.findings import meant_word
from netsim.topology.kinds import DEFAULT_KIND, KINDS
from netsim.topology.link_words import LinkWords
from netsim.topology.naming import nearest
from netsim.topology.topology_words import NodeWords, TopologyWords

_LOST_LINK = LinkWords.model_construct(endpoints=[])


def without_mistakes(written: Any, error: ValidationError) -> tuple[TopologyWords, bool] | None:
    """`written` without the words that `error` names, and whether all nodes and links are left.

    A link that is lost leaves one without endpoints in its place. None where nothing can be made
    of the rest.
    """
    if not isinstance(written, dict):
        return None
    rest = dict(written)
    whole = True
    for mistake in error.errors(include_url=False, include_context=False, include_input=False):
        _copy_along(rest, mistake["loc"][:-1])
        whole &= _take_out(rest, mistake["loc"])
    try:
        return TopologyWords.model_validate(rest), whole
    except ValidationError:
        return None


def _copy_along(rest: Any, path: Sequence[Any]) -> None:
    """Have what is at `path` for itself, and leave what was written as it is."""
    for step in path:
        try:
            inner = rest[step]
        except (KeyError, IndexError, TypeError):
            return
        if not isinstance(inner, (dict, list)):
            return
        rest[step] = inner = copy.copy(inner)
        rest = inner


def _take_out(rest: dict[Any, Any], path: Sequence[Any]) -> bool:
    """Remove or replace the word at `path`; False if a node or link is lost or guessed."""
    section, *below = path if path else [None]
    part = rest.get(section)
    if section == "name":
        rest["name"] = "network"
    elif section == "nodes" and isinstance(part, dict) and below:
        return _take_out_of_node(part, below)
    elif section == "links" and isinstance(part, list) and below:
        return _take_out_of_link(part, below)
    elif section == "defaults" and isinstance(part, dict) and below[:1] == ["kind"]:
        part["kind"] = _kind_like(part.get("kind"))
        return False
    elif section in ("defaults", "kinds") and isinstance(part, dict) and below:
        inner = part.get(below[0])
        if len(below) > 1 and isinstance(inner, dict) and (below[0] == "link" or below[0] in KINDS):
            inner.pop(below[1], None)
        else:
            part.pop(below[0], None)
    else:
        rest.pop(section, None)
    return section != "links"


def _take_out_of_node(nodes: dict[Any, Any], below: Sequence[Any]) -> bool:
    name, *rest = below
    node = nodes.get(name)
    if rest[:1] == ["[key]"]:
        nodes.pop(name, None)
        return False
    if not isinstance(node, dict) or not rest:
        nodes[name] = {"kind": DEFAULT_KIND}
        return False
    if rest[0] in ("kind", "count"):
        node.pop("count", None)
        if rest[0] == "kind":
            node["kind"] = _kind_like(node.get("kind"))
        return False
    if rest[0] == "services" and len(rest) > 1 and isinstance(node["services"], dict):
        node["services"].pop(rest[1], None)
        return True
    taken = node.pop(rest[0], None)
    if rest[0] not in NodeWords.words() and meant_word(str(rest[0]), NodeWords) == "kind":
        node.setdefault("kind", _kind_like(taken))
        return False
    return True


def _take_out_of_link(links: list[Any], below: Sequence[Any]) -> bool:
    index, *rest = below
    link = links[index]
    if isinstance(link, dict) and rest and rest[0] != "endpoints":
        link.pop(rest[0], None)
        return True
    links[index] = _LOST_LINK
    return False


def _kind_like(written: object) -> str:
    return nearest(str(written), list(KINDS)) or DEFAULT_KIND
