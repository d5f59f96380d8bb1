"""Threads that ask sockets in a circle, and never wait, let time go on in virtual time."""

from __future__ import annotations

import errno
import select
import socket
import threading
import time
from collections.abc import Callable

import pytest
from plans import plan_of

import netsim

_PORT = 5555


def _receiver() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", _PORT))
    sock.setblocking(False)
    return sock


def _send() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", _PORT))


def _selecting(sock: socket.socket) -> Callable[[], object]:
    return lambda: select.select([sock], [], [], 0)[0]


def _polling(sock: socket.socket) -> Callable[[], object]:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return lambda: poll.poll(0)


def _epolling(sock: socket.socket) -> Callable[[], object]:
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN)
    return lambda: epoll.poll(0)


def _finding_the_same(sock: socket.socket) -> Callable[[], object]:
    return lambda: select.select([sock], [sock], [], 0)[0]


def _receiving(sock: socket.socket) -> Callable[[], object]:
    def receive() -> bytes:
        try:
            return sock.recv(10, socket.MSG_PEEK)
        except BlockingIOError:
            return b""

    return receive


def _spin(asking: Callable[[socket.socket], Callable[[], object]], after: float) -> tuple[int, int]:
    """How often it has asked until a datagram came, and after how many ns."""
    threading.Timer(after, _send).start()
    with _receiver() as sock:
        ask, times, began = asking(sock), 1, time.monotonic_ns()
        while not ask():
            times += 1
        return times, time.monotonic_ns() - began


def _spin_again(after: float) -> list[int]:
    """How late it was, twice: the second time it has not asked for long."""
    late = []
    with _receiver() as sock:
        ask = _receiving(sock)
        for each in (1.0, after):
            threading.Timer(each, _send).start()
            began = time.monotonic_ns()
            while not ask():
                pass
            late.append(time.monotonic_ns() - began - round(each * 1e9))
            sock.recv(10)
    return late


def _connect_in_a_circle(seconds: float) -> tuple[int, list[int]]:
    """Who tries at once again to reach whom there is no route to."""
    times, errors, began = 0, set(), time.monotonic()
    while time.monotonic() < began + seconds:
        times += 1
        with socket.socket() as sock:
            errors.add(sock.connect_ex(("192.0.2.1", 80)))
    return times, list(errors)


def on_a_computer(function: Callable[..., object], *args: object) -> object:
    async def main() -> object:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            return await network["a"].run(function, *args)

    return netsim.run(main())


@pytest.mark.parametrize(
    ("asking", "most", "late"),
    [
        (_selecting, 2_000, 0),
        (_polling, 2_000, 0),
        (_epolling, 2_000, 0),
        (_finding_the_same, 2_000, 1_000_000),
        (_receiving, 200_000, 1_000_000),
    ],
)
def test_a_second_takes_few_turns(
    asking: Callable[[socket.socket], Callable[[], object]], most: int, late: int
) -> None:
    seen = on_a_computer(_spin, asking, 1.0)
    assert seen == on_a_computer(_spin, asking, 1.0)
    assert isinstance(seen, tuple)
    times, took = seen
    assert 1_000 < times < most
    assert 0 <= took - 1_000_000_000 <= late


def test_who_tries_in_a_circle_what_fails_at_once_lets_time_go_on() -> None:
    seen = on_a_computer(_connect_in_a_circle, 1.0)
    assert isinstance(seen, tuple)
    times, errors = seen
    assert 1_000 < times < 2_000
    assert errors == [errno.ENETUNREACH]


def test_who_has_found_something_is_not_late_by_what_was_before() -> None:
    late = on_a_computer(_spin_again, 0.000_16)
    assert isinstance(late, list)
    assert 0 <= late[0] <= 1_000_000
    assert 0 <= late[1] <= 10_000
