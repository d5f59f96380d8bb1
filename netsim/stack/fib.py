"""The forwarding information base: longest-prefix match over a host's routes (RFC 1812 5.2.4.3).

One dictionary for each prefix length that occurs, longest first, and a cache from destination
to route in front, emptied whenever a route changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from netsim.stack.interface import Interface
from netsim.wire.address import IpAddress, prefix_mask

_CACHE_LIMIT: Final = 4096


class Origin(Enum):
    """Where a route comes from; of two for one prefix the earlier kind wins."""

    CONNECTED = "connected"
    STATIC = "static"


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


class Fib:
    """The routes of one host. Routes over an interface that is down do not match."""

    __slots__ = ("_cache", "_lengths", "_tables", "generation")

    def __init__(self) -> None:
        self._tables: dict[int, dict[int, Route]] = {}
        self._lengths: list[int] = []
        self._cache: dict[IpAddress, Route | None] = {}
        self.generation = 0
        """Grows with every change, for those who keep what a lookup gave them."""

    def add(self, route: Route) -> None:
        """Install a route; of two for one prefix a connected one stays."""
        table = self._tables.setdefault(route.prefix_length, {})
        key = _masked(route.prefix, route.prefix_length)
        present = table.get(key)
        if (
            present is not None
            and present.origin is Origin.CONNECTED
            and route.origin is not Origin.CONNECTED
        ):
            return
        table[key] = route
        self._lengths = sorted(self._tables, reverse=True)
        self.changed()

    def remove_all(self, origin: Origin) -> None:
        """Withdraw every route of that origin, before its new set is installed."""
        for table in self._tables.values():
            for key in [key for key, route in table.items() if route.origin is origin]:
                del table[key]
        self.changed()

    def changed(self) -> None:
        """Forget cached lookups: a route or the carrier of an interface has changed."""
        self._cache.clear()
        self.generation += 1

    def lookup(self, destination: IpAddress) -> Route | None:
        """The most specific route that is up; None when there is none."""
        cache = self._cache
        if destination in cache:
            return cache[destination]
        route = self._longest_match(destination)
        if len(cache) >= _CACHE_LIMIT:
            cache.clear()
        cache[destination] = route
        return route

    def _longest_match(self, destination: IpAddress) -> Route | None:
        number = int.from_bytes(destination, "big")
        for length in self._lengths:
            route = self._tables[length].get(number & prefix_mask(length, len(destination)))
            if route is not None and route.interface.up:
                return route
        return None

    def __iter__(self) -> Iterator[Route]:
        """Every route, most specific first."""
        for length in self._lengths:
            yield from (self._tables[length][key] for key in sorted(self._tables[length]))


def _masked(prefix: IpAddress, prefix_length: int) -> int:
    return int.from_bytes(prefix, "big") & prefix_mask(prefix_length, len(prefix))
