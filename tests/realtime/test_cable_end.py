"""A port's wires come and go; what they took along is known."""

from __future__ import annotations

import contextlib
import os

import pytest
from plans import plan_of

from netsim.link.simplex_link import Departure
from netsim.realtime.cable_end import CableEnd
from netsim.realtime.wire import WireQueue, WireReceiver, WireSender
from netsim.site.accounting import FRAMES_IN_A_MESSAGE
from netsim.site.build import build_node


def new_end() -> CableEnd:
    return CableEnd("a", build_node(plan_of("a b"), "a").ports[0], 0)


def connect(end: CableEnd) -> tuple[WireReceiver, WireSender]:
    """New wires; the far ends of them."""
    there, back = WireQueue(), WireQueue()
    end.connect(
        WireReceiver(os.dup(back.reader_fileno)), WireSender(os.dup(there.writer_fileno), [])
    )
    far = WireReceiver(os.dup(there.reader_fileno)), WireSender(os.dup(back.writer_fileno), [])
    for queue in (there, back):
        queue.close_reader()
        queue.close_writer()
    return far


def frames(count: int, size: int = 1000) -> list[Departure]:
    return [(0, 0, os.urandom(size)) for _ in range(count)]


def hand_over(end: CableEnd, count: int) -> None:
    end.port.egress.counters.handed_over += count
    end.carry(frames(count))


def test_without_a_neighbour_all_is_lost() -> None:
    end = new_end()
    end.carry(frames(3))
    assert end.lost == {"carrier": 3}
    assert end.egress_counters().messages == 0


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
    counters = end.egress_counters()
    assert counters.lost == {"carrier": 2}
    assert counters.messages == 1, "what was not written is no message"
    assert counters.handed_over == 7


def test_what_was_lost_is_remembered_across_wires() -> None:
    end = new_end()
    for boots in range(1, 4):
        for far in connect(end):
            far.close()
        hand_over(end, 2)
        end.disconnect()
        assert end.lost == {"carrier": 2 * boots}


def test_a_wire_is_found_broken_by_writing_to_it() -> None:
    end = new_end()
    for far in connect(end):
        far.close()
    hand_over(end, 4)
    assert end.sender is not None
    assert end.egress_counters().lost == {}
    end.sender.flush()
    assert end.egress_counters().lost == {"carrier": 4}
    end.disconnect()
    assert end.lost == {"carrier": 4}


@pytest.mark.parametrize("dies", ["sender", "receiver"])
@pytest.mark.parametrize("ticks", [1, 10, 300])
def test_what_is_missing_is_in_messages_that_are(dies: str, ticks: int) -> None:
    """Whichever end is gone, both count how many frames can be on the wire at most."""
    end = new_end()
    receiver, sender = connect(end)
    assert end.sender is not None
    got = read = 0
    for tick in range(ticks):
        hand_over(end, 7)
        if tick % 3 == 0 and tick < 250:
            for message in receiver.receive():
                assert isinstance(message, list)
                got += len(message)
                read += 1
        end.sender.pack()
        counters = end.egress_counters()
        # The sender may die here, with what it has written down and not sent.
        missing = counters.handed_over - got - sum(counters.lost.values())
        assert 0 <= missing <= (counters.messages - read) * FRAMES_IN_A_MESSAGE
        end.sender.flush()
    assert end.sender.blocked == (ticks == 300)
    if dies == "receiver":
        receiver.close()
        end.disconnect()
    else:
        end.disconnect()
        with contextlib.suppress(EOFError):
            while True:
                for message in receiver.receive():
                    assert isinstance(message, list)
                    got += len(message)
                    read += 1
        receiver.close()
    sender.close()
    counters = end.egress_counters()
    missing = counters.handed_over - got - sum(counters.lost.values())
    assert 0 <= missing <= (counters.messages - read) * FRAMES_IN_A_MESSAGE
    assert (missing == 0) == (dies == "sender")
