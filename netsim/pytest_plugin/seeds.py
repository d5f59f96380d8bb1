"""A test under each of many seeds."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, Final

import pytest

_SEED_ID: Final = re.compile(r"seed--?\d+")
_SEED: Final = "_netsim_seed"
_FAILED_SEEDS = pytest.StashKey[dict[str, int]]()


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


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out the seeds after the first that has failed."""
    sweep = sweep_of(item)
    failed = item.session.stash.get(_FAILED_SEEDS, {})
    if sweep is not None and sweep[0] in failed and not item.config.getoption("netsim_keep_going"):
        pytest.skip(f"seed {failed[sweep[0]]} has failed; --netsim-keep-going runs all")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the first seed that fails."""
    report = yield
    sweep = sweep_of(item)
    if report.failed and sweep is not None:
        item.session.stash.setdefault(_FAILED_SEEDS, {}).setdefault(*sweep)
    return report
