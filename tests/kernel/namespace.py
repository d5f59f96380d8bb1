"""A network namespace of a test's own: the kernel's stack, with nothing in it but a loopback.

As root, or in a user namespace as anybody. Everything runs with a time limit, and the namespace
goes when the test ends, or is killed.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LIMIT = 60.0
"""Seconds that a command gets."""
_WAYS = {
    ("unshare", "--net"): ("--net",),
    ("unshare", "--user", "--map-root-user", "--net"): ("--user", "--preserve-credentials", "-n"),
}
"""How a namespace is made, and what `nsenter` is told to enter it."""
_PROBE = "ip tuntap add dev probe mode tap && ip link set probe up"


class Namespace:
    """Is there as long as its holder, which waits for the end of a pipe."""

    def __init__(self, holder: subprocess.Popen[bytes], flags: tuple[str, ...]) -> None:
        self.pid = holder.pid
        """What `ip link set … netns` takes."""
        self._enter = ["nsenter", "--target", str(holder.pid), *flags]

    def command(self, *argv: str | Path) -> list[str]:
        """What runs `argv` in here."""
        return [*self._enter, *map(str, argv)]

    def run(
        self, *argv: str | Path, limit: float = LIMIT, check: bool = True, **words: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its output is text."""
        done = subprocess.run(
            self.command(*argv),
            timeout=limit,
            capture_output=True,
            text=True,
            check=False,
            **words,
        )
        assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done

    def shell(self, script: str) -> str:
        """Run lines of a shell, all of which must succeed."""
        return self.run("sh", "-ec", script).stdout

    @contextmanager
    def running(self, *argv: str | Path) -> Iterator[None]:
        """A command beside; it is ended afterwards."""
        silent = subprocess.DEVNULL
        with subprocess.Popen(self.command(*argv), stdout=silent, stderr=silent) as process:
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()

    def wait_for_listener(self, port: int) -> None:
        """Until somebody listens on a TCP port."""
        self.shell(f"until ss -Hltn 'sport = :{port}' | grep -q .; do sleep 0.05; done")

    def python(self, source: str, *arguments: str, **words: Any) -> str:
        """What a program prints."""
        return self.run(sys.executable, "-c", source, *arguments, **words).stdout


@contextmanager
def new_namespace(beside: Namespace | None = None) -> Iterator[Namespace]:
    """A namespace with its loopback up; devices can be moved into it from the one it is beside."""
    way = way_to_make_one()
    assert way is not None, "whoever needs one asks before"
    make = list(way) if beside is None else beside.command("unshare", "--net")
    script = "ip link set lo up && echo up && exec cat"
    holder = subprocess.Popen(
        [*make, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        yield Namespace(holder, _WAYS[way])
    finally:
        for pipe in (holder.stdin, holder.stdout):
            assert pipe is not None
            pipe.close()
        holder.wait(10)


@functools.cache
def way_to_make_one() -> tuple[str, ...] | None:
    """How a namespace can be made here in which a TAP device can be had; None if it cannot."""
    for way in _WAYS:
        try:
            done = subprocess.run(
                [*way, "sh", "-c", _PROBE], capture_output=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return way
    return None


def is_required() -> bool:
    """In continuous integration nothing is left out."""
    return bool(os.environ.get("CI"))


if __name__ == "__main__":
    # For scripts/test, which says what it leaves out.
    sys.exit(way_to_make_one() is None)
