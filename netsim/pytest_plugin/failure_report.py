"""What a test that fails shows of its network."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

import pytest

from netsim.pytest_plugin.network_fixture import NETWORK, SHOWN
from netsim.pytest_plugin.seeds import SeedServer, has_seeds

if TYPE_CHECKING:
    from netsim.network.network import Network

_FAULTS: Final = 10
"""Those that began last are shown."""
_SHOWING = pytest.StashKey[str]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have a failing test look at its network before anything is taken down."""
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
            network = item.stash.get(NETWORK, None)
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
    network = item.stash.get(NETWORK, None)
    if report.failed and network is not None:
        # A test that did not come to its end (a deadlock) could not look by itself.
        shown = item.stash.get(_SHOWING, None)
        if shown is None and network.state != "new":
            shown = _happened(network)
        again = f'seed {network.plan.seed}: pytest "{item.nodeid}"'
        if not has_seeds(item):
            again += f" --netsim-seed {network.plan.seed}"
        from netsim.core.printable import printable

        said = printable(f"{again}\n{shown or ''}".rstrip(), "\n\t")
        _add_to_failure(report, f"netsim {network.plan.name}", said)
    return report


def _add_to_failure(report: pytest.TestReport, title: str, text: str) -> None:
    """To what failed itself: JUnit XML has that, and leaves out sections beside it."""
    longrepr = report.longrepr
    add_section = getattr(longrepr, "addsection", None)
    if add_section is not None:
        add_section(title, text)
    elif isinstance(longrepr, str):
        report.longrepr = f"{longrepr}\n{title}\n{text}"
    else:
        report.sections.append((title, text))


async def _describe(network: Network) -> str:
    """What happened, and the last packets."""
    from netsim.observe.frame_lines import summarise

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
    from netsim.virtual.director_loop import DirectorLoop

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
    return [
        *_enough(len(swaps)),
        *_section("which task ran before which, otherwise than in asyncio's order", swaps),
    ]


def _enough(swaps: int) -> list[str]:
    """What was left out of a run that failed, and did not matter."""
    own = SeedServer.run
    if own is None or not own.of_swaps:
        return []
    if own.script is None:
        return ['it fails in asyncio\'s order of tasks, too: order="fifo"']
    if not swaps:
        return ["no swap of tasks is needed, only that all of one instant comes together"]
    count = "1 swap" if swaps == 1 else f"{swaps} swaps"
    return [f"enough: {count} of tasks, where the run had {own.of_swaps}"]


def _happened(network: Network) -> str:
    from netsim.core.units import format_duration

    events = [(each.time_ns, each.text) for each in network.timeline]
    logged = [
        (each["time_ns"], f"{each['node']}: {each['text']}")
        for each in network.logs(last=SHOWN)["lines"]
    ]
    return "\n".join(
        [
            *(f"{each.text}, at {format_duration(each.time_ns)}" for each in network.exits),
            f"network time {format_duration(network.now())}",
            *_broken(network),
            *filter(None, [network.timing.text]),
            *(f"another run may differ: {cause}" for cause in network.unrepeatable),
            *_section("what happened", events),
            *_section("what programs logged", logged),
        ]
    )


def _broken(network: Network) -> list[str]:
    """What was or had been broken when the test failed."""
    from netsim.core.units import format_moment

    lines = []
    for fault in network.fault_history.faults[-_FAULTS:]:
        began = format_moment(fault.started_ns)
        over = fault.ended_ns
        time = f"since {began}" if over is None else f"from {began} to {format_moment(over)}"
        lines.append(f"broken: {fault.text}, {time}")
    return lines


def _section(title: str, entries: list[tuple[int, str]]) -> list[str]:
    if not entries:
        return []
    shown = [f"  {time_ns / 1e9:>14.6f} s  {text}" for time_ns, text in entries[-SHOWN:]]
    return [f"{title}:", *shown]
