"""What programs on one computer in virtual time find around them."""

from __future__ import annotations

import os
from _thread import get_ident
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final, TextIO

from netsim.core.errors import BlockingSleepError
from netsim.core.streams import RandomStreams
from netsim.core.time import MICROSECOND, SECOND, nanoseconds
from netsim.interception.computers_logging import ComputersLogging
from netsim.interception.computers_signals import ComputersSignals
from netsim.interception.generator_state import GeneratorState
from netsim.interception.own_modules import OwnModules
from netsim.interception.program_threads import ProgramThreads
from netsim.interception.working_directory import WorkingDirectory

WALL_EPOCH_NS: Final = 1_767_225_600 * SECOND
"""What `time.time_ns` says at network time 0: 2026-01-01T00:00:00Z."""
MONOTONIC_BASE_NS: Final = 1_000 * SECOND
"""What `time.monotonic_ns` says at network time 0."""

_MULTICAST: Final = 1 << 40
"""RFC 9562 (6.10): the bit that a node number has set which is no interface's address."""
_NO_KERNEL_GIVES: Final = 1 << 22
"""Linux has no process with this number or a greater one (PID_MAX_LIMIT)."""
_PIDS: Final = 100_000
_SHORTEST_SLEEP: Final = 50 * MICROSECOND
"""Of a thread."""


class Environment:
    """Clock, randomness, environment and output of one computer.

    `network_time` returns ns. The same streams give the same random numbers. `name` is the
    computer's, for findings. What is None stays what the process has.
    """

    def __init__(
        self,
        streams: RandomStreams | None,
        environ: Mapping[str, str] | None,
        network_time: Callable[[], int],
        stdout: TextIO | None,
        stderr: TextIO | None,
        *,
        name: str = "",
    ) -> None:
        self.name = name
        self.stdout = stdout
        self.stderr = stderr
        self.environ: dict[bytes, bytes] | None = None
        """As `os.environ` keeps it."""
        if environ is not None:
            self.environ = {}
            self.set_variables(environ)
        self.urandom: Random | None = None
        """Instead of the kernel's randomness."""
        self.generator: GeneratorState | None = None
        """Of the functions of the module `random`, while this computer does not run."""
        self.pid: int | None = None
        """Instead of the process's."""
        self.machine: Any = None
        """What does its programs' system calls; None has them done by the machine that runs this
        process."""
        self.temporary_names: Iterator[str] | None = None
        """Of files that `tempfile` makes; made when one is wanted."""
        self.directory: WorkingDirectory | None = None
        """Instead of the process's; its temporary files are where its TMPDIR says."""
        self.modules: OwnModules | None = None
        """Beside the topology file; those that have none find who ran before them."""
        self.signals = ComputersSignals() if name else None
        """Instead of the process's handlers."""
        self.logging = ComputersLogging() if name else None
        """What its programs have set up, over what the process has."""
        self.uuid_node: int | None = None
        self.uuid_last_timestamp: int | None = None
        if streams is not None:
            self.urandom = streams.stream("urandom")
            self.generator = GeneratorState.of(streams.stream("random"))
            self.uuid_node = streams.stream("uuid").getrandbits(48) | _MULTICAST
            self.pid = _NO_KERNEL_GIVES + streams.stream("pid").randrange(_PIDS)
        self.threads: ProgramThreads | None = None
        """Those that programs start; none take part where this is None."""
        self.now_ns = network_time
        """Network time, ns."""

    def set_variables(self, variables: Mapping[str, str]) -> None:
        """Of its environment, which it has."""
        assert self.environ is not None, "a computer has an environment"
        self.environ.update((os.fsencode(key), os.fsencode(variables[key])) for key in variables)

    def sleep(self, seconds: float) -> None:
        """As `time.sleep`, in network time. BlockingSleepError unless a thread runs this."""
        duration = _sleep_ns(seconds)
        thread = None if self.threads is None else self.threads.running
        if thread is not None:
            # Who sleeps for no time at all in a circle waits for somebody, and has to let time go
            # on: Linux takes this long by default (timer slack, prctl(2)).
            thread.park(self.now_ns() + max(duration, _SHORTEST_SLEEP))
        elif duration:
            raise BlockingSleepError(
                "time.sleep() blocks the event loop, and in virtual time the whole network: "
                "await asyncio.sleep(), or run what sleeps with asyncio.to_thread()"
            )


class Presence:
    """On which computer the code of the one thread runs that has the baton; others are on none."""

    __slots__ = ("environment", "thread")

    def __init__(self) -> None:
        self.thread = get_ident()
        """Which has it."""
        self.environment: Environment | None = None

    def here(self) -> Environment | None:
        """That of the computer that the caller runs on."""
        environment = self.environment
        if environment is None or get_ident() != self.thread:
            return None
        return environment


def _sleep_ns(seconds: float) -> int:
    """TypeError, ValueError as of `time.sleep`."""
    if not hasattr(seconds, "__index__") and not isinstance(seconds, float):
        raise TypeError(f"'{type(seconds).__name__}' object cannot be interpreted as an integer")
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    return nanoseconds(seconds)
