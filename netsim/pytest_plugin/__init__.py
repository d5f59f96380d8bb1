"""pytest plugin: a network of its own for each test, in virtual time unless it says real.

    @pytest.mark.asyncio
    @pytest.mark.netsim("campus.yaml", seed=3)
    async def test_the_shop_survives(network):
        reply = await network["alice"].get("http://web/ip")

The file is looked for beside the test, then where pytest was started. In virtual time
pytest-asyncio, or anyio's plugin, runs the test on a loop whose time is that of the network. A test
that fails shows the seed, what happened in the network, what its programs logged, and the last
packets.

What is here is imported in every run of pytest where netsim is installed: it imports little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Final

import pytest

from netsim.pytest_plugin import failure_report, network_fixture, notices, seeds, sweeps

_PARTS: Final = (seeds, sweeps, network_fixture, failure_report, notices)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of netsim."""
    group = parser.getgroup("netsim")
    group.addoption(
        "--netsim-seed", type=int, metavar="N", help="seed of every network, before the marker's"
    )
    group.addoption(
        "--netsim-keep-going",
        action="store_true",
        help="run a test with seeds=… under the seeds after the first that fails, too",
    )
    group.addoption(
        "--netsim-in-process",
        action="store_true",
        help="run a test with seeds=… in pytest's own process, for a debugger: on one core, and "
        "with the order of sets of this process",
    )
    group.addoption(
        "--netsim-trace",
        metavar="DIR",
        help="write every frame and its fate to DIR, a file for each test in virtual time",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker of netsim, its parts, and quick imports."""
    config.addinivalue_line(
        "markers",
        'netsim(file, *, seed=None, seeds=None, order=None, time="virtual", name=None): the '
        "network of the fixture `network`; time is virtual or real, and seeds=range(100) runs the "
        "test under each",
    )
    # Not as `pytest_plugins`: before pytest 8.4 that warns of parts that are imported already.
    for part in _PARTS:
        config.pluginmanager.register(part, part.__name__)
    # pytest rewrites assertions in all modules of an installed package that has a plugin, which
    # takes longer than to import them. netsim's own assertions are for its own tests.
    hook = config.pluginmanager.rewrite_hook
    getattr(hook, "_must_rewrite", set()).discard("netsim")


def _is_virtual(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("netsim")
    return marker is not None and marker.kwargs.get("time", "virtual") == "virtual"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Event loops that are made while a test in virtual time is under way are virtual.

    Whoever makes them, under whichever policy: `asyncio.Runner` asks `new_event_loop`.
    """
    if not _is_virtual(item):
        return (yield)
    ordinary = asyncio.new_event_loop
    _set_new_event_loop(_new_virtual_loop)
    try:
        return (yield)
    finally:
        _set_new_event_loop(ordinary)


def _set_new_event_loop(function: Callable[[], asyncio.AbstractEventLoop]) -> None:
    for module in (asyncio, asyncio.events):
        vars(module)["new_event_loop"] = function


def _new_virtual_loop() -> asyncio.AbstractEventLoop:
    from netsim.core.streams import RandomStreams
    from netsim.interception.memory_order import share_memory
    from netsim.virtual.director_loop import DirectorLoop

    if seeds.SeedServer.run is not None:
        return DirectorLoop(RandomStreams(seeds.SeedServer.run.seed or 0).below("the test"))
    share_memory()
    return DirectorLoop()
