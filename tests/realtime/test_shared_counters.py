"""What a node has counted is known when it is dead, wherever it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from plans import plan_of

from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.realtime.cable_end import CableEnd
from netsim.realtime.shared_counters import SharedCounters, new_memory, read_counters
from netsim.realtime.wire import WireQueue, WireReceiver, WireSender
from netsim.site.accounting import FRAMES_IN_A_MESSAGE, EgressCounters, IngressCounters
from netsim.site.build import build_node

NAMES = ["eth0", "eth1"]


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = new_memory(len(NAMES))
    yield descriptor
    os.close(descriptor)


def switch() -> Node:
    return build_node(plan_of("a s1", "s1 b"), "s1")


def end_of(port: Port) -> CableEnd:
    return CableEnd("s1", port, port.index)


def test_counters_that_nobody_wrote_are_empty(memory: int) -> None:
    found = read_counters(memory, NAMES)
    assert found.egress["eth1"] == EgressCounters()
    assert found.ingress["eth0"] == IngressCounters()


def test_every_number_comes_out_where_it_went_in(memory: int) -> None:
    port = switch().ports[1]
    end = end_of(port)
    counters = port.egress.counters
    counters.sent, counters.duplicated, counters.handed_over = 1, 2, 3
    counters.dropped = {"queue": 4, "mtu": 5, "carrier": 6, "loss": 7, "crc": 8}
    end.messages_read = 9
    end.carry([(0, 0, b"")] * 10)
    port.received, port.delivered = 40, 20
    port.ingress_dropped["carrier"] = 11
    SharedCounters(os.dup(memory)).write(end)
    found = read_counters(memory, NAMES)
    assert found.egress["eth1"] == EgressCounters(
        sent=1,
        duplicated=2,
        dropped=counters.dropped,
        lost={"carrier": 10},
        queued=0,
        handed_over=3,
        messages=0,
    )
    assert found.ingress["eth1"] == IngressCounters(
        received=40, delivered=20, dropped={"carrier": 11}, in_flight=9, messages=9
    )
    assert found.egress["eth0"].sent == 0


def test_reasons_without_a_place_are_added_up(memory: int) -> None:
    port = switch().ports[0]
    port.egress.counters.dropped = {"loss": 1, "moon": 2, "tide": 3}
    SharedCounters(os.dup(memory)).write(end_of(port))
    assert read_counters(memory, NAMES).egress["eth0"].dropped == {"loss": 1, "other": 5}


def test_messages_on_their_way_are_counted(memory: int) -> None:
    queue = WireQueue()
    end = end_of(switch().ports[0])
    end.connect(
        WireReceiver(os.dup(queue.reader_fileno)), WireSender(os.dup(queue.writer_fileno), [])
    )
    assert end.sender is not None
    end.carry([(0, 0, b"frame")] * (FRAMES_IN_A_MESSAGE + 1))
    end.sender.pack()
    SharedCounters(os.dup(memory)).write(end)
    assert read_counters(memory, NAMES).egress["eth0"].messages == 2
    end.disconnect()
    queue.close_reader()
    queue.close_writer()


WRITER = """
import sys
from plans import plan_of
from netsim.site.build import build_node
from netsim.realtime.cable_end import CableEnd
from netsim.realtime.shared_counters import SharedCounters

port = build_node(plan_of("a s1"), "s1").ports[0]
end, memory = CableEnd("s1", port, 0), SharedCounters(int(sys.argv[1]))
counters = port.egress.counters
while True:
    counters.sent += 2
    counters.handed_over += 1
    counters.dropped["loss"] = counters.dropped.get("loss", 0) + 1
    port.received = port.delivered = counters.sent
    memory.write(end)
"""


def test_a_process_that_ends_anywhere_leaves_counters_that_come_out(memory: int) -> None:
    """Wherever it stops for ever, the numbers of one row are from one moment."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(memory)],
        pass_fds=[memory],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    seen: set[int] = set()
    while len(seen) < 100:
        writer.send_signal(signal.SIGSTOP)
        os.waitpid(writer.pid, os.WUNTRACED)
        found = read_counters(memory, NAMES)
        writer.send_signal(signal.SIGCONT)
        # Else it does not get anywhere.
        time.sleep(0.0005)
        egress, ingress = found.egress["eth0"], found.ingress["eth0"]
        assert egress.sent == egress.handed_over + sum(egress.dropped.values())
        assert ingress.received == ingress.delivered == egress.sent
        seen.add(egress.sent)
    writer.kill()
    writer.wait()


def test_a_row_that_was_being_written_does_not_count(memory: int) -> None:
    port = switch().ports[0]
    shared = SharedCounters(os.dup(memory))
    port.egress.counters.sent = 1
    shared.write(end_of(port))
    # The next row is the first of the two again: half of it, and the process is dead.
    os.pwrite(memory, b"\xff" * 20, 8)
    assert read_counters(memory, NAMES).egress["eth0"].sent == 1
