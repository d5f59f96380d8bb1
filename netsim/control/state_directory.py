"""Where a running network is found: its state directory.

    $XDG_RUNTIME_DIR/netsim/           or, without one, netsim-UID/ under the temporary directory
        campus/
            lock                       held by the supervisor for as long as it lives
            network.json               what `netsim ps` shows when the supervisor does not answer
            control.sock               the control API
            token                      that opens the control API over TCP, where it listens
        log                        output of a detached supervisor
        log.1                      what it held before it was emptied

The kernel releases a lock with its last holder, however that one ended, so a directory whose
`lock` is free is left over from a crash, and the next command removes it. Whoever creates, removes
or looks at one holds a lock on the directory above for that moment. Everything is private to the
user (mode 0700, owned by them): whoever may open the socket may stop the network.

Somebody may remove it all the same: a log-out, a cleaner of temporary files. The supervisor looks
(`is_in_place`) and makes it anew (`restore`).

Light on purpose: `netsim ps` and `netsim exec` import it and have to answer at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from netsim.core.errors import NetsimError, NotRunningError
from netsim.site.private_files import create_private, exclusive, make_private, remove_tree
from netsim.topology.naming import check_network_name, suggest

_LOCK: Final = "lock"
_SUMMARY: Final = "network.json"
_CONTROL: Final = "control.sock"
_LOG: Final = "log"
_TOKEN: Final = "token"
_SUN_PATH: Final = 107
"""Bytes a Unix socket's path may have (unix(7): `sun_path` is 108 with its final zero)."""

_held: set[int] = set()
"""Descriptors of the locks that this process holds."""


class NameTakenError(NetsimError):
    """A running network has this name."""


