from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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

    def start(self, *arguments: str, fake: str = "") -> subprocess.Popen[str]:
        """Run a command beside the test, which it does not outlive."""
        command = self._up if "up" in arguments else NETSIM
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command, *arguments],
            cwd=self.folder,
            env={**self.environment, "FAKE": fake},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, fake: str = "") -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command."""
        with self.start(*arguments, fake=fake) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def close(self) -> None:
        """Leave nothing running."""
        self._watchdog.close()


class Prompt:
    """Runs commands within the test, for those that need no network."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        return code, *self._capture.readouterr()
