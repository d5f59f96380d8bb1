"""The `$ netsim …` and `$ tshark …` of a page, what is printed below each, and how to run one.

Numbers differ from run to run, and how many blanks a table has; names, words and addresses do not.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from netsim_shell import Command, Shell, of_the_network
from networks import ROOT

BROKEN = """\
name: home
nodes:
  laptop: {kind: computer}
  desktop: {kind: computer}
  web: {kind: computer}
  switch: {kind: switch}
defaults:
  link:
    dealy: 2ms
links:
  - {delay: 2, endpoints: [desktop, switch]}
  - [web, wev]
  - [laptop, switch]
"""
"""The file that the README breaks."""


@dataclass
class Example:
    """A command, and the lines below it."""

    command: str
    lines: list[str] = field(default_factory=list)

    @property
    def stays_in_the_foreground(self) -> bool:
        words = shlex.split(self.command)
        return words[1:2] == ["up"] and "-d" not in words and not self.fails

    @property
    def fails(self) -> bool:
        """Whether what is printed is a complaint."""
        return any(re.match(r"netsim(?: [a-z]+)?: |\S+:\d+:\d+: ", line) for line in self.lines)


PROGRAMS = ("netsim", "tshark")
"""What is run of the pages, where they do not say otherwise."""


def examples_of(page: Path, programs: tuple[str, ...] = PROGRAMS) -> list[Example]:
    """Commands of these programs, of ```console blocks and of blocks that are indented."""
    starts = tuple(f"$ {program} " for program in programs)
    examples: list[Example] = []
    open_example: Example | None = None
    for line in page.read_text().splitlines():
        text = line.removeprefix("    ")
        if text.startswith("$ "):
            open_example = Example(text[2:].split("  #")[0].replace("scripts/netsim", "netsim"))
            if text.replace("scripts/netsim", "netsim").startswith(starts):
                examples.append(open_example)
        elif line.startswith("```") or (page.name == "README.md" and line[:1].strip()):
            open_example = None
        elif open_example is not None and text.strip() not in ("", "…"):
            open_example.lines.append(text)
    return examples


def files_of(page: Path) -> dict[str, str]:
    """What stands in fences and begins with `# NAME.py` or `# NAME.yaml`."""
    blocks = re.findall(
        r"^```(?:python|yaml)\n(# (\S+\.(?:py|yaml))\n.*?)^```", page.read_text(), re.M | re.S
    )
    return {name: text for text, name in blocks}


def normalised(line: str, folder: Path) -> str:
    """MAC addresses and numbers that are no IP address as N, blanks as one."""

    def number(match: re.Match[str]) -> str:
        return match[0] if match[0].count(".") == 3 else "N"

    line = line.replace(str(folder), "/srv")
    line = re.sub(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC", line)
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+", "TIME", line)
    line = re.sub(r"(?<![\w.-])\d+(?:\.\d+)*", number, line)
    return " ".join(line.split())


def new_shell(folder: Path, *, free_ports: bool = True) -> Shell:
    """A shell in a folder with `netsim`, scenarios, and topologies that take any free ports."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(ROOT / "topologies", folder / "topologies")
    shutil.copytree(ROOT / "tests" / "scenarios", folder / "tests" / "scenarios")
    for file in (folder / "topologies").glob("*.yaml") if free_ports else ():
        file.write_text(re.sub(r"127\.0\.0\.1:\d+:", "127.0.0.1:0:", file.read_text()))
    (folder / "broken.yaml").write_text(BROKEN)
    netsim = folder / "bin" / "netsim"
    netsim.parent.mkdir()
    netsim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m netsim "$@"\n')
    netsim.chmod(0o755)
    shell = Shell(folder)
    shell.environment["PATH"] = f"{netsim.parent}:{shell.environment['PATH']}"
    return shell


def run(example: Example, shell: Shell) -> tuple[int, str]:
    """Exit code and output; what stays in the foreground gets its Ctrl-C when it is up."""
    with Command(
        ["bash", "-o", "pipefail", "-c", example.command],
        cwd=shell.folder,
        env=shell.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        seen = ""
        if example.stays_in_the_foreground:
            for line in process.stdout:
                seen += line
                if " is up: " in line:
                    process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()
        return process.returncode, of_the_network(seen + rest)
