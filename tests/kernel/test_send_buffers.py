"""How much a program may write before it waits, and when it may again: the kernel and we."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Final, NamedTuple

import pytest
from buffer_dialogues import BUFFER_DIALOGUES
from namespace import Namespace
from raw_dialogue import Heard
from simulated_subject import SimulatedSubject
from test_dialogues import ATTEMPTS, Kernel

pytestmark = [pytest.mark.xdist_group("kernel"), pytest.mark.timeout(120)]

HEADER_ROOM: Final = {2304: 192, 4352: 320}
"""`TcpSettings.header_room` by the memory that a kernel reckons for a segment of 1460 octets; it
depends on what it was built with."""


class Filled(NamedTuple):
    """How the program filled the buffer."""

    first: int
    """Octets that were taken before anything was acknowledged."""
    times: int
    most: int
    """Octets in the buffer."""
    all: int


def filled(heard: Sequence[Heard]) -> Filled:
    taken: list[tuple[int, int]] = []
    for each in heard:
        if found := re.fullmatch(r"took (\d+) at (\d+)", each.what):
            taken.append((int(found[1]), int(found[2])))
    contents, written = [], 0
    for octets, acknowledged in taken:
        written += octets
        contents.append(written - acknowledged)
    return Filled(taken[0][0], len(taken), max(contents), written)


def is_near(one: Filled, other: Filled) -> bool:
    """The kernel's buffers are cut by its clock, too: no two runs are the same. How often a third
    is free hangs on these cuts most."""
    nearness = zip(one[1:], other[1:], (0.3, 0.2, 0.2), strict=True)
    return one.first == other.first and all(abs(a - b) <= most * b for a, b, most in nearness)


@pytest.fixture(scope="module")
def header_room(namespace: Namespace) -> int:
    """How this kernel was built."""
    said = namespace.python(
        textwrap.dedent(
            """
            import socket
            listener = socket.create_server(("127.0.0.1", 0))
            sock = socket.socket()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
            sock.connect(listener.getsockname())
            print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
            """
        )
    )
    return HEADER_ROOM[int(said) // 20]  # two windows of ten segments


@pytest.fixture(scope="module")
def kernel(namespace: Namespace) -> Kernel:
    return Kernel(namespace, list(BUFFER_DIALOGUES))


@pytest.mark.parametrize("name", BUFFER_DIALOGUES)
def test_both_take_as_much(name: str, kernel: Kernel, header_room: int) -> None:
    subject = SimulatedSubject(header_room)
    BUFFER_DIALOGUES[name](subject)
    ours = filled(subject.heard)
    theirs = []
    for heard in kernel.heard(name):
        theirs.append(filled(heard))
        if is_near(ours, theirs[-1]):
            return
    assert len(theirs) == ATTEMPTS
    pytest.fail(f"the kernel: {theirs}, we: {ours}", pytrace=False)
