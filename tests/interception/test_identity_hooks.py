"""Who a computer is: its process number and its name are the same in every run."""

from __future__ import annotations

import logging
import multiprocessing
import os
import platform
import signal
import socket
import sys
from collections.abc import Iterator
from os import getpid

import psutil
import pytest
from computers import computer

from netsim.interception.interception import Interception


@pytest.fixture
def installed() -> Iterator[Interception]:
    with Interception() as interception:
        yield interception


def number_on(installed: Interception, name: str, seed: int = 1) -> int:
    installed.enter(computer(name, seed=seed))
    numbers = {os.getpid(), getpid()}
    installed.leave()
    (number,) = numbers
    return number


def test_a_process_number_belongs_to_a_computer(installed: Interception) -> None:
    outside = os.getpid()
    alice, bob = number_on(installed, "alice"), number_on(installed, "bob")
    assert len({alice, bob, outside}) == 3
    assert number_on(installed, "alice") == alice
    assert os.getpid() == outside == int(os.readlink("/proc/self"))


def test_no_kernel_gives_such_a_number(installed: Interception) -> None:
    number = number_on(installed, "alice")
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_a_log_tells_it(installed: Interception) -> None:
    installed.enter(computer())
    record = logging.LogRecord("shop", logging.INFO, "shop.py", 1, "open", None, None)
    assert record.process == os.getpid()


def test_the_kernel_is_asked_for_the_real_process(installed: Interception) -> None:
    real = os.getpid()
    installed.enter(computer())
    heard = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]
    assert os.getpgid(os.getpid()) == os.getpgid(0)
    assert psutil.Process().pid == real


def test_a_computer_has_as_many_processors_everywhere(installed: Interception) -> None:
    outside = os.cpu_count(), os.sched_getaffinity(0)
    installed.enter(computer())
    counts = {os.cpu_count(), multiprocessing.cpu_count(), len(os.sched_getaffinity(0))}
    counts.add(len(os.sched_getaffinity(os.getpid())))
    if sys.version_info >= (3, 13):
        counts.add(os.process_cpu_count())
    assert counts == {4}
    installed.leave()
    assert (os.cpu_count(), os.sched_getaffinity(0)) == outside


# A worker of pytest-xdist has threads; from Python 3.12 on a fork warns of them.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_has_its_own(installed: Interception) -> None:
    installed.enter(computer())
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, str(os.getpid()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reading, 20)) == child
    os.close(reading)
    os.close(writing)


def test_a_computer_is_called_by_its_name(installed: Interception) -> None:
    outside = socket.gethostname(), platform.uname()
    for name in ("alice", "bob"):
        installed.enter(computer(name))
        assert socket.gethostname() == socket.getfqdn() == name
        assert os.uname().nodename == platform.node() == platform.uname()[1] == name
        assert platform.uname().system == outside[1].system
        assert len(platform.uname()) == len(outside[1])
        installed.leave()
    assert (socket.gethostname(), platform.uname()) == outside
    assert platform.node() == outside[1].node
