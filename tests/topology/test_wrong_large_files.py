"""What a wrong file of nearly a MiB costs whoever has it checked: within 110 MB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_MOST_MEMORY = 110_000_000
"""CPython 3.14 takes 101, 3.11 less."""
_SIZE = (1 << 20) - 200
_MEASURE = """
import os, subprocess, sys
command = [sys.argv[1], "-m", "netsim", "validate", sys.argv[2]]
child = subprocess.Popen(command, stderr=subprocess.STDOUT)
_, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""
TWO = "name: n\nnodes: {a: {kind: switch}, b: {kind: switch}}\nlinks:\n"
STEPS = "name: s\ntopology: beside.yaml\nsteps:\n"


def filled(line: str, *, head: str = "", tail: str = "", most: int = 45_000) -> str:
    """As many of these lines as fit into the largest file; `#` in them is their number."""
    lines: list[str] = []
    left = _SIZE - len(head) - len(tail)
    while len(lines) < most and left > len(line) + 5:
        lines.append(line.replace("#", str(len(lines))))
        left -= len(lines[-1])
    return head + "".join(lines) + tail


FILES = {
    "right links and one wrong": filled(
        " - {endpoints: [a, b]}\n", head=TWO, tail=" - [a, nobody]\n", most=40_000
    ),
    "links to nobody": filled(" - {endpoints: [nobody, b], delay: 1ms}\n", head=TWO),
    "links that close loops": filled(" - {endpoints: [a, b]}\n", head=TWO),
    "one link with many ends": filled(
        "q#: {delay: 1ms}, ", head=TWO + " - {endpoints: [a, b], egress: {", tail="}}\n"
    ),
    "numbers as links": "links: [" + "1," * 49_000 + "]",
    "nodes without number": filled(
        " n#: {run: 'm#:f'}\n", head="name: n\nnodes:\n", tail="links: [[n0, nobody]]\n"
    ),
    "modules that are not there": filled(
        " n#: {run: ['m#:f', 'k#:f']}\n",
        head="name: n\ndefaults: {kind: computer}\nnodes:\n s: {kind: switch}\n",
        tail="links:\n" + "".join(f" - [n{number}, s]\n" for number in range(9_990)),
        most=9_990,
    ),
    "nodes with a wrong word": filled(" n#: {kind: computer, x: 1}\n", head="name: n\nnodes:\n"),
    "nested lists": filled("- " + "[" * 29 + "]" * 29 + "\n"),
    "one key": filled("k: 1\n", most=1 << 20),
    "lists as keys": filled("? [a]\n", most=1 << 20),
    "steps without number": filled("  - parallel: [{wait: x}, {wait: x}]\n", head=STEPS),
    "wrong steps": filled(f"  - ping: {{from: a, t: {'b' * 60}}}\n", head=STEPS, most=9_900),
    "right steps and one wrong": filled(
        f"  - http: {{from: a, url: 'http://b/{'b' * 60}'}}\n",
        head=STEPS,
        tail="  - ping: {from: a, to: nobody}\n",
        most=9_900,
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_large_file_is_told_in_little_memory(case: str, tmp_path: Path) -> None:
    (tmp_path / "beside.yaml").write_text(
        "name: n\nnodes: {a: {kind: computer}, b: {kind: computer}}\nlinks: [[a, b]]\n"
    )
    file = tmp_path / "large.yaml"
    file.write_text(FILES[case])
    # A process begins with the peak of whoever forked it: a small one has to.
    done = subprocess.run(
        [sys.executable, "-S", "-c", _MEASURE, sys.executable, str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, last = done.stdout.splitlines()
    code, peak = map(int, last.split())
    assert code == 2, done.stdout
    assert 1 <= len(lines) <= 101
    assert peak * 1024 < _MOST_MEMORY
