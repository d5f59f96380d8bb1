"""What nodes tell their launcher that are started by multiprocessing."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any
from unittest.mock import Mock

import pytest
from plans import plan_of

from netsim.realtime.multiprocess_launcher import MultiprocessLauncher
from netsim.realtime.network_clock import NetworkClock

pytestmark = pytest.mark.asyncio


async def test_as_many_nodes_as_there_are_may_say_that_they_have_no_network() -> None:
    launcher: Any = MultiprocessLauncher("spawn")
    reports = Mock()
    launcher.open(plan_of("alice bob"), NetworkClock(time.monotonic_ns()), reports)
    line = b"user.max_user_namespaces allows no more\n"
    nodes = 2 * 65_536 // len(line)
    for _ in range(nodes):  # a pipe has room for half of them
        await asyncio.to_thread(os.write, launcher._refuse, line)
    await launcher.end()
    reports.shares_network.assert_called_once_with(line.decode().strip())
