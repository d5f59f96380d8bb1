"""pytest plugin: a network of its own for each test, in virtual time unless it says real.

    @pytest.mark.asyncio
    @pytest.mark.netsim("campus.yaml", seed=3)
    async def test_the_shop_survives(network):
        reply = await network["alice"].get("http://web/ip")

The file is looked for beside the test, then where pytest was started. In virtual time
pytest-asyncio, or anyio's plugin, runs the test on a loop whose time is that of the network. A test
that fails shows the seed, what happened in the network, what its programs logged, and the last
packets.

This module is imported in every run of pytest where netsim is installed: it imports little.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import itertools
import re
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

try:
    import pytest_asyncio
except ImportError:
    pytest_asyncio = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from netsim.network.network import Network

_SHOWN: Final = 25
"""Last packets, events and log lines of a test that has failed."""
_WORDS: Final = {"seed", "seeds", "order", "time", "name"}
_SEED: Final = "_netsim_seed"
_SCOPES: Final = ("function", "class", "module", "package", "session")
"""Of event loops, as pytest-asyncio has them."""
_NOTICES: Final = "netsim_notices"
"""Attribute of a report: what keeps another run of its test from being the same."""
_FAILED_SEEDS = pytest.StashKey[dict[str, int]]()
_NETWORK = pytest.StashKey["Network"]()
_SHOWING = pytest.StashKey[str]()


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
        "--netsim-trace",
        metavar="DIR",
        help="write every frame and its fate to DIR, a file for each test in virtual time",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker of netsim, and quick imports."""
    config.addinivalue_line(
        "markers",
        'netsim(file, *, seed=None, seeds=None, order=None, time="virtual", name=None): the '
        "network of the fixture `network`; time is virtual or real, and seeds=range(100) runs the "
        "test under each",
    )
    # pytest rewrites assertions in all modules of an installed package that has a plugin, which
    # takes longer than to import them. netsim's own assertions are for its own tests.
    hook = config.pluginmanager.rewrite_hook
    getattr(hook, "_must_rewrite", set()).discard("netsim")


# Virtual time ---------------------------------------------------------------------------------


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
    from netsim.interception.memory_order import share_memory
    from netsim.virtual.loops import DirectorLoop

    share_memory()
    return DirectorLoop()


# A test under each of many seeds --------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`seeds=range(100)` makes a test for each, of which the first that fails is shown."""
    marker = metafunc.definition.get_closest_marker("netsim")
    if marker is None or "seeds" not in marker.kwargs:
        return
    try:
        seeds = [int(seed) for seed in marker.kwargs["seeds"]]
    except (TypeError, ValueError):
        seeds = []
    if not seeds or "seed" in marker.kwargs:
        pytest.fail(
            f"{metafunc.definition.nodeid}: seeds are whole numbers, at least one, and instead of "
            "a seed: seeds=range(100)",
            pytrace=False,
        )
    if metafunc.config.getoption("netsim_seed") is None and _SEED in metafunc.fixturenames:
        metafunc.parametrize(_SEED, seeds, ids=[f"seed-{seed}" for seed in seeds], indirect=True)


@pytest.fixture(name=_SEED)
def _seed(request: pytest.FixtureRequest) -> int | None:
    seed: int | None = getattr(request, "param", None)
    return seed


def _sweep_of(item: pytest.Item) -> tuple[str, int] | None:
    """Which test it is, whatever its seed, and that seed."""
    params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if _SEED not in params:
        return None
    seed: int = params[_SEED]
    return item.nodeid.replace(f"seed-{seed}", ""), seed


# The network of a test ------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _network(request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    from netsim.core.errors import NotAwaitedError

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
        in_vain = ""
        try:
            await network.stop()
        except NotAwaitedError as error:
            in_vain = str(error)
    if in_vain:
        pytest.fail(in_vain, pytrace=False)
    if network.errors:
        listed = "\n".join(f"{line.node}: {line.text}" for line in network.errors[:_SHOWN])
        pytest.fail(
            "programs of the network have logged errors (a test that expects them ends with "
            f"network.errors.clear()):\n{listed}",
            pytrace=False,
        )


