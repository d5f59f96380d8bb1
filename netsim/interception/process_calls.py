"""What programs do to their process: become another one, end it, and have the C library start some.

A computer's programs share their process with the computer itself, in virtual time with the whole
test. So what would replace or end it is refused there, in words that say what to write. A process
that a program has forked is its own, and may do both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from netsim.interception.c_functions import FunctionReplacement, Replacement
from netsim.interception.environment import Presence

_REPLACED: Final = (
    "{} would replace the process that {}: write sys.exit(subprocess.run([…]).returncode)"
)
_ENDED: Final = (
    "{} would end the process that {}: write sys.exit(), or raise an error; a crash is "
    'await net["{}"].crash(), or the step `crash` of a scenario'
)
_ALL: Final = "runs the whole test, with all of its computers"
_ONE: Final = "is the whole computer"


class ExecCalls:
    """`os.execv` and `os.execve`, and so all of them. As it is, for the process of one computer."""

    def __init__(self) -> None:
        self.is_forked = False
        """This process is one that a program has forked."""
        self._is_installed = False
        self._execv = FunctionReplacement(os.execv, self._become)
        self._execve = FunctionReplacement(os.execve, self._become_with)
        self._replacements: list[Replacement] = [self._execv, self._execve]
        os.register_at_fork(after_in_child=self._note_fork)

    def install(self) -> None:
        """From now on, and in this process."""
        self.is_forked = False
        self._is_installed = True
        for each in self._replacements:
            each.install()

    def uninstall(self) -> None:
        """Put back what was."""
        for each in self._replacements:
            each.uninstall()
        self._is_installed = False

    def refuse(self, call: str) -> None:
        """NotImplementedError, unless this process is the caller's to replace."""
        if not self.is_forked:
            raise NotImplementedError(_REPLACED.format(call, _ONE))

    def environ(self) -> Mapping[bytes, bytes] | None:
        """The caller's; None is the process's."""
        return None

    def _note_fork(self) -> None:
        self.is_forked = self._is_installed

    def _become(self, path: Any, argv: Any, /) -> Any:
        self.refuse("os.execv()")
        own = self.environ()
        if own is None:
            return self._execv.original(path, argv)
        return self._execve.original(path, argv, own)

    def _become_with(self, path: Any, argv: Any, env: Any) -> Any:
        self.refuse("os.execve()")
        return self._execve.original(path, argv, env)


class ProcessCalls(ExecCalls):
    """All of it, where the process is the test's, and has another environment: in virtual time."""

    def __init__(self, presence: Presence) -> None:
        super().__init__()
        self._here = presence.here
        self._system = FunctionReplacement(os.system, self._run_command)
        self._exit = FunctionReplacement(os._exit, self._end)
        self._abort = FunctionReplacement(os.abort, self._end_with_core)
        self._replacements += [self._system, self._exit, self._abort]

    def refuse(self, call: str) -> None:
        """The same, and a test that is on no computer does as it likes."""
        if not self.is_forked and self._computer():
            raise NotImplementedError(_REPLACED.format(call, _ALL))

    def _computer(self) -> str:
        """That of the caller; empty where it is on none."""
        here = self._here()
        return "" if here is None else here.name

    def environ(self) -> Mapping[bytes, bytes] | None:
        here = self._here()
        return None if here is None else here.environ

    def _run_command(self, command: Any) -> Any:
        """As system(3), which has no environment but the process's."""
        own: Any = self.environ()
        if own is None:
            return self._system.original(command)
        sys.audit("os.system", command)
        text = os.fsencode(command)
        return os.waitpid(os.posix_spawn("/bin/sh", [b"sh", b"-c", text], own), 0)[1]

    def _end(self, status: Any) -> Any:
        self._refuse_to_end("os._exit()")
        return self._exit.original(status)

    def _end_with_core(self) -> Any:
        self._refuse_to_end("os.abort()")
        return self._abort.original()

    def _refuse_to_end(self, call: str) -> None:
        computer = self._computer()
        if not self.is_forked and computer:
            raise NotImplementedError(_ENDED.format(call, _ALL, computer))
