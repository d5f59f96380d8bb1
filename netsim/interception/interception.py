"""Makes unmodified programs find the environment of the computer that they run on.

There is one interpreter, and what programs read of it is global: clocks, randomness, environment,
output. While an `Interception` is installed, its thread can `enter` a computer's environment, run
some of that computer's code, and `leave`. In between it may `lend` its place to a thread of that
computer's programs, of which only one runs at any time (`ThreadHooks`). Other threads keep the
originals of clocks, `os.urandom` and `os.environ`; what is one object for all threads (the module
functions of `random`, the node of `uuid`, `sys.stdout`, `sys.stderr`) they share with the computer
that runs.

Covered are time, datetime, random, os.urandom, secrets, uuid, temporary names, os.getpid, the name
of the host, signal handlers, the working directory, times of files, os.environ, the set-up of
`logging` and sys.stdout/stderr, also where a program imported them by name, and modules beside a
topology file.
Not covered: numpy.random, process_time.
"""

from __future__ import annotations

import atexit
import sys
from _thread import get_ident
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from types import TracebackType
from typing import Any, TextIO

from netsim.core.errors import InterceptionError
from netsim.interception.c_functions import Replacement, check_interpreter
from netsim.interception.certificate_hooks import certificate_hooks
from netsim.interception.clock_hooks import ClockHooks
from netsim.interception.entropy_hooks import EntropyHooks
from netsim.interception.environ_hooks import EnvironHooks
from netsim.interception.environment import Environment, Presence
from netsim.interception.file_times import FileTimes
from netsim.interception.identity_hooks import IdentityHooks
from netsim.interception.lock_hooks import WaitingRoom
from netsim.interception.logging_hooks import LoggingHooks
from netsim.interception.module_switch import ModuleSwitch
from netsim.interception.own_modules import OwnModules
from netsim.interception.process_calls import ProcessCalls
from netsim.interception.set_order import SetOrder
from netsim.interception.signal_hooks import SignalHooks
from netsim.interception.task_order import StableTaskClass
from netsim.interception.thread_hooks import ThreadHooks
from netsim.interception.trio_order import TrioOrder
from netsim.interception.unrepeatable import Findings, Watch
from netsim.interception.working_directories import DirectorySwitch


class _Hooks:
    """What is installed. It changes the interpreter, and so there is one of it."""

    def __init__(self) -> None:
        self.presence = Presence()
        self.entropy = EntropyHooks(self.presence)
        self.watch = Watch(self.presence)
        self.modules = ModuleSwitch(self.presence)
        self.directories = DirectorySwitch(self.presence)
        self.threads = ThreadHooks(self.presence)
        self.all: list[Replacement] = [
            ClockHooks(self.presence),
            self.entropy,
            EnvironHooks(self.presence),
            ProcessCalls(self.presence),
            certificate_hooks(self.presence),
            IdentityHooks(self.presence),
            SignalHooks(self.presence),
            FileTimes(self.presence),
            LoggingHooks(self.presence),
            StableTaskClass(),
            SetOrder(),
            TrioOrder(),
            self.modules,
            self.directories,
            self.threads,
            self.watch,
        ]


@cache
def _hooks() -> _Hooks:
    check_interpreter()
    # The interpreter's own end must not find the hooks: it frees what they stand on.
    atexit.register(_uninstall)
    return _Hooks()


def _uninstall() -> None:
    installed = Interception.installed()
    if installed is not None:
        installed.uninstall()


