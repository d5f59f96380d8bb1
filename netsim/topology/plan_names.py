"""Names of nodes and interfaces of a plan, as a caller writes them."""

from __future__ import annotations

from netsim.core.errors import UnknownNameError
from netsim.topology.naming import suggest
from netsim.topology.plan import NetworkPlan


def check_node(plan: NetworkPlan, name: str) -> None:
    """UnknownNameError where no node has this name."""
    if name not in plan.positions:
        raise UnknownNameError(f"{plan.name} has no node {name!r}; {suggest(name, plan.positions)}")


def node_and_interface(plan: NetworkPlan, written: str) -> tuple[str, str | None]:
    """What `r1:eth0` names; None where it is `r1`, and means all. UnknownNameError."""
    name, _, interface = written.partition(":")
    check_node(plan, name)
    if not interface:
        return name, None
    known = [each.name for each in plan.node(name).interfaces]
    if interface not in known:
        raise UnknownNameError(
            f"{name} has no interface {interface!r}; {suggest(interface, known)}"
        )
    return name, interface
