"""A computer's signal handlers are its own, and a signal to itself comes to them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from signal import raise_signal
from types import FrameType

import pytest
from computers import computer

from netsim.interception.computers_signals import KilledBySignal
from netsim.interception.interception import Interception


@pytest.fixture
def installed() -> Iterator[Interception]:
    with Interception() as interception:
        yield interception


class Heard:
    """A handler that notes the signals that come."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        assert frame is not None
        assert frame.f_code.co_filename == __file__
        self.numbers.append(number)


def test_a_handler_belongs_to_a_computer(installed: Interception) -> None:
    of_the_process = signal.getsignal(signal.SIGINT)
    heard, other = Heard(), Heard()
    alice, bob = computer("alice"), computer("bob")
    installed.enter(alice)
    assert signal.signal(signal.SIGINT, heard) == signal.SIG_IGN
    kept: object = signal.getsignal(signal.SIGINT)
    assert kept is heard
    installed.leave()
    assert signal.getsignal(signal.SIGINT) is of_the_process
    installed.enter(bob)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    signal.signal(signal.SIGINT, other)
    installed.leave()
    installed.enter(alice)
    os.kill(os.getpid(), signal.SIGINT)
    raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    os.kill(0, signal.SIGINT)
    os.killpg(os.getpgrp(), signal.SIGINT)
    before: object = signal.signal(signal.SIGINT, signal.SIG_DFL)
    assert before is heard
    assert (heard.numbers, other.numbers) == ([signal.SIGINT] * 5, [])


def test_who_has_no_handler_ends_as_a_process_would(installed: Interception) -> None:
    installed.enter(computer())
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGALRM):
        with pytest.raises(KilledBySignal) as caught:
            os.kill(os.getpid(), number)
        assert caught.value.code == -number
    for harmless in (signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD, 0):
        os.kill(os.getpid(), harmless)  # of these a process takes no notice
    with pytest.raises(NotImplementedError, match="SIGSTOP: nobody could have this program go on"):
        os.kill(os.getpid(), signal.SIGSTOP)


def test_mistakes_are_the_interpreters(installed: Interception) -> None:
    installed.enter(computer())
    with pytest.raises(OSError, match="Invalid argument"):
        signal.signal(signal.SIGKILL, signal.SIG_IGN)
    with pytest.raises(ValueError, match="signal number out of range"):
        signal.raise_signal(signal.NSIG)
    with pytest.raises(ValueError, match="signal number out of range"):
        signal.getsignal(0)
    with pytest.raises(TypeError, match="or a callable object"):
        signal.signal(signal.SIGTERM, "not callable")  # type: ignore[arg-type]
    for pid in (1, -1):
        with pytest.raises(PermissionError):
            os.kill(pid, signal.SIGTERM)


def test_what_goes_by_real_time_is_refused(installed: Interception) -> None:
    installed.enter(computer())
    with pytest.raises(NotImplementedError, match=r"signal\.alarm\(\) .* use loop\.call_later\(\)"):
        signal.alarm(1)
    with pytest.raises(NotImplementedError, match=r"signal\.setitimer\(\)"):
        signal.setitimer(signal.ITIMER_REAL, 1)
    with pytest.raises(NotImplementedError, match=r"signal\.pause\(\) .*add_signal_handler"):
        signal.pause()
    installed.leave()
    assert signal.setitimer(signal.ITIMER_VIRTUAL, 0) == (0.0, 0.0)


def test_a_descriptor_is_woken(installed: Interception) -> None:
    installed.enter(computer())
    reading, writing = os.pipe()
    try:
        assert signal.set_wakeup_fd(writing, warn_on_full_buffer=False) == -1
        signal.siginterrupt(signal.SIGTERM, False)
        signal.signal(signal.SIGTERM, Heard())
        signal.raise_signal(signal.SIGTERM)
        assert os.read(reading, 10) == bytes([signal.SIGTERM])
        assert signal.set_wakeup_fd(-1) == writing
    finally:
        os.close(reading)
        os.close(writing)


def test_other_threads_and_the_time_after_have_the_process_s() -> None:
    before = signal.signal, signal.raise_signal, signal.alarm, os.kill, os.killpg
    found: list[object] = []
    with Interception() as installed:
        installed.enter(computer())
        signal.signal(signal.SIGTERM, Heard())
        thread = threading.Thread(target=lambda: found.append(signal.getsignal(signal.SIGTERM)))
        thread.start()
        thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
    assert before == (signal.signal, signal.raise_signal, signal.alarm, os.kill, os.killpg)
