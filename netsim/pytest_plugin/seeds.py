"""A test under each of many seeds: which tests these are, and the first seed that fails."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from netsim.interception.drawn_order import Choice
    from netsim.topology.plan import NetworkPlan

_SEED_ID: Final = re.compile(r"seed--?\d+")
_SEED: Final = "_netsim_seed"
IN_PROCESS = pytest.StashKey[str]()
"""Why a test with seeds runs in pytest's own process."""
_FAILED_SEEDS = pytest.StashKey[dict[str, int]]()


@dataclass(slots=True)
class OwnRun:
    """What a process runs that was forked for one seed of a test."""

    seed: int | None = None
    """None: the marker's, or that of the file."""
    lengths: tuple[tuple[str, int], ...] = ()
    """How many choices between tasks a run has, by computer, where one has shown it."""
    trace: str = ""
    """Where every frame goes."""
    plan: NetworkPlan | None = None
    """Of the network, where it could be made before the fork."""
    began: float = 0.0
    """As `time.time`."""
    order: str | None = None
    """Of tasks, instead of what the marker and the file say."""
    script: tuple[tuple[Choice, int], ...] | None = None
    """Swaps of tasks that are to be made, and no others."""
    of_swaps: int = 0
    """How many the run had that failed."""
    made: tuple[tuple[str, int], ...] = field(default=(), init=False)
    """Such lengths of this run."""
    swaps: tuple[tuple[Choice, int], ...] = field(default=(), init=False)
    """That were made."""


class SeedServer:
    """Whether this process is one that runs of single seeds are forked from."""

    is_here = False
    run: OwnRun | None = None
    """What it was forked for, then."""


def has_seeds(item: pytest.Item) -> bool:
    """Whether a test says which seeds it runs under."""
    marker = item.get_closest_marker("netsim")
    return marker is not None and "seeds" in marker.kwargs


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
    if SeedServer.is_here or _SEED not in metafunc.fixturenames:
        return
    only = metafunc.config.getoption("netsim_seed")
    if only is not None:
        seeds = [only]
    metafunc.parametrize(_SEED, seeds, ids=[f"seed-{seed}" for seed in seeds], indirect=True)


@pytest.fixture(name=_SEED)
def _seed(request: pytest.FixtureRequest) -> int | None:
    seed: int | None = getattr(request, "param", None)
    return seed


def sweep_of(item: pytest.Item) -> tuple[str, int] | None:
    """Which test it is, whatever its seed, and that seed."""
    params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if _SEED not in params:
        return None
    seed: int = params[_SEED]
    return without_seed(item.nodeid), seed


def without_seed(nodeid: str) -> str:
    """What a test is called, whatever its seed."""
    return _SEED_ID.sub("", nodeid).replace("[]", "").replace("[-", "[").replace("-]", "]")


def failed_before(item: pytest.Item) -> int | None:
    """The seed that has failed, where this one is not to run any more."""
    sweep = sweep_of(item)
    if sweep is None or item.config.getoption("netsim_keep_going"):
        return None
    return item.session.stash.get(_FAILED_SEEDS, {}).get(sweep[0])


def note_failure(item: pytest.Item) -> None:
    """The test has failed under its seed."""
    sweep = sweep_of(item)
    if sweep is not None:
        item.session.stash.setdefault(_FAILED_SEEDS, {}).setdefault(*sweep)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out the seeds after the first that has failed."""
    seed = failed_before(item)
    if seed is not None:
        pytest.skip(f"seed {seed} has failed; --netsim-keep-going runs all")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the first seed that fails."""
    report = yield
    if report.failed:
        note_failure(item)
    return report
