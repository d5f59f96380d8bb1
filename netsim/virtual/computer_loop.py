"""The event loop of a computer in virtual time."""

from __future__ import annotations

import asyncio
import functools
import inspect
import signal
import sys
from asyncio import events
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from netsim.interception.drawn_order import DrawnOrder
from netsim.interception.environment import Environment
from netsim.node.host_node import HostNode
from netsim.site.driver import Action, Driver
from netsim.site.paths import PathFinder
from netsim.sockets.machine import Wait, refuse_to_block
from netsim.virtual.blocked_loop import BlockedLoop
from netsim.virtual.kernel_descriptors import KernelDescriptors
from netsim.virtual.strand import Strand
from netsim.virtual.thread_loop import LoopOnComputer, become_thread_loop
from netsim.virtual.timeline import Schedule, Timeline, Timer
from netsim.virtual.virtual_loop import VirtualLoop

Result = TypeVar("Result")


class ComputerLoop(LoopOnComputer):
    """The loop of a computer or router: programs on it have the node's network."""

    def __init__(
        self,
        timeline: Timeline,
        node: HostNode,
        driver: Driver,
        environment: Environment,
        paths: PathFinder,
    ) -> None:
        self.environment = environment
        self._node = node
        self._driver = driver
        VirtualLoop.__init__(self, timeline, node.name)
        self.strands.take_loop = lambda loop: become_thread_loop(loop, self)
        environment.threads = self.strands
        environment.machine = self
        self.attach_host(node.host, paths.hosts_table_of(node.name), path_finder=paths.path)
        driver.news = node.host.ready
        driver.on_news = self.wake
        self.on_exit: Callable[[SystemExit], None] = lambda error: None
        """A program has ended the node."""
        self.on_error: Callable[[dict[str, Any]], None] = super().default_exception_handler
        """Logs what went wrong, where a program has set no handler of its own."""
        self._signals: set[int] = set()
        """For which programs have handlers of asyncio's."""
        base: Any = self
        self._hooks = base._asyncgen_firstiter_hook, base._asyncgen_finalizer_hook

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """As asyncio, in the log of the computer."""
        self.on_error(context)

    def add_signal_handler(  # type: ignore[override]  # typeshed ties args to callback
        self, sig: int, callback: Callable[..., Any], *args: Any
    ) -> None:
        """As asyncio, for signals that a program on this computer sends to itself."""
        if asyncio.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        self._refuse_when_closed()
        assert self.environment.signals is not None, "a computer has a name"
        try:
            self.environment.signals.set_handler(
                _signal_number(sig), lambda *_: self.call_soon(callback, *args)
            )
        except OSError:
            raise RuntimeError(f"sig {sig} cannot be caught") from None
        self._signals.add(sig)

    def remove_signal_handler(self, sig: int) -> bool:
        if _signal_number(sig) not in self._signals:
            return False
        self._signals.remove(sig)
        assert self.environment.signals is not None, "a computer has a name"
        self.environment.signals.handlers.pop(sig, None)
        return True

    def step(self) -> None:
        """Tell programs what has happened to their sockets, run them, send what they wrote."""
        self._is_woken = False
        if self.is_paused:
            return
        if self._blocked.is_blocked:
            self._dispatch_to_threads()
            return
        timeline = self.timeline
        timeline.interception.enter(self.environment)
        director = events._get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(*self._hooks)
        ended: SystemExit | None = None
        try:
            if self.host.ready:
                self.dispatch_ready()
            self._run_ready()
        except SystemExit as error:
            ended = error
        finally:
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(director)
            timeline.interception.leave()
        if self.is_over:  # it was blocked meanwhile
            return
        if ended is not None:
            self.on_exit(ended)
            return
        if self._node.has_output:
            self._driver.flush(timeline.now)
        if self._ready or self.host.ready:
            self.wake()

    # Threads of programs

    def enter(self) -> None:
        """Code of a thread runs from now on."""
        self.timeline.interception.enter(self.environment)

    def leave(self) -> None:
        """And no longer; what it has sent leaves."""
        timeline = self.timeline
        timeline.interception.leave()
        if self._node.has_output:
            self._driver.flush(timeline.now)
        if self._ready or self.host.ready:
            self.wake()

    def _dispatch_to_threads(self) -> None:
        """The rest has to wait until the loop runs on."""
        for each in [*self.host.ready]:
            owner: Any = self._owners.get(each)
            if getattr(owner, "serves_threads", False):
                self.host.ready.pop(each, None)
                owner.socket_ready()

    def pause(self, paused: bool) -> None:
        """Neither the loop nor threads run, until they may again."""
        self.is_paused = paused
        if not paused:
            self.wake()
            self._blocked.resume()
            self.strands.resume()

    def waiting_threads(self) -> Iterator[tuple[str, str]]:
        """What threads of its programs are called, and where they stand; the loop, if it does."""
        if self._blocked.is_blocked:
            yield "the event loop", self._blocked.line()
        yield from super().waiting_threads()

    # What the sockets of its programs ask of it, see `netsim.sockets.machine`

    def wait(self, wait: Wait) -> bool:
        """In network time, while all else goes on."""
        strand = self.strands.running
        if wait.ready():
            return True
        if strand is None:
            refuse_to_block(wait.what)
        if wait.timeout_ns is None:
            return self._wait(strand, wait, None)
        if wait.timeout_ns <= 0:
            return strand.look_later(functools.partial(self._wait, strand, wait))
        return self._wait(strand, wait, self.timeline.now + wait.timeout_ns)

    def has_tried(self, in_vain: bool) -> None:
        """A thread that tries in vain, and in a circle, lets time go on."""
        strand = self.strands.running
        if strand is not None:
            if in_vain:
                strand.has_polled()
            else:
                strand.has_found()

    def _wait(self, strand: Strand, wait: Wait, deadline: int | None) -> bool:
        watched = self.timeline.watched
        if wait.descriptors:
            timeout = None if deadline is None else deadline - self.timeline.now
            watched[strand] = KernelDescriptors(strand, wait.descriptors, timeout).look
        for queue in wait.queues:
            queue.add(strand)
        try:
            while strand.park(deadline):
                if wait.ready():
                    return True
            return wait.ready()
        finally:
            watched.pop(strand, None)
            for queue in wait.queues:
                queue.discard(strand)

    def lose_power(self) -> list[Any]:
        """It runs no more, and what is not the program's own is let go. The rest, to be held."""
        self._blocked.wake()
        self.is_over = True
        self.environment.machine = None
        modules = self.environment.modules
        held: list[Any] = [] if modules is None else [modules.loaded]
        if (logging := self.environment.logging) is not None:
            held += logging.made()
        held += [
            *self.unfinished_tasks(),
            *self.timeline.planned_by(self),
            *self.strands.bury(),
            *self.detach_host(),
        ]
        for name in (
            "environment",
            "_node",
            "_driver",
            "on_exit",
            "hosts_table",
            "_blocked",
            "strands",
        ):
            del vars(self)[name]
        self.on_error = _say_nothing
        # Its clock stands; the other one holds all that has ever been in this time.
        stopped = Schedule()
        stopped.now = self.timeline.now
        vars(self)["timeline"] = stopped
        return [self, *held]

    def is_running(self) -> bool:
        """As asyncio: programs see their own loop running. Eager tasks depend on it."""
        return events._get_running_loop() is self

    def run_forever(self) -> NoReturn:
        """Refused: the timeline runs it."""
        raise RuntimeError(f"the loop of {self.name} is run by virtual time itself")

    def _waiter(self) -> BlockedLoop:
        self._blocked = BlockedLoop(self)
        return self._blocked

    def schedule(self, due: int, action: Action, timer: Timer) -> None:
        """Have `action` called with a timer of a program at `due`, ns of network time."""
        seen = self.timeline.timers_seen
        if seen is not None and _is_of_program(timer):
            seen.note(due - self.timeline.now, due)
        self._driver.schedule(due, action, timer)


