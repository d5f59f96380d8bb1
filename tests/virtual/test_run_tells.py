"""`netsim.run` tells at its end what will not be the same in another run."""

from __future__ import annotations

import contextlib
import os
import warnings

import pytest
from plans import plan_of

import netsim


async def work() -> None:
    os.waitpid(os.posix_spawn("/bin/sh", ["/bin/sh", "-c", ""], {}), 0)


async def main(fails: bool) -> int:
    async with netsim.Network(plan_of("a b"), time="virtual") as network:
        await network["a"].run(work)
    if fails:
        raise KeyError("a")
    return 7


def run(fails: bool) -> None:
    with contextlib.suppress(KeyError):
        netsim.run(main(fails))


@pytest.mark.parametrize("fails", [False, True])
def test_what_may_differ_is_a_warning_where_run_was_called(fails: bool) -> None:
    with pytest.warns(netsim.UnrepeatableWarning, match="^another run may differ: ") as told:
        run(fails)
    (process,) = (each for each in told if "process" in str(each.message))
    assert str(process.message).startswith("another run may differ: a: started a process (/bin/sh)")
    assert process.filename == __file__


def test_the_warning_can_be_left_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "another run may differ:", UserWarning)
        assert netsim.run(main(fails=False)) == 7


async def nothing() -> None:
    async with netsim.Network(plan_of("a b"), time="virtual") as network:
        assert any("the order of sets" in text for text in network.unrepeatable)


def test_that_sets_may_have_another_order_is_no_warning_in_every_script() -> None:
    """Under pytest plain objects always lie elsewhere (`share_memory`)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        netsim.run(nothing())
