"""Groups of nodes that cannot reach each other, until they are repaired."""

from __future__ import annotations

from collections.abc import Sequence

from netsim.network.faults import Edit, Fault, LinkFaults


class Partitions:
    """The partitions of one network."""

    def __init__(self, faults: LinkFaults) -> None:
        self._faults = faults
        self._open: list[Partition] = []

    def between(self, group_a: Sequence[str], group_b: Sequence[str]) -> Partition:
        """Cut the fewest links that leave no path between two groups of nodes.

        It counts with links that are down already, but for those of other partitions, which may be
        repaired before this one. The errors are those of `smallest_cut`.
        """
        partition = Partition(self._faults, self._open, group_a, group_b)
        try:
            partition.links()
        except BaseException:
            partition.discard()
            raise
        return partition

    async def repair(self) -> None:
        """End all partitions that are open; links that are down for other reasons stay so."""
        while self._open:
            await self._open.pop(0).end()


class Partition(Fault):
    """Links that are cut between two groups; which, is found out when it is made."""

    def __init__(
        self,
        faults: LinkFaults,
        opened: list[Partition],
        group_a: Sequence[str],
        group_b: Sequence[str],
    ) -> None:
        super().__init__(faults.network.unused)
        self._faults = faults
        self._opened = opened
        self._groups = tuple(group_a), tuple(group_b)
        self._cut: list[int] = []

    def links(self) -> list[int]:
        """The indices of those that would be cut now."""
        # networkx takes a while to import.
        from netsim.topology.smallest_cut import smallest_cut

        network = self._faults.network
        plan = network.plan
        cut = {index for partition in self._opened for index in partition._cut}
        down = {
            index
            for index, link in enumerate(plan.links)
            if index not in cut and not network.condition(index, link.a[0]).up
        }
        return smallest_cut(plan, *self._groups, down)

    async def end(self) -> None:
        """Plug the cables in that it pulled."""
        await self._faults.undo(self)

    async def _make(self) -> None:
        # It lasts until `repair`, which undoes only this.
        links = self._faults.network.plan.links
        self._cut = self.links()
        edits: list[Edit] = [
            (index, node, {"up": False})
            for index in self._cut
            for node, _ in (links[index].a, links[index].b)
        ]
        self._opened.append(self)
        await self._faults.change(edits, self)

    async def _leave(self) -> None:
        if self in self._opened:
            self._opened.remove(self)
            await self.end()
