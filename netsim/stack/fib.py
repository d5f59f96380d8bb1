"""The forwarding information base: longest-prefix match over a host's routes (RFC 1812 5.2.4.3).

One dictionary for each prefix length that occurs, longest first, and a cache from destination
to routes in front, emptied whenever a route changes. A prefix may have several routes: those over
an interface without carrier are passed over, so a subnet of our own whose cable is cut can still
be reached the long way round. Routes over gateways whose cost is equal share what there is, flow
by flow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final
from zlib import crc32

from netsim.stack.equal_cost import salt_of, weight
from netsim.stack.interface import Interface
from netsim.wire.address import IpAddress, prefix_mask

_CACHE_LIMIT: Final = 4096


class Origin(Enum):
    """Where a route comes from; of two for one prefix the kind listed first wins."""

    CONNECTED = "connected"
    STATIC = "static"
    """Written by a person."""
    COMPUTED = "computed"
    """From shortest paths over the whole network."""


_PREFERENCE: Final = {origin: rank for rank, origin in enumerate(Origin)}


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """How to reach a prefix. `gateway` is None for a subnet on the link itself."""

    prefix: IpAddress
    prefix_length: int
    interface: Interface
    gateway: IpAddress | None
    source: IpAddress
    """Address that packets of this host's own are sent from on this route."""
    origin: Origin
    metric: int = 0
    """Of two routes of one origin to one prefix the smaller wins; equal ones share."""


class Fib:
    """The routes of one host, `name`, to one address family."""

    __slots__ = ("_cache", "_flows", "_lengths", "_name", "_tables")

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._tables: dict[int, dict[int, list[Route]]] = {}
        """By prefix length, then by prefix: the routes there, the preferred one first."""
        self._lengths: list[int] = []
        self._cache: dict[IpAddress, tuple[Route, ...]] = {}
        self._flows: dict[bytes, Route] = {}
        """Those that had a choice."""

    def add(self, route: Route) -> None:
        """Install a route, in place of one of its origin to this prefix over this next hop."""
        table = self._tables.get(route.prefix_length)
        if table is None:
            table = self._tables[route.prefix_length] = {}
            self._lengths = sorted(self._tables, reverse=True)
        key = _masked(route.prefix, route.prefix_length)
        routes = [
            other
            for other in table.get(key, ())
            if other.origin is not route.origin
            or other.interface is not route.interface
            or other.gateway != route.gateway
        ]
        routes.append(route)
        routes.sort(key=lambda each: (_PREFERENCE[each.origin], each.metric))
        table[key] = routes
        self.changed()

    def remove_all(self, origin: Origin) -> None:
        """Withdraw every route of that origin, before its new set is installed."""
        for length, table in self._tables.items():
            self._tables[length] = {
                key: kept
                for key, routes in table.items()
                if (kept := [route for route in routes if route.origin is not origin])
            }
        self.changed()

    def remove(self, prefix: IpAddress, prefix_length: int, origin: Origin) -> None:
        """Withdraw the routes of one origin to a prefix, if there are any."""
        table = self._tables.get(prefix_length, {})
        key = _masked(prefix, prefix_length)
        if key in table:
            kept = [route for route in table.pop(key) if route.origin is not origin]
            if kept:
                table[key] = kept
            self.changed()

    def changed(self) -> None:
        """Forget cached lookups: a route or the carrier of an interface has changed."""
        self._cache.clear()
        self._flows.clear()

    def lookup(self, destination: IpAddress) -> tuple[Route, ...]:
        """The most specific routes that are up and cost least; empty when there is none."""
        cache = self._cache
        if destination in cache:
            return cache[destination]
        routes = self._longest_match(destination)
        if len(cache) >= _CACHE_LIMIT:
            cache.clear()
        cache[destination] = routes
        return routes

    def through(self, destination: IpAddress, interface: Interface) -> tuple[Route, ...]:
        """The most specific routes that leave through one interface; empty when there is none."""
        number = int.from_bytes(destination, "big")
        for length in self._lengths:
            key = number & prefix_mask(length, len(destination))
            routes = self._tables[length].get(key, ())
            own = tuple(route for route in routes if route.interface is interface)
            if own:
                return own if interface.up else ()
        return ()

    def choose(self, routes: tuple[Route, ...], flow: bytes) -> Route:
        """The one of several equal routes, just looked up, that a flow takes."""
        flows = self._flows
        route = flows.get(flow)
        if route is None:
            number = crc32(flow)
            name = self._name
            route = max(
                routes,
                key=lambda each: weight(number, salt_of(name, each.interface.name, each.gateway)),
            )
            if len(flows) >= _CACHE_LIMIT:
                flows.clear()
            flows[flow] = route
        return route

    def _longest_match(self, destination: IpAddress) -> tuple[Route, ...]:
        number = int.from_bytes(destination, "big")
        for length in self._lengths:
            key = number & prefix_mask(length, len(destination))
            routes = self._tables[length].get(key, ())
            for route in routes:
                if not route.interface.up:
                    continue
                if route.gateway is None:
                    return (route,)
                return tuple(
                    each
                    for each in routes
                    if each.interface.up
                    and each.origin is route.origin
                    and each.metric == route.metric
                )
        return ()

    def __iter__(self) -> Iterator[Route]:
        """Every route, most specific first."""
        for length in self._lengths:
            table = self._tables[length]
            for key in sorted(table):
                yield from table[key]


def _masked(prefix: IpAddress, prefix_length: int) -> int:
    return int.from_bytes(prefix, "big") & prefix_mask(prefix_length, len(prefix))