async def _start(network: Network) -> None:
    from netsim.core.errors import StartError, WrongTimeError

    try:
        await network.start()
        return
    except StartError as error:
        why = str(error)
    except WrongTimeError:
        why = _why_not_virtual()
    pytest.fail(why, pytrace=False)


def _why_not_virtual() -> str:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return (
            "virtual time is asyncio's, and this test runs on trio: write a fixture anyio_backend "
            'that returns "asyncio"'
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
    seed = config.getoption("netsim_seed")
    sweep = _sweep_of(item)
    if seed is None and sweep is not None:
        seed = sweep[1]
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
    sweep = _sweep_of(item)
    failed = item.session.stash.get(_FAILED_SEEDS, {})
    if sweep is not None and sweep[0] in failed and not item.config.getoption("netsim_keep_going"):
        pytest.skip(f"seed {failed[sweep[0]]} has failed; --netsim-keep-going runs all")
    if (
        isinstance(item, pytest.Function)
        and item.get_closest_marker("netsim") is not None
        and inspect.iscoroutinefunction(item.obj)
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
    sweep = _sweep_of(item)
    if report.failed and sweep is not None:
        item.session.stash.setdefault(_FAILED_SEEDS, {}).setdefault(*sweep)
    network = item.stash.get(_NETWORK, None)
    if network is not None and network.state != "new":
        # pytest-xdist carries this from its workers.
        vars(report)[_NOTICES] = [str(cause) for cause in network.unrepeatable]
    if report.failed and network is not None:
        # A test that did not come to its end (a deadlock) could not look by itself.
        shown = item.stash.get(_SHOWING, None)
        if shown is None and network.state != "new":
            shown = _happened(network)
        again = f'seed {network.plan.seed}: pytest "{item.nodeid}"'
        if sweep is None:
            again += f" --netsim-seed {network.plan.seed}"
        from netsim.core.printable import printable

        said = printable(f"{again}\n{shown or ''}".rstrip(), "\n\t")
        report.sections.append((f"netsim {network.plan.name}", said))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What may differ in another run: each cause once."""
    reports = itertools.chain.from_iterable(terminalreporter.stats.values())
    notices = (vars(report).get(_NOTICES, ()) for report in reports if hasattr(report, "__dict__"))
    causes = dict.fromkeys(itertools.chain.from_iterable(notices))
    if not causes:
        return
    from netsim.core.printable import printable

    terminalreporter.section("netsim: another run may differ")
    for number, cause in enumerate(causes):
        if number == _SHOWN:
            terminalreporter.line(f"and {len(causes) - _SHOWN} more")
            break
        terminalreporter.line(printable(cause))


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
    return "\n".join(
        [_happened(network), *_swaps(), *_section("last packets", packets)],
    )


def _swaps() -> list[str]:
    """Which task ran before which, where that is drawn."""
    from netsim.virtual.loops import DirectorLoop

    loop = asyncio.get_running_loop()
    if not isinstance(loop, DirectorLoop):
        return []
    swaps = [
        (
            each.choice.time_ns,
            f"{each.choice.computer}: {each.ran} before {', '.join(map(str, each.before))}",
        )
        for each in loop.timeline.choices.last
    ]
    return _section("which task ran before which, otherwise than in asyncio's order", swaps)


def _happened(network: Network) -> str:
    from netsim.core.units import format_duration

    events = [(each.time_ns, each.text) for each in network.timeline]
    logged = [
        (each["time_ns"], f"{each['node']}: {each['text']}")
        for each in network.logs(last=_SHOWN)["lines"]
    ]
    return "\n".join(
        [
            *(f"{each.text}, at {format_duration(each.time_ns)}" for each in network.exits),
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
