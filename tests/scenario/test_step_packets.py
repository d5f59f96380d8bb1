"""Which packets are shown around a step that did not hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from plans import chain

from netsim import FrameRecord
from netsim.scenario.step_packets import packets_around

ALICE, WEB = bytes([10, 0, 1, 10]), bytes([10, 0, 2, 10])
STEP: Any = SimpleNamespace(words=SimpleNamespace(from_="alice"))


def ip(at: int, sender: str, receiver: str, source: bytes, destination: bytes) -> FrameRecord:
    frame = bytes(12) + b"\x08\x00" + bytes(12) + source + destination
    return FrameRecord(at, 0, sender, receiver, frame, "delivered")


def arp(at: int, sender: str, receiver: str) -> FrameRecord:
    return FrameRecord(at, 0, sender, receiver, bytes(12) + b"\x08\x06" + bytes(28), "delivered")


def test_arp_of_nodes_on_the_way_is_shown() -> None:
    request = ip(1, "alice:eth0", "r1:eth0", ALICE, WEB)
    asked = arp(2, "r1:eth1", "web:eth0")
    elsewhere = arp(3, "r8:eth0", "r9:eth0")
    other = ip(4, "r1:eth1", "web:eth0", bytes(4), WEB)
    before = arp(0, "alice:eth0", "r1:eth0")
    frames = [before, request, asked, elsewhere, other]
    assert packets_around(STEP, frames, 1, chain()) == [request, asked]


def test_all_are_shown_where_the_nodes_of_the_step_had_none() -> None:
    frames = [arp(1, "r8:eth0", "r9:eth0"), ip(2, "r1:eth1", "web:eth0", bytes(4), WEB)]
    assert packets_around(STEP, frames, 0, chain()) == frames