class Interception:
    """For one thread: the one that installs it. Only one is installed at any time."""

    _installed: Interception | None = None

    def __init__(self, findings: Findings | None = None) -> None:
        self._findings = Findings() if findings is None else findings
        self.modules = OwnModules()
        """Of who has started it: the test's."""
        self._hooks: _Hooks | None = None
        self._stdout: TextIO = sys.stdout
        self._stderr: TextIO = sys.stderr

    def install(self) -> None:
        """Take the place of what programs read.

        InterceptionError if that is done already, UnsupportedInterpreterError if it cannot be.
        """
        if Interception._installed is not None:
            raise InterceptionError(
                "a network in virtual time runs already in this process, and there can be only one"
            )
        hooks = _hooks()
        hooks.presence.thread = get_ident()
        hooks.watch.findings = self._findings
        hooks.modules.begin(self.modules)
        with ExitStack() as undo:
            for each in hooks.all:
                undo.callback(each.uninstall)
                each.install()
            undo.pop_all()
        self._hooks = hooks
        Interception._installed = self

    def uninstall(self) -> None:
        """Put back exactly what was; nothing happens if it is not installed."""
        hooks = self._hooks
        if hooks is None:
            return
        if self.is_entered:
            self.leave()
        hooks.modules.place(self.modules)
        for each in reversed(hooks.all):
            each.uninstall()
        self._hooks = None
        Interception._installed = None

    @classmethod
    def installed(cls) -> Interception | None:
        """The one of this process."""
        return cls._installed

    @classmethod
    def here(cls) -> Environment | None:
        """That of the computer on which the caller runs, on whichever of its threads."""
        hooks = None if cls._installed is None else cls._installed._hooks
        return None if hooks is None else hooks.presence.here()

    def __enter__(self) -> Interception:
        self.install()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.uninstall()

    @property
    def is_entered(self) -> bool:
        """Code runs on a computer."""
        return self._hooks is not None and self._hooks.presence.environment is not None

    def machine_of_caller(self) -> Any:
        """`Environment.machine` of the computer on which the caller runs, if it is on one."""
        environment = None if self._hooks is None else self._hooks.presence.here()
        return None if environment is None else environment.machine

    def enter(self, environment: Environment) -> None:
        """From now on, and until `leave`, this thread's code runs on that computer."""
        hooks = self._hooks
        if hooks is None:
            raise InterceptionError("nothing is intercepted: install it first")
        presence = hooks.presence
        if presence.environment is not None or presence.thread != get_ident():
            raise InterceptionError("a computer's code runs already, or this is another thread")
        hooks.entropy.enter(environment)
        if environment.modules is not None:
            hooks.modules.place(environment.modules)
        hooks.directories.place(environment.directory)
        if environment.stdout is not None:
            self._stdout, sys.stdout = sys.stdout, environment.stdout
        if environment.stderr is not None:
            self._stderr, sys.stderr = sys.stderr, environment.stderr
        presence.environment = environment

    def leave(self) -> None:
        """The end of what `enter` began. A computer keeps what its programs set sys.stdout to."""
        hooks = self._hooks
        environment = None if hooks is None else hooks.presence.environment
        if environment is None or hooks is None:
            raise InterceptionError("no computer was entered")
        hooks.presence.environment = None
        if environment.stdout is not None:
            environment.stdout, sys.stdout = sys.stdout, self._stdout
        if environment.stderr is not None:
            environment.stderr, sys.stderr = sys.stderr, self._stderr
        hooks.entropy.leave(environment)

    def modules_of_test(self) -> AbstractContextManager[None]:
        """Meanwhile a name of a module means what it means to the test."""
        assert self._hooks is not None, "programs run while it is installed"
        return self._hooks.modules.placed(self.modules)

    # Threads of programs

    @property
    def running_thread(self) -> int:
        """The number of the thread that has the baton."""
        return get_ident() if self._hooks is None else self._hooks.presence.thread

    def lend(self, thread: int) -> int:
        """From now on code of the computer that is entered runs in that thread; in which before."""
        hooks = self._hooks
        if hooks is None:
            raise InterceptionError("nothing is intercepted: install it first")
        before, hooks.presence.thread = hooks.presence.thread, thread
        return before

    @property
    def room(self) -> WaitingRoom:
        """Who waits for locks and queues."""
        return _hooks().threads.room

    @property
    def foreign_threads(self) -> int:
        """How many threads of the process, which are no computer's, might still wake somebody."""
        return 0 if self._hooks is None else self._hooks.threads.foreign
