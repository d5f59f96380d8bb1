"""The event loop of whoever directs the play: a test, or what `netsim.run` was given.

It is on no computer, and reaches no network.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
import weakref
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn, TypeVar

from netsim.core.errors import DeadlockError, OutsideError, UnrepeatableWarning
from netsim.core.streams import RandomStreams
from netsim.interception.environment import Environment
from netsim.site.driver import Action
from netsim.sockets import installation
from netsim.virtual.left_threads import left_as_they_stood
from netsim.virtual.stuck_watch import StuckWatch
from netsim.virtual.timeline import Timeline, Timer
from netsim.virtual.virtual_loop import VirtualLoop

Result = TypeVar("Result")

_WORKERS: Final = 32
"""Threads of the executor that asyncio makes; it goes by the processors of the machine."""
_directors: Final[weakref.WeakSet[DirectorLoop]] = weakref.WeakSet()
"""Those of this process: their networks do not meet."""


class DirectorLoop(VirtualLoop):
    """The loop that a test runs on. Running it lets the whole network go on.

    With `streams` its own randomness is theirs, else it is the process's.
    """

    def __init__(self, streams: RandomStreams | None = None) -> None:
        super().__init__(Timeline(self), "the test")
        _directors.add(self)
        self._environment = Environment(streams, None, self.network_now, None, None)
        self._environment.modules = self.timeline.interception.modules
        self._environment.threads = self.strands
        self._default_executor: Any = None

    def run_forever(self) -> None:
        """As asyncio, in virtual time."""
        interception = self.timeline.interception
        with (
            StuckWatch(self.timeline),
            interception,
            installation.installed(interception.machine_of_caller),
        ):
            super().run_forever()

    def step(self) -> None:
        """Run what is ready."""
        self._is_woken = False
        self.enter()
        try:
            self._run_ready()
        finally:
            self.leave()

    def enter(self) -> None:
        """The test's code runs from now on."""
        self.timeline.interception.enter(self._environment)

    def leave(self) -> None:
        """And no longer."""
        self.timeline.interception.leave()
        if self._ready:
            self.wake()

    def run_in_executor(  # type: ignore[override]  # the overloads of typeshed
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """As asyncio. Its threads take turns with all else; others of a test are the process's."""
        if executor is None and self._default_executor is None:
            self._check_default_executor()  # type: ignore[attr-defined]  # of every loop
            executor = self._default_executor = ThreadPoolExecutor(
                _WORKERS, thread_name_prefix="asyncio"
            )
        with self._taking_threads():
            return super().run_in_executor(executor, func, *args)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """As asyncio: wait until its threads have ended."""
        self._executor_shutdown_called = True
        executor = self._default_executor
        if executor is None:
            return
        ended = self.create_future()

        def shut_down() -> None:
            executor.shutdown(wait=True)
            self.call_soon(_settle, ended)

        with self._taking_threads():
            threading.Thread(target=shut_down).start()
        try:
            async with asyncio.timeout(timeout):
                await ended
        except TimeoutError:
            warnings.warn(
                f"The executor did not finishing joining its threads within {timeout} seconds.",
                RuntimeWarning,
                stacklevel=2,
            )
            executor.shutdown(wait=False)

    def close(self) -> None:
        """As asyncio; threads that have not ended never will."""
        super().close()
        left_as_they_stood.extend(self.strands.bury())

    @contextlib.contextmanager
    def _taking_threads(self) -> Iterator[None]:
        before, self.strands.takes_threads = self.strands.takes_threads, True
        try:
            yield
        finally:
            self.strands.takes_threads = before

    def _run_once(self) -> None:
        try:
            self.timeline.proceed()
        except DeadlockError as error:
            if not any(other is not self and not other.is_closed() for other in _directors):
                raise
            raise DeadlockError(
                f"{error}. Another event loop in virtual time is open, and a network lives on the "
                "loop that it was started on: with pytest-asyncio, let the test and its fixtures "
                "have one loop_scope"
            ) from None

    def schedule(self, due: int, action: Action, timer: Timer) -> None:
        """Have `action` called with the timer at `due`, ns of network time."""
        self.timeline.schedule(due, action, timer)

    # The network is elsewhere

    async def getaddrinfo(self, host: Any, port: Any, **kwargs: Any) -> NoReturn:
        """Refused, as are connections: OutsideError."""
        raise _outside()

    async def create_connection(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise _outside()

    async def create_server(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise _outside()

    async def create_datagram_endpoint(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise _outside()

    async def sock_connect(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise _outside()


def run(main: Coroutine[Any, Any, Result], *, debug: bool | None = None) -> Result:
    """As `asyncio.run`, in virtual time: `netsim.run(main())`.

    Networks with `time="virtual"` live in it, and `asyncio.sleep(600)` takes no real time.
    DeadlockError when nothing is left that could let `main` go on. What a program did that will not
    be the same in another run is an UnrepeatableWarning at its end.
    """
    with asyncio.Runner(debug=debug, loop_factory=DirectorLoop) as runner:
        loop = runner.get_loop()
        try:
            return runner.run(main)
        finally:
            assert isinstance(loop, DirectorLoop)
            for finding in loop.timeline.findings:
                # The order of sets hangs on who started this process, and is no deed of a program:
                # a warning in every script would be read by nobody.
                if finding.kind == "order":
                    continue
                warnings.warn(f"another run may differ: {finding}", UnrepeatableWarning, 2)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _outside() -> OutsideError:
    return OutsideError(
        "a test is on no computer of the network; run it on one: await network['alice'].run(f, …)"
    )
