"""One link as tests see it: `net.link("r1", "r2")`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from netsim.core.errors import InvalidValueError, UnknownNameError
from netsim.core.units import parse_duration
from netsim.network.faults import Change, Edit, Fault, Flap, LinkFaults, all_values
from netsim.topology.link_changes import changed_attributes
from netsim.topology.plan import LinkPlan, NetworkPlan
from netsim.topology.plan_names import node_and_interface


class LinkView:
    """A link that can be broken and mended. All of its faults are as `Fault` says:

    await net.link("r1", "r2").down()              # until somebody says `up`
    async with net.link("r1", "r2").down(): ...    # until the block ends
    """

    def __init__(self, faults: LinkFaults, index: int) -> None:
        self._faults = faults
        self.index = index
        """Its place in the topology file, from 0."""
        self.ends = tuple(f"{node}:{interface}" for node, interface in _ends(self._plan))
        """`("r1:eth1", "r2:eth0")`."""

    def __repr__(self) -> str:
        return f"<link {self.index}: {self.ends[0]} – {self.ends[1]}>"

    def down(self) -> Fault:
        """Pull the cable: both ends lose the carrier, and what is on its way is lost."""
        return self._of_both({"up": False})

    def up(self) -> Fault:
        """Plug the cable in. It has a carrier when both of its nodes are up."""
        return self._of_both({"up": True})

    def hold(self) -> Fault:
        """Let nothing leave in either direction: frames wait, and none is lost."""
        return self._of_both({"held": True})

    def release(self) -> Fault:
        """Let everything go that was held."""
        return self._of_both({"held": False})

    def set(self, *, from_: str | None = None, **words: Any) -> Fault:
        """Change what is named, as a topology file words it, and nothing else.

            link.set(delay="80ms", loss="5%", from_="r1")

        The words are those of a link in a topology file, except `mtu`; a number has its unit.
        Relative paths are beside the topology file. `from_` is the end that sends: one direction
        instead of both. What is on its way keeps its time. InvalidValueError says what to write;
        UnknownNameError when `from_` is no end of this link.
        """
        senders = [node for node, _ in _ends(self._plan)]
        if from_ is not None:
            senders = [self._sender(from_)]
        now = self._faults.network.condition(self.index, senders[0]).attributes
        file = self._faults.network.plan.file
        values = changed_attributes(words, now, Path(file).parent if file else None)
        return self._change(lambda: [(self.index, sender, values) for sender in senders])

    def flap(self, period: str, times: int = 1) -> Fault:
        """Down for half of `period` ("2s") and up for the other half, `times` times.

        Awaited, it takes as long as that. As a context manager it flaps beside the block, and the
        end of the block is the end of it. InvalidValueError and UnitError.
        """
        period_ns = parse_duration(period)
        if not period_ns:
            raise InvalidValueError("a period of 0s is none; write for example `2s`")
        if times < 1:
            raise InvalidValueError(f"a link does not flap {times} times; write 1 or more")
        return Flap(self._of_both({"up": False}), period_ns, times, self._faults.network.speed)

    def reset(self) -> Fault:
        """Make it what the topology says: its attributes, with a carrier, and not held."""
        network = self._faults.network

        def edits() -> list[Edit]:
            return [
                (self.index, node, all_values(network.planned_condition(self.index, node)))
                for node, _ in _ends(self._plan)
            ]

        return self._change(edits)

    @property
    def _plan(self) -> LinkPlan:
        return self._faults.network.plan.links[self.index]

    def _of_both(self, values: dict[str, Any]) -> Change:
        return self._change(
            lambda: [(self.index, node, values) for node, _ in _ends(self._plan)],
        )

    def _change(self, edits: Callable[[], list[Edit]]) -> Change:
        return Change(self._faults, edits)

    def _sender(self, end: str) -> str:
        for node, interface in _ends(self._plan):
            if end in (node, f"{node}:{interface}"):
                return node
        (a, _), (b, _) = _ends(self._plan)
        raise UnknownNameError(f"{end!r} is no end of this link; write {a!r} or {b!r}")


def find_link(plan: NetworkPlan, a: str, b: str) -> int:
    """The index of the link between two ends, `NODE` or `NODE:INTERFACE`; UnknownNameError."""
    name, interface = node_and_interface(plan, a)
    peer, peer_interface = node_and_interface(plan, b)
    own = plan.node(name).interfaces
    found = [
        each
        for each in own
        if each.peer == peer
        and interface in (None, each.name)
        and peer_interface in (None, each.peer_interface)
    ]
    if len(found) == 1:
        return found[0].link
    if found:
        firsts = ", ".join(f"{name}:{each.name}" for each in found)
        raise UnknownNameError(f"{len(found)} links lead from {a} to {b}; write one of {firsts}")
    neighbours = ", ".join(dict.fromkeys(each.peer for each in own))
    known = f"; {name} has links to {neighbours}" if own else ""
    raise UnknownNameError(f"no link leads from {a} to {b}{known}")


def _ends(link: LinkPlan) -> tuple[tuple[str, str], tuple[str, str]]:
    return link.a, link.b
