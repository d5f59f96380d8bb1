"""Several nodes of a plan at once: by name, by pattern, by kind."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from netsim.core.errors import InvalidValueError, UnknownNameError
from netsim.tools import SWITCH_TOOLS
from netsim.topology.kinds import KINDS
from netsim.topology.plan import NetworkPlan
from netsim.topology.plan_names import check_node

_WILD: Final = frozenset("*?[")


def chosen_nodes(plan: NetworkPlan, written: Sequence[str], kind: str | None = None) -> list[str]:
    """The nodes that are named, in the order of the file; all of them where none is.

    A name may be a pattern, as in a shell (`h*`); `kind` leaves out nodes of other kinds.
    UnknownNameError where a name, or a pattern, is that of no node; InvalidValueError.
    """
    if kind is not None and kind not in KINDS:
        raise InvalidValueError(f"{kind!r} is no kind of node; write {', '.join(KINDS)}")
    found: set[str] = set()
    for name in written:
        if _is_pattern(name):
            matching = [node.name for node in plan.nodes if fnmatchcase(node.name, name)]
            if not matching:
                raise UnknownNameError(
                    f"no node of {plan.name} matches {name!r}; netsim inspect lists them"
                )
            found.update(matching)
        else:
            check_node(plan, name)
            found.add(name)
    return [
        node.name
        for node in plan.nodes
        if (not written or node.name in found) and kind in (None, node.kind)
    ]


def nodes_for(plan: NetworkPlan, tool: str, written: Sequence[str], kind: str | None) -> list[str]:
    """Who is to run a tool: `chosen_nodes`, without those who do not have it.

    A node that is named, and not by a pattern, is asked anyway; so are all where none has it.
    """
    chosen = chosen_nodes(plan, written, kind)
    if not chosen:
        named = f" that is called {', '.join(written)}" if written else ""
        raise UnknownNameError(f"{plan.name} has no {kind}{named}; netsim inspect lists its nodes")
    if written and kind is None and not any(map(_is_pattern, written)):
        return chosen

    def has_it(name: str) -> bool:
        traits = plan.node(name).traits
        return traits.has_stack != (tool in SWITCH_TOOLS) and not traits.attached

    return [name for name in chosen if has_it(name) or name in written] or chosen


def _is_pattern(name: str) -> bool:
    return not _WILD.isdisjoint(name)