class DrawnLoop(ComputerLoop):
    """A computer on which it is drawn what of that which is ready at one instant runs first.

    It runs when all has come that is due: two timers of one instant are both over.
    """

    def __init__(
        self,
        timeline: Timeline,
        node: HostNode,
        driver: Driver,
        environment: Environment,
        paths: PathFinder,
        order: DrawnOrder,
    ) -> None:
        super().__init__(timeline, node, driver, environment, paths)
        for handle in self._ready:
            order.append(handle)
        self._ready = order  # type: ignore[assignment]  # all of a deque that loops use
        self._drawn = order
        self.strands.line_up = self._line_up

    def wake(self) -> None:
        """There is something to run now."""
        if not self._is_woken and not self.is_over and not self.is_paused:
            self._is_woken = True
            self.timeline.wake_last(self._come_up)

    def step(self) -> None:
        """As any computer's; packets that have come begin a chain."""
        self._drawn.begin_chain()
        super().step()
        if self._blocked.is_blocked and not self.is_paused:
            self._run_threads()
        self._drawn.begin_chain()

    def _come_up(self, now: int, _: None, __: bytes) -> None:
        self.step()

    def _timer_due(self, now: int, timer: Timer, _: bytes) -> None:
        self._drawn.begin_chain()
        super()._timer_due(now, timer, _)

    def _waking_due(self, now: int, timer: Timer, _: bytes) -> None:
        self._drawn.begin_chain()
        super()._waking_due(now, timer, _)

    def _line_up(self, strand: Strand) -> None:
        self._drawn.append(asyncio.Handle(strand.go_on, (), self), strand)
        self.wake()

    def _run_threads(self) -> None:
        """The loop waits, in the midst of a step, for what one of them holds."""
        for _ in range(len(self._drawn)):
            handle = self._drawn.take_thread(self.timeline.now)
            if handle is None:
                return
            self.enter()
            try:
                handle._run()
            finally:
                self.leave()

    def _run_ready(self) -> None:
        take, now = self._drawn.take, self.timeline.now
        for _ in range(len(self._drawn)):
            if not self._drawn:
                return  # it was blocked meanwhile, and threads have run
            handle = take(now)
            if not handle.cancelled():
                handle._run()
            del handle


def _is_of_program(timer: Timer) -> bool:
    callback: Any = timer._callback  # type: ignore[attr-defined]  # of every handle
    return getattr(getattr(callback, "__self__", None), "of_program", True)


def _signal_number(sig: int) -> int:
    if not isinstance(sig, int):
        raise TypeError(f"sig must be an int, not {sig!r}")
    if sig not in signal.valid_signals():
        raise ValueError(f"invalid signal number {sig}")
    return sig


def _say_nothing(context: dict[str, Any]) -> None:
    """Of a computer without power."""
