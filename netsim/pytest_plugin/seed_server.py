"""The process that runs of a test under many seeds are forked from; a program of its own.

It collects one file of tests as pytest did that has started it, with a fixed hash seed and no
randomisation of addresses, and forks a process for each test of which seeds are wanted. That sets
up what is wider than the test (fixtures of a module, a class, a session), makes the plan of its
network, imports the libraries of its programs, and forks one for each seed: it runs the test as
pytest does, and answers with the reports. As in `netsim.scenario.run_server` each run finds memory
as any other did, alone or one of a thousand; how that is had is said there.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import pytest
from _pytest._io import TerminalWriter

from netsim.interception import empty_network
from netsim.interception.drawn_order import Choice
from netsim.pytest_plugin import steady_collection
from netsim.pytest_plugin.seed_answers import Noted, SeedAnswer
from netsim.pytest_plugin.seeds import OwnRun, SeedServer
from netsim.realtime.process_tree import die_with_parent
from netsim.scenario.run_server import (
    PRELOADED,
    TRACE,
    fork_for_each,
    fork_until_one_begins,
    import_all,
)
from netsim.scenario.steady_imports import SteadyImports
from netsim.scenario.user_imports import libraries_of

BASE: Final = TRACE + 1
"""The descriptor of the folder that temporary folders of runs lie in."""
_WARMING: Final = 64


@dataclass(frozen=True, slots=True)
class SeedOrder:
    """What one run is to do. The same bytes for the same run."""

    nodeid: str
    """What the test is called under this seed."""
    seed: int | None
    lengths: tuple[tuple[str, int], ...] = ()
    order: str | None = None
    script: tuple[tuple[Choice, int], ...] | None = None
    of_swaps: int = 0
    """This and what comes before it: as of `OwnRun`."""


def main() -> None:
    """Fork a process for each byte in `requests`; it takes its test from `listener`."""
    parent, listener, requests, settings, again = map(int, sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of who has started us
    die_with_parent(parent)
    SteadyImports.install()
    steady_collection.install()
    for name in (*PRELOADED, "netsim.network.network"):
        importlib.import_module(name)
    SteadyImports.add_folders()
    wanted = json.loads(os.pread(settings, os.fstat(settings).st_size, 0))
    sys.path[:] = wanted["path"]
    SeedServer.is_here = True
    steady_collection.look_at_nothing_else(Path(wanted["file"]))

    def serve(session: pytest.Session) -> None:
        randomness.end()
        random.seed(0)
        if SteadyImports.compiled and not again and not sys.dont_write_bytecode:
            SteadyImports.again()
        _serve(session, socket.socket(fileno=listener), requests)

    arguments = ["-p", "no:terminal"]
    for plugin in wanted["options"].pop("plugins"):
        arguments += ["-p", plugin]
    randomness = steady_collection.SameRandomness()
    config = pytest.Config.fromdictargs(wanted["options"], [*arguments, wanted["file"]])
    # Plugins are to leave alone what belongs to the whole session: its report, its cache.
    vars(config)["workerinput"] = {"workerid": "netsim", "workercount": 1, "testrunuid": "netsim"}
    vars(config)["workeroutput"] = {}
    config.pluginmanager.register(_NoTerminal(), "terminalreporter")
    config.pluginmanager.register(_Serving(serve), "netsim-seed-server")
    config.hook.pytest_cmdline_main(config=config)


class _NoTerminal:
    """What plugins find that write to a terminal, or ask it for colours.

    pytest-timeout does, and pytest itself before 9.1 for the two sides of an `assert`.
    """

    def __init__(self) -> None:
        self._tw = TerminalWriter(open(os.devnull, "w"))  # noqa: SIM115 (as long as the process)


class _Serving:
    """Instead of running what was collected."""

    def __init__(self, serve: Callable[[pytest.Session], None]) -> None:
        self._serve = serve

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._serve(session)
        return True


def _serve(session: pytest.Session, accepting: socket.socket, requests: int) -> NoReturn:
    items = {item.nodeid: item for item in session.items}
    os.dup2(accepting.fileno(), TRACE)  # so that the numbers are taken
    os.dup2(accepting.fileno(), BASE)
    own = os.getpid()
    threads = _threads()
    if threads:
        connected, _ = accepting.accept()
        Connection(connected.detach()).send(f"importing the tests starts {threads}")
        os._exit(1)
    _refuse_debuggers()
    fork_for_each(requests, accepting, lambda: _look_after(items, accepting, own), _WARMING)
    os._exit(0)


def _refuse_debuggers() -> None:
    from _pytest.debugging import pytestPDB

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            "a test with seeds= runs in a process without a terminal; for a debugger run pytest "
            "with --netsim-in-process"
        )

    pytestPDB.set_trace = refuse  # type: ignore[method-assign]
    for module, name in ((sys, "breakpointhook"), (importlib.import_module("pdb"), "set_trace")):
        setattr(module, name, refuse)


def _threads() -> str:
    count = len(os.listdir("/proc/self/task")) - 1
    return "" if not count else "a thread" if count == 1 else f"{count} threads"


# One test -----------------------------------------------------------------------------------------


def _look_after(items: dict[str, pytest.Item], accepting: socket.socket, parent: int) -> NoReturn:
    """Have the runs of one test forked, by a process that has set up what they share."""
    die_with_parent(parent)
    empty_network.try_out()
    connected, _ = accepting.accept()
    _, (requests, listener, base), _, _ = socket.recv_fds(connected, 1, 3)
    os.dup2(base, BASE)
    os.close(base)
    talk = Connection(connected.detach())
    name = talk.recv()
    item = items.get(name)
    if item is None:
        talk.send(f"{name} is not among the tests of its file when these are collected alone")
        os._exit(1)
    runs = socket.socket(fileno=listener)

    def fork_runs(shares: bool, begin: Callable[[], None]) -> NoReturn:
        plan = _prepare(item, shares)
        if _threads():  # which a fork does not have
            if shares:
                _tear_down(item)
                os._exit(1)
            talk.send(f"importing the libraries of its programs starts {_threads()}")
            os._exit(1)
        begin()
        talk.send((_draws_by_pct(plan),))
        fork_for_each(requests, runs, partial(_leave_forker, item, runs, plan))
        runs.close()
        with contextlib.suppress(OSError):
            talk.send(_tear_down(item))
        os._exit(0)

    fork_until_one_begins((True, False), fork_runs)


def _prepare(item: pytest.Item, shares: bool) -> Any:
    """Set up what is wider than the test, and make the plan of its network, if there is one."""
    SteadyImports.compiled = False
    _temporary_folder(item, "shared")
    if shares:
        _set_up_wider(item)
    plan = _plan(item)
    if plan is not None and shares:
        folders = [str(Path(plan.file).parent)] if plan.file else []
        import_all(plan.nodes, libraries_of(plan.nodes, folders))
    return plan


def _set_up_wider(item: pytest.Item) -> None:
    """Fixtures of a module, a class, a session. What fails, fails in each run."""
    state = cast(Any, item.session)._setupstate
    with contextlib.suppress(BaseException):
        state.setup(item.parent)
        state.stack[item] = ([], None)  # who asks for fixtures is being set up
        for name in _wider(item):
            with contextlib.suppress(BaseException):
                cast(Any, item)._request.getfixturevalue(name)
    state.stack.pop(item, None)


def _wider(item: pytest.Item) -> Iterator[str]:
    """Those fixtures of a test that runs can share: what lives on an event loop cannot."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = {} if info is None else info.name2fixturedefs

    def is_of_a_loop(name: str, seen: frozenset[str]) -> bool:
        if name in seen:
            return False
        for each in definitions.get(name, ()):
            code = getattr(each.func, "__code__", None)
            if code is not None and code.co_flags & _ASYNCHRONOUS:
                return True
            if getattr(each.func, "__module__", "").partition(".")[0] in _LOOP_MAKERS:
                return True
            if any(is_of_a_loop(needed, seen | {name}) for needed in each.argnames):
                return True
        return False

    for name, found in definitions.items():
        if found and found[-1].scope != "function" and not is_of_a_loop(name, frozenset()):
            yield name


