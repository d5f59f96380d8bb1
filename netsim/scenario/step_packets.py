"""The packets around a step: those of whoever takes part in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from netsim.observe.frame_log import FrameRecord
from netsim.scenario.scenario_model import Step
from netsim.topology.plan import NetworkPlan
from netsim.wire.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV4

_KEPT: Final = 200
_HEADER: Final = 14
_SOURCE: Final = slice(_HEADER + 12, _HEADER + 16)
_DESTINATION: Final = slice(_HEADER + 16, _HEADER + 20)


def packets_around(
    step: Step, frames: Iterable[FrameRecord], since: int, plan: NetworkPlan
) -> list[FrameRecord]:
    """The last of `frames` since the step began, of the nodes that it names.

    With the ARP of all nodes that these came through: that is what packets wait for. All frames
    where there were none: who is to blame is somewhere else then.
    """
    during = [frame for frame in frames if frame.time_ns >= since]
    own = _addresses(step, plan)
    involved = [frame for frame in during if _concerns(frame.frame, own)]
    on_the_way = {node for frame in involved for node in _ends(frame)}
    kept = [
        frame
        for frame in during
        if _concerns(frame.frame, own)
        or (_ethertype(frame.frame) == ETHERTYPE_ARP and not on_the_way.isdisjoint(_ends(frame)))
    ]
    return (kept or during)[-_KEPT:]


def _ends(frame: FrameRecord) -> tuple[str, str]:
    """The nodes at both ends of the cable."""
    return frame.sender.partition(":")[0], frame.receiver.partition(":")[0]


def _ethertype(frame: bytes) -> int:
    return int.from_bytes(frame[12:_HEADER], "big")


def _addresses(step: Step, plan: NetworkPlan) -> set[bytes]:
    names = {getattr(step.words, word, None) for word in ("from_", "host")}
    return {
        interface.address
        for name in names
        if isinstance(name, str) and name in plan.positions
        for interface in plan.node(name).interfaces
        if interface.address is not None
    }


def _concerns(frame: bytes, addresses: set[bytes]) -> bool:
    if _ethertype(frame) != ETHERTYPE_IPV4:
        return False
    return frame[_SOURCE] in addresses or frame[_DESTINATION] in addresses
