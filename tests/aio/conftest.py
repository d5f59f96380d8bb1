"""Two computers with a router between them, 1 ms each way on each cable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from plans import plan_of
from stepped_loops import World


@pytest.fixture
def world() -> Iterator[World]:
    """alice – r1 – web. Whatever an exception handler was told must be asked for by the test."""
    world = World(plan_of("alice r1 delay=1ms", "r1 web delay=1ms"))
    yield world
    world.close()
    assert world.problems == []
