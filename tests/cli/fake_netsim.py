"""The `netsim` command with a network whose nodes are only told of.

Everything of the command line and the control API is real; instead of node processes there is
one child process that sleeps. FAKE=slow never comes up, FAKE=failing does not, FAKE=stubborn does
not stop unless it is killed; with FAKE=removed the state directory vanishes while it starts, and
with FAKE=full nothing can be written there from then on.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "control"))

import click
from fake_network import FakeNetwork

from netsim import NetworkPlan, StartError, Zygote
from netsim.control.state_directory import StateDirectory
from netsim.realtime.process_tree import die_with_parent
from netsim.site.backend import ToolRun

BEHAVIOUR = os.environ.get("FAKE", "")


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FakeZygote:
    """A child process that sleeps."""

    def __init__(self) -> None:
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            die_with_parent(parent)
            os.setsid()
            signal.pause()

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        if self.pid:
            os.waitpid(self.pid, 0)
            self.pid = 0


class Network(FakeNetwork):
    def __init__(
        self,
        plan: NetworkPlan,
        *,
        start_method: str,
        launcher: FakeZygote,
        speed: str,
    ) -> None:
        super().__init__(plan)
        self._zygote = launcher
        self._killed = asyncio.Event()

    async def start(self, on_progress: Callable[[int, int], None]) -> None:
        on_progress(1, 2)
        if BEHAVIOUR == "slow":
            click.echo("starting")
            await asyncio.Event().wait()
        if BEHAVIOUR == "failing":
            self.kill()
            raise StartError("web: port 80 is served twice")
        if BEHAVIOUR == "removed":
            shutil.rmtree(Path(os.environ["XDG_RUNTIME_DIR"], "netsim"))
        if BEHAVIOUR == "full":
            StateDirectory.publish = refuse  # type: ignore[method-assign, assignment]
        on_progress(2, 2)

    async def stop(self, *, grace: float = 2.0) -> None:
        if BEHAVIOUR == "stubborn":
            click.echo("stopping")
            await self._killed.wait()
        self.kill()
        self.hub.close()
        self.history.close()

    def kill(self) -> None:
        self._zygote.kill()
        self._zygote.reap()
        self._killed.set()

    def summary(self) -> dict[str, Any]:
        return {
            "name": self.plan.name,
            "file": self.plan.file,
            "supervisor_pid": os.getpid(),
            "started": "2026-01-01T00:00:00+00:00",
            "nodes": 2,
            "state": "running",
        }

    async def inspect(self) -> dict[str, Any]:
        port = {"listen": "127.0.0.1:8080", "node": "alice", "to": "web:80"}
        return {**await super().inspect(), "name": self.plan.name, "ports": [port]}

    async def inspect_node(self, name: str) -> dict[str, Any]:
        node = await super().inspect_node(name)
        interface = {
            "name": "eth0",
            "mac": "02:00:00:00:00:01",
            "addresses": ["10.0.0.1/24"],
            "peer": "[s1]",
            "up": True,
        }
        routes = [{"prefix": "0.0.0.0/0", "gateway": "10.0.0.254", "interface": "eth0"}]
        counters = {"tcp": {"resets": 3}}
        return {**node, "interfaces": [interface], "routes": routes, "counters": counters}

    async def exec(self, node: str, run: ToolRun, /) -> int:
        argv = list(run.argv)
        if argv == ["say"]:
            self.say("something happened")
        if argv[0] == "log":
            self.say(argv[1], logging.ERROR)
        if argv[0] == "happen":
            self.happens(argv[1], node, argv[2])
        if argv == ["wait"]:
            run.output("stdout", b"waiting\n")
        return await super().exec(node, run)


if __name__ == "__main__":
    stand_in = types.ModuleType("netsim.network.network")
    stand_in.Network = Network  # type: ignore[attr-defined]
    sys.modules[stand_in.__name__] = stand_in
    Zygote.start = FakeZygote  # type: ignore[method-assign, assignment]

    from netsim.cli import main

    main()
