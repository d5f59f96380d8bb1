"""Ports that are bound, and neither listen nor are connected yet (bind(2))."""

from __future__ import annotations

from collections.abc import Iterable


class BoundPort:
    """What a program holds from `bind` until it closes the socket."""

    __slots__ = ("local", "may_share")

    def __init__(self, local: tuple[bytes | None, int], *, may_share: bool) -> None:
        self.local = local
        """Address, None for any of this host's, and port."""
        self.may_share = may_share
        """SO_REUSEADDR is set: another that says so may have it, too, as long as nobody listens."""


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

    def conflicts(self, address: bytes | None, port: int, *, may_share: bool) -> bool:
        """Whether somebody holds it who does not share it."""
        return any(not (may_share and each.may_share) for each in self._at(address, port))

    def is_held(self, address: bytes | None, port: int) -> bool:
        """Whether somebody holds a port at that address, or at all with None."""
        return any(True for _ in self._at(address, port))

    def _at(self, address: bytes | None, port: int) -> Iterable[BoundPort]:
        return (each for each in self._held if overlap(each.local, (address, port)))


def overlap(one: tuple[bytes | None, int], other: tuple[bytes | None, int]) -> bool:
    """Whether both are one port at one address; None is all addresses."""
    return one[1] == other[1] and (one[0] == other[0] or one[0] is None or other[0] is None)
