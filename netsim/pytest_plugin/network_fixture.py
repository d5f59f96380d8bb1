"""The network of a test, on the loop that the test runs on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from netsim.pytest_plugin.seeds import SeedServer, sweep_of

try:
    import pytest_asyncio
except ImportError:
    pytest_asyncio = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from netsim.network.network import Network
    from netsim.topology.plan import NetworkPlan

SHOWN: Final = 25
"""Last packets, events and log lines of a test that has failed."""
NETWORK = pytest.StashKey["Network"]()
"""Of a test that has the fixture `network`."""
COURSE = pytest.StashKey[str]()
"""Of its run in virtual time: equal in runs with the same packets and the same order of tasks."""
_WORDS: Final = {"seed", "seeds", "order", "time", "name"}
_SCOPES: Final = ("function", "class", "module", "package", "session")
"""Of event loops, as pytest-asyncio has them."""


@contextlib.asynccontextmanager
async def _network(request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    from netsim.core.errors import NotAwaitedError

    item = request.node
    network = _make_network(item, request.config)
    item.stash[NETWORK] = network
    await _start(network)
    try:
        network.observe_frames()
        own = SeedServer.run
        trace = trace_of(item) if own is None else own.trace
        if trace is not None and network.time == "virtual":
            network.trace_frames(trace)
        yield network
        for account in await network.accounts():
            account.check()
    finally:
        _note_course(item)
        in_vain = ""
        try:
            await network.stop()
        except NotAwaitedError as error:
            in_vain = str(error)
    if in_vain:
        pytest.fail(in_vain, pytrace=False)
    if network.errors:
        listed = "\n".join(f"{line.node}: {line.text}" for line in network.errors[:SHOWN])
        pytest.fail(
            "programs of the network have logged errors (a test that expects them ends with "
            f"network.errors.clear()):\n{listed}",
            pytrace=False,
        )


def _note_course(item: pytest.Item) -> None:
    from netsim.virtual.director_loop import DirectorLoop

    loop = asyncio.get_running_loop()
    if isinstance(loop, DirectorLoop):
        if SeedServer.run is not None:
            SeedServer.run.made = tuple(sorted(loop.timeline.choices.made.items()))
            SeedServer.run.swaps = tuple(loop.timeline.choices.swaps)
        swaps = zlib.crc32(repr(loop.timeline.choices.swaps).encode())  # also in other processes
        item.stash[COURSE] = f"{loop.timeline.course} {swaps}"


async def _start(network: Network) -> None:
    from netsim.core.errors import StartError, WrongTimeError
    from netsim.virtual.director_loop import DirectorLoop

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        pytest.fail(
            "networks are asyncio's, and this test runs on trio: write a fixture anyio_backend "
            'that returns "asyncio"',
            pytrace=False,
        )
    own = SeedServer.run
    if own is not None and isinstance(loop, DirectorLoop):
        loop.timeline.choices.lengths = dict(own.lengths)
        loop.timeline.choices.script = None if own.script is None else dict(own.script)
    try:
        await network.start()
        return
    except StartError as error:
        why = str(error)
    except WrongTimeError:
        why = _why_another_time(loop)
    pytest.fail(why, pytrace=False)


def _why_another_time(loop: asyncio.AbstractEventLoop) -> str:
    """Why the event loop of a test has not the time of its network."""
    from netsim.virtual.director_loop import DirectorLoop

    if isinstance(loop, DirectorLoop):
        return (
            "the test is in real time, but its event loop is that of tests in virtual time "
            '(loop_scope="module", "class" or "session"): give the tests with time="real" a module '
            "or class of their own, or a loop each"
        )
    return (
        f"the test is in virtual time, but its event loop, a {type(loop).__name__}, is not: it was "
        'made for a test without the marker netsim (loop_scope="module": mark all tests of the '
        "module), or by a hook pytest_asyncio_loop_factories or options of anyio_backend (leave "
        'the loop to netsim, or write time="real")'
    )


@pytest.fixture(name="network")
def _network_of_the_test(request: pytest.FixtureRequest, _netsim_seed: int | None) -> Any:
    """The network that the marker `netsim` names, on the loop that the test runs on."""
    return request.getfixturevalue(_ON_LOOP + _loop_of(request))


def _loop_of(request: pytest.FixtureRequest) -> str:
    if "anyio_backend" in request.fixturenames:
        return "anyio"
    if pytest_asyncio is None:
        pytest.fail(
            "the fixture `network` needs pytest-asyncio (pip install 'pytest-asyncio>=1.1') or "
            "anyio's plugin",
            pytrace=False,
        )
    marker = request.node.get_closest_marker("asyncio")
    words = {} if marker is None else marker.kwargs
    scope: str = (
        words.get("loop_scope")
        or words.get("scope")
        or request.config.getini("asyncio_default_test_loop_scope")
    )
    return scope


_ON_LOOP: Final = "_netsim_network_on_the_loop_of_"


def _fixture_function() -> Callable[[pytest.FixtureRequest], AsyncIterator[Network]]:
    # A new one for each fixture: pytest-asyncio notes the loop's scope on the function.
    async def on_loop(request: pytest.FixtureRequest) -> AsyncIterator[Network]:
        async with _network(request) as network:
            yield network

    return on_loop


_network_with_anyio = pytest.fixture(name=f"{_ON_LOOP}anyio")(_fixture_function())
if pytest_asyncio is not None:
    for _scope in _SCOPES:
        globals()[f"_network_{_scope}"] = pytest_asyncio.fixture(
            loop_scope=_scope, name=_ON_LOOP + _scope
        )(_fixture_function())


def _make_network(item: pytest.Item, config: pytest.Config) -> Network:
    from netsim.core.errors import InvalidFileError
    from netsim.network.network import Network

    topology, words = _marked(item)
    time = words.pop("time", "virtual")
    seed = config.getoption("netsim_seed")
    sweep = sweep_of(item)
    if seed is None and sweep is not None:
        seed = sweep[1]
    own = SeedServer.run
    if own is not None:
        seed = own.seed
        if own.plan is not None:
            topology, words = own.plan, {}
        if own.order is not None:
            words["order"] = own.order
    if seed is not None:
        words["seed"] = seed
    try:
        return Network(topology, time=time, **words)
    except (InvalidFileError, ValueError) as error:
        mistakes = str(error)
    pytest.fail(mistakes, pytrace=False)


def plan_of(item: pytest.Item) -> NetworkPlan | None:
    """Of the network of a test, to be run under any seed; None where making it warns."""
    from netsim.topology.load_topology import load_plan
    from netsim.topology.make_plan import make_plan

    topology, words = _marked(item)
    words.pop("time", None)
    made = load_plan if isinstance(topology, (str, os.PathLike)) else make_plan
    plan: NetworkPlan = made(topology, **words)
    return None if plan.warnings else plan


def _marked(item: pytest.Item) -> tuple[Any, dict[str, Any]]:
    """The topology that a test's marker names, and what else it says of the network."""
    marker = item.get_closest_marker("netsim")
    unknown = set(marker.kwargs) - _WORDS if marker is not None else set()
    if unknown:
        pytest.fail(
            f"the marker netsim has no {sorted(unknown)[0]!r}; write {', '.join(sorted(_WORDS))}",
            pytrace=False,
        )
    if marker is None or len(marker.args) != 1:
        pytest.fail(
            'the fixture `network` needs the marker netsim: @pytest.mark.netsim("campus.yaml", '
            'seed=3), with time="real" for processes',
            pytrace=False,
        )
    words = dict(marker.kwargs)
    words.pop("seeds", None)
    topology = marker.args[0]
    if isinstance(topology, str):
        beside = item.path.parent / topology
        if not beside.exists() and not Path(topology).exists():
            pytest.fail(
                f"there is no file {topology!r}, neither in {item.path.parent} nor where pytest "
                f"was started ({Path.cwd()}); write its path from one of them",
                pytrace=False,
            )
        topology = beside if beside.exists() else topology
    return topology, words


def trace_of(item: pytest.Item) -> Path | None:
    """Where its frames go, if they are wanted; the folder is there then."""
    trace = item.config.getoption("netsim_trace")
    if trace is None:
        return None
    folder = Path(trace)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (re.sub(r"[^\w.-]+", "_", item.nodeid) + ".jsonl")