_LOOP_MAKERS: Final = ("pytest_asyncio", "anyio", "netsim")
_ASYNCHRONOUS: Final = 0x80 | 0x200
"""CO_COROUTINE and CO_ASYNC_GENERATOR of `inspect`."""


def _plan(item: pytest.Item) -> Any:
    from netsim.pytest_plugin.network_fixture import plan_of

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each run warns
        with contextlib.suppress(Exception, pytest.fail.Exception):
            return plan_of(item)
    return None


def _draws_by_pct(plan: Any) -> bool:
    from netsim.core.order_words import pct_depth

    return plan is not None and any(pct_depth(node.order) is not None for node in plan.nodes)


def _tear_down(item: pytest.Item) -> Any:
    """What was set up before the runs; the report where that fails."""
    state = cast(Any, item.session)._setupstate
    with contextlib.suppress(BaseException):
        call = pytest.CallInfo.from_call(lambda: state.teardown_exact(None), "teardown")
        if call.excinfo is not None:
            report = pytest.TestReport.from_item_and_call(item, call)
            hook = item.config.hook
            return hook.pytest_report_to_serializable(config=item.config, report=report)
    return None


# One run ------------------------------------------------------------------------------------------


def _leave_forker(item: pytest.Item, accepting: socket.socket, plan: Any) -> NoReturn:
    """Run under one seed in a child, and say how that has ended."""
    connected, _ = accepting.accept()
    _, (trace,), _, _ = socket.recv_fds(connected, 1, 1)
    os.dup2(trace, TRACE)
    os.close(trace)
    answers = Connection(connected.detach())
    answers.send(os.getpid())
    own = os.getpid()
    run = os.fork()
    if not run:
        die_with_parent(own)
        _run(item, answers, plan)
    _, status = os.waitpid(run, 0)
    with contextlib.suppress(OSError):
        answers.send((os.waitstatus_to_exitcode(status),))
    os._exit(0)


