"""pytest plugin: a network of its own for each test, in virtual time unless it says real.

    @pytest.mark.asyncio
    @pytest.mark.netsim("campus.yaml", seed=3)
    async def test_the_shop_survives(network):
        reply = await network["alice"].get("http://web/ip")

The file is looked for beside the test, then where pytest was started. In virtual time
pytest-asyncio runs the test on a loop whose time is that of the network. A test that fails shows
the seed, what happened in the network, what its programs logged, and the last packets.

This module is imported in every run of pytest where netsim is installed: it imports little.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from netsim.network.network import Network

_SHOWN: Final = 25
"""Last packets, events and log lines of a test that has failed."""
_WORDS: Final = {"seed", "time", "name"}
_NETWORK = pytest.StashKey["Network"]()
_SHOWING = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of netsim."""
    group = parser.getgroup("netsim")
    group.addoption(
        "--netsim-seed", type=int, metavar="N", help="seed of every network, before the marker's"
    )
    group.addoption(
        "--netsim-trace",
        metavar="DIR",
        help="write every frame and its fate to DIR, a file for each test in virtual time",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker of netsim."""
    config.addinivalue_line(
        "markers",
        'netsim(file, *, seed=None, time="virtual", name=None): the network of the fixture '
        "`network`; time is virtual or real",
    )


# Virtual time ---------------------------------------------------------------------------------


class _Policy(asyncio.DefaultEventLoopPolicy):
    """Makes the loops of tests in virtual time; all others are whatever they were before."""

    def __init__(self, ordinary: asyncio.AbstractEventLoopPolicy) -> None:
        super().__init__()
        self._ordinary = ordinary
        self.is_virtual = False
        """The test that is being set up is one of them."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        if not self.is_virtual:
            return self._ordinary.new_event_loop()
        from netsim.virtual.loops import DirectorLoop

        return DirectorLoop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With a test in virtual time among them, event loops are made by a policy of ours."""
    if any(_is_virtual(item) for item in items):
        policy = asyncio.get_event_loop_policy()
        if not isinstance(policy, _Policy):
            asyncio.set_event_loop_policy(_Policy(policy))


def _is_virtual(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("netsim")
    return marker is not None and marker.kwargs.get("time", "virtual") == "virtual"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Whether loops made for this test are virtual."""
    policy = asyncio.get_event_loop_policy()
    if not isinstance(policy, _Policy):
        return (yield)
    policy.is_virtual = _is_virtual(item)
    try:
        return (yield)
    finally:
        policy.is_virtual = False


# The network of a test ------------------------------------------------------------------------


async def _network(request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    item = request.node
    network = _make_network(item, request.config)
    item.stash[_NETWORK] = network
    await _start(network)
    try:
        network.observe_frames()
        trace = request.config.getoption("netsim_trace")
        if trace is not None and network.time == "virtual":
            folder = Path(trace)
            folder.mkdir(parents=True, exist_ok=True)
            network.trace_frames(folder / f"{_file_name(item.nodeid)}.jsonl")
        yield network
        for account in await network.accounts():
            account.check()
    finally:
        await network.stop()
    if network.errors:
        listed = "\n".join(f"{line.node}: {line.text}" for line in network.errors[:_SHOWN])
        pytest.fail(
            "programs of the network have logged errors (a test that expects them ends with "
            f"network.errors.clear()):\n{listed}",
            pytrace=False,
        )


async def _start(network: Network) -> None:
    from netsim.core.errors import StartError

    try:
        await network.start()
        return
    except StartError as error:
        why = str(error)
    pytest.fail(why, pytrace=False)


try:
    import pytest_asyncio
except ImportError:

    @pytest.fixture
    def network() -> None:
        """Needs pytest-asyncio."""
        pytest.fail("the fixture `network` needs pytest-asyncio: pip install pytest-asyncio")

else:
    network = pytest_asyncio.fixture(loop_scope="function", name="network")(_network)  # type: ignore[assignment]


def _make_network(item: pytest.Item, config: pytest.Config) -> Network:
    from netsim.core.errors import InvalidFileError
    from netsim.network.network import Network

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
    seed = config.getoption("netsim_seed")
    if seed is not None:
        words["seed"] = seed
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
    try:
        return Network(topology, time=words.pop("time", "virtual"), **words)
    except (InvalidFileError, ValueError) as error:
        mistakes = str(error)
    pytest.fail(mistakes, pytrace=False)


def _file_name(nodeid: str) -> str:
    return re.sub(r"[^\w.-]+", "_", nodeid)


# What a test that fails shows -----------------------------------------------------------------


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have a failing test look at its network before anything is taken down."""
    if (
        isinstance(item, pytest.Function)
        and item.get_closest_marker("netsim") is not None
        and asyncio.iscoroutinefunction(item.obj)
    ):
        item.obj = _looking(item, item.obj)


def _looking(item: pytest.Item, test: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return await test(*args, **kwargs)
        except Exception:
            network = item.stash.get(_NETWORK, None)
            if network is not None and network.state in ("running", "degraded"):
                item.stash[_SHOWING] = await _describe(network)
            raise

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the network looked like to the report of a failure."""
    report = yield
    network = item.stash.get(_NETWORK, None)
    if report.failed and network is not None:
        # A test that did not come to its end (a deadlock) could not look by itself.
        shown = item.stash.get(_SHOWING, None) or _happened(network)
        again = (
            f'seed {network.plan.seed}: pytest "{item.nodeid}" --netsim-seed {network.plan.seed}'
        )
        report.sections.append((f"netsim {network.plan.name}", f"{again}\n{shown or ''}".rstrip()))
    return report


async def _describe(network: Network) -> str:
    """What happened, and the last packets."""
    from netsim.observe.summary import summarise

    packets = [
        (
            each.time_ns,
            f"{each.sender} > {each.receiver} {summarise(each.frame)}"
            + ("" if each.fate == "delivered" else f" [{each.fate}]"),
        )
        for each in await network.recent_frames()
    ]
    return "\n".join([_happened(network), *_section("last packets", packets)])


def _happened(network: Network) -> str:
    from netsim.core.units import format_duration

    events = [(each.time_ns, each.text) for each in network.timeline]
    logged = [
        (each["time_ns"], f"{each['node']}: {each['text']}")
        for each in network.logs(last=_SHOWN)["lines"]
    ]
    return "\n".join(
        [
            f"network time {format_duration(network.now())}",
            *(f"another run may differ: {cause}" for cause in network.unrepeatable),
            *_section("what happened", events),
            *_section("what programs logged", logged),
        ]
    )


def _section(title: str, entries: list[tuple[int, str]]) -> list[str]:
    if not entries:
        return []
    shown = [f"  {time_ns / 1e9:>14.6f} s  {text}" for time_ns, text in entries[-_SHOWN:]]
    return [f"{title}:", *shown]
