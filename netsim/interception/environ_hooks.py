"""Each computer's own `os.environ`.

What a program sets there reaches neither another computer nor the process. Child processes that it
starts have it (`subprocess`, `multiprocessing`; those of `os.system`, see `process_calls`).
"""

from __future__ import annotations

import _posixsubprocess
import os
import subprocess
from collections.abc import Iterator, MutableMapping
from typing import Any, Final, cast

from netsim.interception.environment import Presence

_c: Final[Any] = _posixsubprocess
_subprocess: Final[Any] = subprocess
_ENV: Final = 5
"""Which argument of `fork_exec` is the environment; None is the process's."""


class _EnvironOfWhoAsks(MutableMapping[bytes, bytes]):
    """Stands behind `os.environ` and `os.environb`, as encoded bytes."""

    def __init__(self, presence: Presence, process: dict[bytes, bytes]) -> None:
        self.process = process
        self._here = presence.here

    def own(self) -> dict[bytes, bytes] | None:
        """The computer's that the caller runs on, if it has one."""
        environment = self._here()
        return None if environment is None else environment.environ

    def _mapping(self) -> dict[bytes, bytes]:
        own = self.own()
        return self.process if own is None else own

    def __getitem__(self, key: bytes) -> bytes:
        return self._mapping()[key]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._mapping()[key] = value

    def __delitem__(self, key: bytes) -> None:
        del self._mapping()[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._mapping())

    def __len__(self) -> int:
        return len(self._mapping())


class EnvironHooks:
    """`os.environ`, and what it tells the C library."""

    def __init__(self, presence: Presence) -> None:
        self._environs: list[Any] = [os.environ, os.environb]
        self._data = _EnvironOfWhoAsks(presence, {})
        self._putenv = os.putenv
        self._unsetenv = os.unsetenv
        self._fork_exec = _c.fork_exec
        self._posix_spawn = os.posix_spawn

    def install(self) -> None:
        """From now on who is on a computer has that one's."""
        self._data.process = cast(Any, os.environ)._data
        for environ in self._environs:
            environ._data = self._data
        data, put, unset = self._data, self._putenv, self._unsetenv
        fork_exec, posix_spawn = self._fork_exec, self._posix_spawn

        # The C library has one environment for the process; os.environ calls these by name.
        def putenv(name: Any, value: Any, /) -> None:
            if data.own() is None:
                put(name, value)

        def unsetenv(name: Any, /) -> None:
            if data.own() is None:
                unset(name)

        def fork_exec_with_own(*args: Any) -> Any:
            own = data.own()
            if own is not None and args[_ENV] is None:
                variables = [name + b"=" + value for name, value in own.items()]
                args = (*args[:_ENV], variables, *args[_ENV + 1 :])
            return fork_exec(*args)

        # What `subprocess` calls where it can, with no environment from Python 3.13 on.
        def posix_spawn_with_own(path: Any, argv: Any, env: Any, /, **more: Any) -> int:
            own: Any = data.own()
            return posix_spawn(path, argv, own if env is None else env, **more)

        os.putenv, os.unsetenv = putenv, unsetenv
        os.posix_spawn = posix_spawn_with_own
        _subprocess._fork_exec = _c.fork_exec = fork_exec_with_own

    def uninstall(self) -> None:
        """Put back what was."""
        os.putenv, os.unsetenv = self._putenv, self._unsetenv
        os.posix_spawn = self._posix_spawn
        _subprocess._fork_exec = _c.fork_exec = self._fork_exec
        for environ in self._environs:
            environ._data = self._data.process
