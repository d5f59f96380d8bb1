"""A port's wires come and go; what they took along is known."""

from __future__ import annotations

import os
from typing import Any

from plans import plan_of

from netsim.link.link import Departure
from netsim.runtime.build import build_node
from netsim.runtime.process.cable_end import CableEnd
from netsim.runtime.process.wire import WireQueue, WireReceiver, WireSender


def new_end() -> CableEnd:
    return CableEnd(build_node(plan_of("a b"), "a").ports[0])


def connect(end: CableEnd) -> tuple[WireReceiver, WireSender]:
    """New wires; the far ends of them."""
    there, back = WireQueue(), WireQueue()
    end.connect(WireReceiver(os.dup(back.reader_fileno)), WireSender(os.dup(there.writer_fileno)))
    far = WireReceiver(os.dup(there.reader_fileno)), WireSender(os.dup(back.writer_fileno))
    for queue in (there, back):
        queue.close_reader()
        queue.close_writer()
    return far


def frames(count: int, size: int = 1000) -> list[Departure]:
    return [(0, 0, os.urandom(size)) for _ in range(count)]


def received(receiver: WireReceiver) -> int:
    count = 0
    while messages := receiver.receive():
        count += sum(len(message) for message in messages if isinstance(message, list))
    return count


def hand_over(end: CableEnd, count: int) -> None:
    end.port.egress.counters.handed_over += count
    end.put(frames(count))


def test_without_a_neighbour_all_is_lost() -> None:
    end = new_end()
    end.put(frames(3))
    assert end.lost == {"carrier": 3}
    assert end.egress_books()["at_risk"] == 0


def test_a_neighbour_that_ends_takes_what_was_on_the_wire() -> None:
    end = new_end()
    receiver, sender = connect(end)
    hand_over(end, 5)
    assert end.sender is not None
    end.sender.flush()
    hand_over(end, 2)
    receiver.close()
    sender.close()
    end.disconnect()
    books = end.egress_books()
    assert books["lost"] == {"carrier": 2}
    assert books["at_risk"] == 5
    assert books["handed_over"] == 7


def test_what_was_lost_is_remembered_across_wires() -> None:
    end = new_end()
    for lives in range(1, 4):
        for far in connect(end):
            far.close()
        hand_over(end, 2)
        end.disconnect()
        assert end.lost == {"carrier": 2 * lives}


def test_a_wire_is_found_broken_by_writing_to_it() -> None:
    end = new_end()
    for far in connect(end):
        far.close()
    hand_over(end, 4)
    assert end.sender is not None
    assert end.egress_books()["lost"] == {}
    end.sender.flush()
    assert end.egress_books()["lost"] == {"carrier": 4}
    end.disconnect()
    assert end.lost == {"carrier": 4}


def test_what_can_be_lost_is_never_less_than_what_is() -> None:
    """Whenever either end is killed, the frames missing are within what was at risk before."""
    end = new_end()
    receiver, sender = connect(end)
    assert end.sender is not None
    got = 0
    at_risk: dict[str, Any] = {}
    for tick in range(400):
        hand_over(end, 7)
        at_risk = {"frames": end.held_at_most, "handed_over": end.port.egress.counters.handed_over}
        end.sender.flush()
        if tick % 3 == 0 and tick < 300:
            got += received(receiver)
        missing_with_the_receiver = at_risk["handed_over"] - got - sum(end.lost.values())
        assert missing_with_the_receiver <= at_risk["frames"]
    assert end.sender.blocked
    assert end.lost["overload"]
    # The sender is killed: what has been written still arrives.
    unwritten = end.sender.unwritten
    got += received(receiver)
    missing = end.port.egress.counters.handed_over - got - sum(end.lost.values())
    assert 0 < missing <= unwritten
    for far in (receiver, sender):
        far.close()
    end.disconnect()
