from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pytest
from networks import NETSIM, ROOT, Watchdog

from netsim.cli.outcome import run

FAKE_NETSIM = [sys.executable, str(Path(__file__).with_name("fake_netsim.py"))]
HOME = """\
name: home
nodes:
  alice: {kind: computer}
  web: {kind: computer}
links:
  - [alice, web]
"""


class Command(subprocess.Popen[str]):
    """A command whose output is text, beside a test that may fail: then it is killed."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, traceback)


class Shell:
    """Runs `netsim` commands in a directory of their own; `up` may be the fake's."""

    def __init__(self, folder: Path, up: list[str] = NETSIM) -> None:
        self.folder = folder
        self.state_root = folder / "run" / "netsim"
        self._up = up
        (folder / "run").mkdir()
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
        }
        self._watchdog = Watchdog(self.environment)

    def start(self, *arguments: str, fake: str = "") -> Command:
        """Run a command beside the test, which it does not outlive."""
        command = self._up if "up" in arguments else NETSIM
        return Command(
            ["setpriv", "--pdeathsig", "KILL", *command, *arguments],
            cwd=self.folder,
            env={**self.environment, "FAKE": fake},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, fake: str = "") -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command; of a real network no word of its machine."""
        with self.start(*arguments, fake=fake) as process:
            out, err = process.communicate()
        return process.returncode, out, err if self._up is not NETSIM else of_the_network(err)

    def close(self) -> None:
        """Leave nothing running."""
        self._watchdog.close()


@contextmanager
def network_up(folder: Path, topology: str, up: list[str] = NETSIM) -> Iterator[Shell]:
    """A shell in `folder`, where this network is up; its file is called as the network."""
    shell = Shell(folder, up)
    try:
        file = f"{topology.split()[1]}.yaml"
        (folder / file).write_text(topology)
        code, _, err = shell.run("up", "-d", file)
        assert code == 0, err
        yield shell
    finally:
        shell.close()


def of_the_network(text: str) -> str:
    """What a command printed, but for what a machine says that is too busy to be in time."""
    return re.sub(r"^netsim: (since the start: )?timing cannot .*\n", "", text, flags=re.MULTILINE)


class Prompt:
    """Runs commands within the test, for those that need no network."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        return code, *self._capture.readouterr()