class StateDirectory:
    """The directory of one network: for its supervisor after `claim`, for others from `find`."""

    host: Final = "localhost"
    headers: Final[Mapping[str, str]] = {}
    """None: whoever may open the socket may do everything."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def token_path(self) -> Path:
        """The token of the control API over TCP, where it listens there."""
        return self.path / _TOKEN

    @property
    def log_path(self) -> Path:
        """Output of a detached supervisor and its nodes."""
        return self.path / _LOG

    @classmethod
    def claim(cls, name: str) -> StateDirectory:
        """Make the directory of the network that this process supervises, and hold it.

        Processes forked from this one do not hold it. Raises NameTakenError.
        """
        check_network_name(name)
        with exclusive(state_root()) as root:
            state = cls(root / name)
            if state._is_held():
                pid = state.summary().get("supervisor_pid", "unknown")
                raise NameTakenError(
                    f"{name} is already running (pid {pid}); netsim down {name}, "
                    "or give this one another name with --name"
                )
            state._take()
            state.publish({"name": name, "supervisor_pid": os.getpid(), "state": "starting"})
        return state

    def is_in_place(self) -> bool:
        """Whether what this process holds is still what others find."""
        return self._is_ours() and self.is_listening() and (self.path / _SUMMARY).exists()

    def is_listening(self) -> bool:
        """Whether the control socket is where others find it."""
        return (self.path / _CONTROL).exists()

    def restore(self) -> None:
        """Make the directory anew, after somebody has removed it or a part of it.

        `listen` and `publish` have to be called again. NameTakenError when another network has
        taken the name meanwhile.
        """
        with exclusive(self.path.parent):
            if self._is_ours():
                return
            if self._is_held():
                raise NameTakenError(f"{self.name} is the name of another network by now")
            before = self._lock
            self._take()
            if before is not None:
                _held.remove(before)
                os.close(before)

    def publish(self, summary: Mapping[str, Any]) -> None:
        """Write `network.json`, at once and whole for whoever reads it meanwhile."""
        draft = self.path / f"{_SUMMARY}.new"
        with open(create_private(draft, os.O_WRONLY | os.O_TRUNC), "w", encoding="utf-8") as file:
            file.write(json.dumps(summary) + "\n")
        draft.replace(self.path / _SUMMARY)

    def keep_token(self, token: str) -> None:
        """Write the token of the control API over TCP, for this user alone."""
        with open(create_private(self.token_path, os.O_WRONLY | os.O_TRUNC), "w") as file:
            file.write(token + "\n")

    def summary(self) -> dict[str, Any]:
        """What was published last; empty when there is nothing (or half a crash) to read."""
        try:
            summary = json.loads((self.path / _SUMMARY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return summary if isinstance(summary, dict) else {}

    def adopt_log(self, path: Path) -> None:
        """Take the file that `draft_log` made in, as this network's log."""
        path.rename(self.log_path)

    def listen(self) -> socket.socket:
        """The control socket, listening, mode 0600."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            (self.path / _CONTROL).unlink(missing_ok=True)
            with _short_address(self.path) as address:
                listener.bind(address)
            (self.path / _CONTROL).chmod(0o600)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
        return listener

    def connect(self, timeout: float | None = None) -> socket.socket:
        """A connection to the control socket.

        NotRunningError when nobody listens, TimeoutError when it takes no more.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            with _short_address(self.path) as address:
                connection.connect(address)
        except BlockingIOError:
            # Its queue of connections is full: somebody asks a lot, and it does not answer.
            connection.close()
            raise TimeoutError(f"{self.name} does not answer") from None
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if self.discard_if_stale():
                text = f"{self.name} is not running; netsim ps lists what is"
            else:
                text = f"{self.name} is still starting; try again when it is up"
            raise NotRunningError(text) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def release(self) -> None:
        """Remove the directory and let the name go; safe to call twice."""
        if self._lock not in _held:  # not ours, or not ours any more
            return
        if self._is_ours():  # else somebody has removed it, and it may be a successor's
            with exclusive(self.path.parent):
                self._remove()
        _held.remove(self._lock)
        os.close(self._lock)
        self._lock = None

    def is_alive(self) -> bool:
        """Whether the supervisor lives."""
        if not self.path.exists():
            return False
        with exclusive(self.path.parent):
            return self._is_held()

    def discard_if_stale(self) -> bool:
        """Remove what a crashed supervisor left; True if none lives, False while one does."""
        if not self.path.exists():
            return True
        with exclusive(self.path.parent):
            if self._is_held():
                return False
            if is_of_a_network(self.path):
                self._remove()
        return True

    def _is_held(self) -> bool:
        """Whether a supervisor lives. Asked under the root's lock, so that
        no claim meets the probe."""
        try:
            probe = os.open(self.path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(probe)
        return False

    def _take(self) -> None:
        """Make the directory and hold it; whatever a crash has left there goes.

        NameTakenError where somebody else has put something there.
        """
        if not is_of_a_network(self.path):
            raise NameTakenError(
                f"{self.path} is no network's, and in the way; move it, or give this network "
                "another name with --name"
            )
        self._remove()
        make_private(self.path)
        self._lock = create_private(self.path / _LOCK, os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _held.add(self._lock)

    def _is_ours(self) -> bool:
        """Whether the lock that is found there is the one that this process holds."""
        assert self._lock is not None, "it was claimed"
        try:
            return os.path.samestat(os.stat(self.path / _LOCK), os.fstat(self._lock))
        except OSError:
            return False

    def _remove(self) -> None:
        if not self.path.is_symlink() and self.path.is_dir():
            remove_tree(self.path)


def survey() -> tuple[list[StateDirectory], list[StateDirectory]]:
    """Directories of live and of crashed networks, each by name.

    Stale ones stay for `discard_if_stale`; only drafts of logs that nobody writes go. What somebody
    else has put there stays, and is nothing of ours.
    """
    root = state_root()
    alive: list[StateDirectory] = []
    stale: list[StateDirectory] = []
    if not root.is_dir():
        return alive, stale
    with exclusive(root):
        for path in sorted(root.iterdir()):
            if path.is_dir() and is_of_a_network(path):
                state = StateDirectory(path)
                (alive if state._is_held() else stale).append(state)
            elif path.stem == _LOG and not Path("/proc", path.suffix[1:]).exists():
                path.unlink()
    return alive, stale


def is_of_a_network(path: Path) -> bool:
    """Whether nothing is there, or what a network has made, or a crash has left of that."""
    if not os.path.lexists(path):
        return True
    if path.is_symlink() or not path.is_dir():
        return False
    found = {entry.name for entry in path.iterdir()}
    return not found or not found.isdisjoint((_LOCK, _SUMMARY, _CONTROL, _LOG))


def running() -> list[StateDirectory]:
    """The networks of this user whose supervisor lives, by name. Stale directories go."""
    alive, stale = survey()
    for state in stale:
        state.discard_if_stale()
    return alive


def find(name: str | None) -> StateDirectory:
    """The running network of this name, or the only one; NotRunningError says what there is."""
    states = running()
    by_name = {state.name: state for state in states}
    if name is not None:
        if name in by_name:
            return by_name[name]
        hint = suggest(name, by_name) if by_name else "netsim up FILE starts one"
        raise NotRunningError(f"no network `{name}` is running; {hint}")
    if len(states) == 1:
        return states[0]
    if not states:
        raise NotRunningError("no network is running; netsim up FILE starts one")
    raise NotRunningError(
        f"{len(states)} networks are running; say which with --name: {', '.join(by_name)}"
    )


def draft_log() -> Path:
    """A new file for the output of a supervisor that does not know its network's name yet."""
    with exclusive(state_root()) as root:
        path = root / f"{_LOG}.{os.getpid()}"
        os.close(create_private(path, os.O_WRONLY | os.O_TRUNC))
    return path


def discard_log(path: Path) -> None:
    """Remove a draft that no network has adopted; without effect when one has."""
    with exclusive(state_root()):
        path.unlink(missing_ok=True)


def state_root() -> Path:
    """The directory above all state directories of this user (it may not exist yet).

    A runtime directory that belongs to somebody else (`su` leaves such a variable behind) does
    not count.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        with suppress(OSError):
            if os.stat(runtime).st_uid == os.getuid():
                return Path(runtime) / "netsim"
    import tempfile  # 10 ms, and most desktops have a runtime directory

    return Path(tempfile.gettempdir()) / f"netsim-{os.getuid()}"


@contextmanager
def _short_address(directory: Path) -> Iterator[str]:
    """An address of the control socket that fits, however long the directory's path is."""
    address = str(directory / _CONTROL)
    if len(os.fsencode(address)) <= _SUN_PATH:
        yield address
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{_CONTROL}"
    finally:
        os.close(descriptor)


def _forget_locks() -> None:
    """In a forked child: only the supervisor itself holds its lock."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_locks)
