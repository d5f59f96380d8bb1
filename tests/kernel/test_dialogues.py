"""The same dialogues with the kernel and with a simulated computer: they say the same."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from dialogues import DIALOGUES
from namespace import Namespace
from raw_dialogue import ROUND_TRIP, Heard
from simulated_subject import SimulatedSubject

pytestmark = [pytest.mark.xdist_group("kernel"), pytest.mark.timeout(120)]

ATTEMPTS: Final = 3
"""On a busy machine the peer, which is a program, is late at times."""

HERE = Path(__file__).parent


class Kernel:
    """What the kernel says in each dialogue; all are played side by side."""

    def __init__(self, namespace: Namespace, names: Sequence[str]) -> None:
        self._namespace = namespace
        namespace.shell(
            "sysctl -qw net.ipv4.tcp_congestion_control=reno\n"
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 || true\n"
            "sysctl -qw net.ipv6.conf.default.disable_ipv6=1 || true\n"
            "sysctl -qw net.ipv4.tcp_no_metrics_save=1 || true\n"
        )
        self._played = 0
        self._heard = self.play(names)

    def play(self, names: Sequence[str]) -> dict[str, list[Heard]]:
        path = os.pathsep.join((str(HERE), str(HERE.parents[1])))
        first = str(1 + self._played)
        self._played += len(names)
        played = self._namespace.run(
            *(sys.executable, "-m", "kernel_subject", first, *names),
            env=os.environ | {"PYTHONPATH": path},
        )
        found = json.loads(played.stdout)
        assert all(isinstance(heard, list) for heard in found.values()), found
        return {name: [Heard(*each) for each in heard] for name, heard in found.items()}

    def heard(self, name: str) -> Iterator[list[Heard]]:
        """What was heard first, and what is heard when it is played again."""
        yield self._heard[name]
        for _ in range(ATTEMPTS - 1):
            yield self.play([name])[name]


@pytest.fixture(scope="module")
def kernel(namespace: Namespace) -> Kernel:
    return Kernel(namespace, list(DIALOGUES))


def is_near(one: Heard, other: Heard) -> bool:
    """The same words at about the same time; a round trip differs by what a timer is late."""
    if one.what.startswith(ROUND_TRIP) and other.what.startswith(ROUND_TRIP):
        pairs = zip(
            *(map(int, re.findall(r"\d+", each.what)) for each in (one, other)), strict=True
        )
        return all(abs(ours - theirs) < max(60, 0.1 * theirs) for theirs, ours in pairs)
    return one.what == other.what and abs(one.at - other.at) < max(0.02, 0.2 * one.at)


def in_lines(heard: Sequence[Heard]) -> str:
    return "\n".join(f"{each.at:7.3f} {each.what}" for each in heard)


@pytest.mark.parametrize("name", DIALOGUES)
def test_both_say_the_same(name: str, kernel: Kernel) -> None:
    subject = SimulatedSubject()
    DIALOGUES[name](subject)
    heard: list[Heard] = []
    for heard in kernel.heard(name):
        if len(heard) == len(subject.heard) and all(map(is_near, heard, subject.heard)):
            return
    both = f"the kernel:\n{in_lines(heard)}\nwe:\n{in_lines(subject.heard)}"
    pytest.fail(both, pytrace=False)
