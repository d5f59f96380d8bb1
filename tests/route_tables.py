"""The routing tables of a network, kept by what is told of them, as nodes do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netsim.topology.plan import NetworkPlan, Prefix, RouteChange, RoutePlan
from netsim.topology.routing import Routing, links_down

Routes = dict[str, tuple[RoutePlan, ...]]
Table = dict[Prefix, tuple[RoutePlan, ...]]


class RoutedNetwork:
    """Tables that begin as planned and follow what goes down and comes back."""

    def __init__(self, plan: NetworkPlan) -> None:
        self.plan = plan
        self.tables: dict[str, Table] = {
            node.name: table_of(node.routes) for node in plan.nodes if node.kind != "switch"
        }
        self._routing = Routing(plan)
        for _ in self._routing.compute():
            pass

    def change(
        self, down_links: Iterable[int] = (), down_nodes: Iterable[str] = ()
    ) -> Mapping[str, RouteChange]:
        """Have the tables follow; what was told, by node."""
        work = self._routing.change(links_down(self.plan, down_links, down_nodes))
        while True:
            try:
                next(work)
            except StopIteration as done:
                changes: dict[str, RouteChange] = done.value
                break
        for name, change in changes.items():
            self._adopt(self.tables[name], change)
        return changes

    @property
    def routes(self) -> Routes:
        """Every table, as a plan has them."""
        return {
            name: tuple(route for routes in table.values() for route in routes)
            for name, table in self.tables.items()
        }

    def _adopt(self, table: Table, change: RouteChange) -> None:
        for prefix in change.withdrawn:
            del table[prefix]
        for hops, prefixes in change.routes:
            for prefix in prefixes:
                table[prefix] = tuple(RoutePlan(*prefix, *hop) for hop in hops)


def table_of(routes: Iterable[RoutePlan]) -> Table:
    """Routes by prefix."""
    table: Table = {}
    for route in routes:
        prefix = route.prefix, route.prefix_length
        table[prefix] = (*table.get(prefix, ()), route)
    return table


def routes_without(
    plan: NetworkPlan, down_links: Iterable[int] = (), down_nodes: Iterable[str] = ()
) -> Routes:
    """Every table when that is down; nodes that are have none."""
    network = RoutedNetwork(plan)
    gone = set(down_nodes)
    network.change(down_links, gone)
    return {name: routes for name, routes in network.routes.items() if name not in gone}
