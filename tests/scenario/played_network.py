"""A network that is only said to be one, and the scenario files that run on it.

It has the operations of `Network` that scenarios use. What is down, held or crashed is in sets;
requests take 10 ms, and fail while anything is down.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from netsim import AlreadyRunningError, FrameRecord, HttpFailedError, LogLine, NetworkPlan
from netsim.network.events import Event
from netsim.network.log_lines import LogHistory
from netsim.network.run_files import RunFiles
from netsim.scenario.fault_steps import PlannedFault
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_run import execute

LAN = """\
name: lan
seed: 5
nodes:
  alice: {kind: computer}
  web: {kind: computer}
  r1: {kind: router}
  r2: {kind: router}
links:
  - [alice, r1]
  - [r1, r2]
  - [r1, r2]
  - [r2, web]
"""


@dataclass
class FakeReply:
    status: int
    headers: dict[str, str]
    body: bytes
    elapsed_ns: int


@dataclass
class FakePings:
    sent: int
    rtts_ns: list[int]
    arrived_at: list[int]
    errors: tuple[str, ...] = ()
    ttls: list[int] = field(default_factory=list)

    @property
    def received(self) -> int:
        return len(self.rtts_ns)

    @property
    def lost(self) -> list[int]:
        """The last ones."""
        return list(range(self.received + 1, self.sent + 1))


@dataclass
class FakeTransfer:
    elapsed_ns: int
    goodput_bps: float
    ended_at: int

    def rates(self) -> list[tuple[int, float]]:
        return [(self.ended_at, self.goodput_bps)]


@dataclass
class World:
    """What the network is like, and what was done to it."""

    status: Callable[[FakeNetwork], int] = lambda network: 200
    response: float = 0.01
    """Seconds."""
    lost: int = 0
    """Pings of each series."""
    done: list[tuple[float, str]] = field(default_factory=list)
    networks: list[FakeNetwork] = field(default_factory=list)

    def new(self, plan: NetworkPlan, *, time: str) -> Any:
        assert time == "virtual"
        network = FakeNetwork(plan, self)
        self.networks.append(network)
        return network

    def run(
        self,
        tmp_path: Path,
        steps: str,
        *,
        faults: list[PlannedFault] | None = None,
        seed: int | None = None,
    ) -> ScenarioResult:
        """Run a scenario with these steps and what follows them in the file."""
        (tmp_path / "lan.yaml").write_text(LAN)
        file = tmp_path / "scenario.yaml"
        file.write_text(f"name: x\ntopology: lan.yaml\nsteps:\n{steps}")
        return execute(load_scenario(file), seed=seed, faults=faults or [], new_network=self.new)


class FakeNetwork:
    unrepeatable: ClassVar[list[str]] = []

    def __init__(self, plan: NetworkPlan, world: World) -> None:
        self.plan = plan
        self.world = world
        self.errors: list[LogLine] = []
        self.exits: list[Event] = []
        self.run_files = RunFiles(beside=True)
        self._logs = LogHistory()
        self.broken: set[str] = set()
        self.observed = False
        self._ended = 0

    async def __aenter__(self) -> FakeNetwork:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended = self.now()
        self.do("stopped")

    def do(self, what: str) -> None:
        self.world.done.append((self.now() / 1e9, what))

    def now(self) -> int:
        try:
            return round(asyncio.get_running_loop().time() * 1e9) - 1000 * 10**9
        except RuntimeError:
            return self._ended

    def log(self, level: int, text: str) -> None:
        self._logs.add(LogLine(self.now(), "web", level, text))

    def log_error(self, text: str) -> None:
        self.errors.append(LogLine(self.now(), "web", 40, text))
        self.log(40, text)

    def logs(self, last: int | None = None) -> dict[str, Any]:
        return self._logs.document(last=last)

    def observe_frames(self) -> None:
        self.observed = True

    async def recent_frames(self) -> list[FrameRecord]:
        assert self.observed
        return [FrameRecord(self.now(), 0, "alice:eth0", "r1:eth0", bytes(60), "delivered")]

    async def capture(self, where: str, path: Path, *, filter: str = "") -> None:
        self.do(f"capture {where} {path.name}{filter and f' ({filter})'}")

    async def partition(self, first: list[str], second: list[str]) -> None:
        self.broken.add("partition")
        self.do(f"partition {first} {second}")

    async def repair(self) -> None:
        self.broken.discard("partition")
        self.do("repair")

    def __getitem__(self, name: str) -> FakeNode:
        return FakeNode(self, name)

    def link(self, a: str, b: str) -> FakeLink:
        return FakeLink(self, f"{a} {b}")


@dataclass
class FakeLink:
    network: FakeNetwork
    name: str

    async def _change(self, verb: str, breaks: bool) -> None:
        await asyncio.sleep(0.001)
        (self.network.broken.add if breaks else self.network.broken.discard)(self.name)
        self.network.do(f"{verb} {self.name}")

    async def down(self) -> None:
        await self._change("down", True)

    async def up(self) -> None:
        await self._change("up", False)

    async def hold(self) -> None:
        await self._change("hold", True)

    async def release(self) -> None:
        await self._change("release", False)

    async def reset(self) -> None:
        await self._change("reset", False)

    async def flap(self, *, period: str, times: int) -> None:
        await self._change(f"flap {period} {times}", False)

    async def set(self, *, from_: str | None, **words: object) -> None:
        await self._change(f"set {words} from {from_}", False)


@dataclass
class FakeNode:
    network: FakeNetwork
    name: str

    def _check(self) -> None:
        if self.network.broken:
            raise ConnectionRefusedError("connection refused")

    async def request(
        self, method: str, url: str, *, headers: object, body: bytes | None, timeout: float | None
    ) -> FakeReply:
        if timeout is not None and timeout < self.network.world.response:
            await asyncio.sleep(timeout)
            raise HttpFailedError(method, url, f"timed out after {timeout:g} s")
        await asyncio.sleep(self.network.world.response)
        self._check()
        status = self.network.world.status(self.network)
        text = b"" if status >= 500 else f"{method} {url} {headers} {body!r}".encode()
        elapsed = round(self.network.world.response * 1e9)
        return FakeReply(status, {"Content-Type": "text/plain"}, text, elapsed)

    async def ping(
        self, to: str, *, count: int, interval: float = 1.0, timeout: float = 2.0, size: int = 56
    ) -> FakePings:
        started = self.network.now()
        await asyncio.sleep((count - 1) * interval)
        got = 0 if self.network.broken else max(count - self.network.world.lost, 0)
        rtts = [5_000_000 + n * 1_000_000 for n in range(got)]
        times = [started + round(n * interval * 1e9) + rtt for n, rtt in enumerate(rtts)]
        return FakePings(count, rtts, times, ttls=[62] * got)

    async def path(self, to: str) -> list[str]:
        self._check()
        return ["r1", "r2"]

    async def resolve(self, name: str) -> str | None:
        return "10.0.1.1" if name == "web" else None

    async def transfer(self, to: str, size: int) -> FakeTransfer:
        await asyncio.sleep(2)
        self._check()
        return FakeTransfer(2 * 10**9, size * 8 / 2, self.network.now())

    async def run(self, function: Any, *args: Any) -> Any:
        return await function(*args)

    def crash(self) -> FakeOutage:
        return FakeOutage(self)

    async def stop(self) -> None:
        self.network.broken.add(self.name)
        self.network.do(f"stop {self.name}")

    async def start(self) -> None:
        if self.name not in self.network.broken:
            raise AlreadyRunningError(f"{self.name} is up already")
        self.network.broken.discard(self.name)
        self.network.do(f"start {self.name}")

    async def restart(self) -> None:
        self.network.broken.discard(self.name)
        self.network.do(f"restart {self.name}")


@dataclass
class FakeOutage:
    """Awaited it lasts; as a context manager it ends."""

    node: FakeNode

    def __await__(self) -> Generator[Any, None, None]:
        self.node.network.broken.add(self.node.name)
        self.node.network.do(f"crash {self.node.name}")
        yield from ()

    async def __aenter__(self) -> None:
        await self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(AlreadyRunningError):
            await self.node.start()