def _run(item: Any, answers: Connection, plan: Any) -> NoReturn:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    order = cast(SeedOrder, answers.recv())
    SeedServer.run = OwnRun(
        order.seed,
        order.lengths,
        f"/dev/fd/{TRACE}",
        plan,
        time.time(),
        order.order,
        order.script,
        order.of_swaps,
    )
    # Not before: what the runs share may be a real server that was started for them.
    empty_network.enter()
    config = item.config
    _rename(item, order.nodeid)
    # What is set up here is torn down here, and what was set up before is not.
    for finalizers, _ in item.session._setupstate.stack.values():
        finalizers.clear()
    _temporary_folder(item, f"seed-{order.seed}")
    capturing = config.pluginmanager.getplugin("capturemanager")
    if capturing is not None:  # its files are shared with other runs
        capturing.stop_global_capturing()
        capturing.start_global_capturing()
        capturing.suspend_global_capture()
    answer = SeedAnswer()
    config.pluginmanager.register(Noted(config, answer))
    random.seed(order.seed or 0)
    gc.collect()  # and count from zero
    try:
        config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    except pytest.exit.Exception as error:
        answer.ended = str(error)
    except KeyboardInterrupt:
        answer.ended = "interrupt"
    answer.made = SeedServer.run.made
    answer.swaps = SeedServer.run.swaps
    answer.compiled = SteadyImports.compiled
    with contextlib.suppress(OSError):
        answers.send(answer)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _rename(item: Any, nodeid: str) -> None:
    """As the test is called under this seed."""
    item.name = item.name.partition("[")[0] + nodeid[nodeid.rindex("[") :]
    structured = getattr(item, "_id", None)  # from pytest 9.2 on
    if structured is None:
        item._nodeid = nodeid
    else:
        item._id = type(structured).parse(nodeid)


def _temporary_folder(item: Any, name: str) -> None:
    """Where `tmp_path` is; made when it is asked for."""
    factory = getattr(item.config, "_tmp_path_factory", None)
    if factory is not None:
        factory._basetemp = None
        factory._given_basetemp = Path(f"/dev/fd/{BASE}", name)


if __name__ == "__main__":
    # As the module that what comes and goes is pickled by.
    from netsim.pytest_plugin import seed_server

    seed_server.main()
