"""Ports that are bound, and neither listen nor are connected yet (bind(2))."""

from __future__ import annotations

from collections.abc import Iterable

from netsim.stack.port_sharing import Sharing, overlap


class BoundPort:
    """What a program holds from `bind` until it closes the socket."""

    __slots__ = ("local", "sharing")

    def __init__(self, local: tuple[bytes | None, int], sharing: Sharing) -> None:
        self.local = local
        """Address, None for any of this host's, and port."""
        self.sharing = sharing


class BoundPorts:
    """Those of one host."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[BoundPort, None] = {}

    def hold(self, bound: BoundPort) -> None:
        self._held[bound] = None

    def release(self, bound: BoundPort) -> None:
        """Harmless when repeated."""
        self._held.pop(bound, None)

    def conflicts(self, address: bytes | None, port: int, sharing: Sharing) -> bool:
        """Whether somebody holds it who does not share it."""
        return any(not sharing.goes_with(each.sharing) for each in self._at(address, port))

    def is_held(self, address: bytes | None, port: int) -> bool:
        """Whether somebody holds a port at that address, or at all with None."""
        return any(True for _ in self._at(address, port))

    def _at(self, address: bytes | None, port: int) -> Iterable[BoundPort]:
        return (each for each in self._held if overlap(each.local, (address, port)))
