"""What one start of one node is: plain data on its way from the supervisor to the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netsim.core.link_attributes import LinkCondition


@dataclass(frozen=True, slots=True)
class Birth:
    """A node starts.

    With the network it finds its wires attached and its cables as planned. Later it begins in
    `conditions`, without a carrier anywhere, and says so; it gets wires, and is told to start its
    services when they are plugged in.
    """

    node: str
    life: int = 0
    """How often it has started before."""
    conditions: Mapping[str, LinkCondition] | None = None
    """Of the directions that leave it, by interface; None when it starts with the network."""
    listen: tuple[int, ...] = ()
    """The real ports that it listened at before, in order: it takes the same again."""
