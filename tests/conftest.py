"""Fixtures of all tests. One file: a type checker knows a module by its bare name only."""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings
from kernel_lab import lab, namespace
from networks import curl, start_network

from netsim.interception.interception import Interception

pytest_plugins = ["pytester"]
# A machine that is busy is no reason to fail; what takes too long is for `scripts/bench` to say.
settings.register_profile("netsim", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("netsim")
__all__ = ["curl", "lab", "namespace", "start_network"]


def pytest_configure() -> None:
    """Commands that tests interrupt inherit what becomes of SIGINT and SIGHUP.

    A shell has a background job ignore the one (POSIX, "Asynchronous Lists"), nohup the other.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """A test may end on a computer of virtual time: pytest, which takes times, is on none."""
    try:
        return (yield)
    finally:
        installed = Interception.installed()
        if installed is not None and installed.is_entered:
            installed.leave()
