"""Environment of computers for tests, whose clock the test sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from netsim.core.streams import RandomStreams
from netsim.interception.environment import Environment


class SetClock:
    """Network time as a test sets it, ns."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def computer(
    name: str = "alice",
    *,
    seed: int = 1,
    clock: SetClock | None = None,
    environ: Mapping[str, str] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> Environment:
    """Those of one computer; output goes to the process unless streams are given."""
    return Environment(
        RandomStreams(seed).below(name),
        {} if environ is None else environ,
        SetClock() if clock is None else clock,
        stdout,
        stderr,
        name=name,
    )
