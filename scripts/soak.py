"""The campus as processes, under load and small disturbances, for a given time.

At the end, and every few seconds, it checks what must hold however long a network runs: every
answer arrives, every frame is accounted for, memory and descriptors do not grow, nobody dies,
and nothing is left behind. Run it through `scripts/soak`; exit code 1 when something did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import psutil
from soak_growth import Growth, descriptors
from soak_load import Disturbances, Load

from netsim import Network, UnbalancedLinkError

ROOT = Path(__file__).resolve().parent.parent
TOPOLOGIES = ROOT / "topologies"
WARM_UP = 75.0
"""Seconds after which memory is watched, or half of a shorter run: connections wait for a minute
in TIME-WAIT, and only then are there no more of them every second."""
SAMPLE_EVERY = 2.0
"""Seconds between two measurements."""
AUDIT_EVERY = 10.0
"""Seconds between two looks at the accounts of all links."""
MOST_SHOWN = 40
"""Findings; all of them are in the JSON report."""
REST = 20.0
"""Seconds that connections get to close when the load has ended."""


class Soak:
    """One run: what was measured, and `findings`, which should stay empty."""

    def __init__(self, network: Network, seconds: float, random: Random) -> None:
        self.network = network
        self.seconds = seconds
        self.findings: list[str] = []
        self.audits = 0
        self.frames: Counter[str] = Counter()
        self.load = Load(network, random)
        self.disturbances = Disturbances(self.load, random)
        self.growths: list[Growth] = []
        self.killed: list[str] = []
        self._random = random

    async def run(self) -> None:
        """All of it, on a network that is up."""
        events = asyncio.create_task(self._watch_events())
        nodes = (await self.network.inspect())["nodes"]
        pids = {node["name"]: node["pid"] for node in nodes}
        self.disturbances.pids = list(pids.values())
        pids |= {
            f"process {child.pid}": child.pid
            for child in psutil.Process().children(recursive=True)
            if child.pid not in pids.values()
        }
        pids["supervisor"] = os.getpid()
        self.growths = [Growth(name, pid) for name, pid in pids.items()]
        await self.load.once()
        await self._rest()
        for growth in self.growths:
            growth.descriptors_at_rest = descriptors(growth.pid)
        await self.load.start()
        trouble = asyncio.create_task(self.disturbances.run())
        await self._watch()
        trouble.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await trouble
        await self.load.stop()
        await self._rest()
        for growth in self.growths:
            self.findings += growth.findings(descriptors(growth.pid))
        await self._audit()
        await self._kill_some()
        await asyncio.sleep(0.2)
        events.cancel()
        self.findings += self.load.failures

    async def _watch(self) -> None:
        """Measure and audit until the time is over."""
        began = time.monotonic()
        next_audit = began + AUDIT_EVERY
        while (passed := time.monotonic() - began) < self.seconds:
            await asyncio.sleep(SAMPLE_EVERY)
            if passed >= min(WARM_UP, self.seconds / 2):
                for growth in self.growths:
                    growth.sample(passed)
            if time.monotonic() >= next_audit:
                next_audit += AUDIT_EVERY
                await self._audit()

    async def _audit(self) -> None:
        """Every frame of every link, at one consistent cut under load."""
        async with self.disturbances.awake:
            for last in (False, False, True):
                try:
                    accounts = await self.network.accounts()
                    break
                except TimeoutError:
                    # Too busy to answer in time is no fault, if it is not for long.
                    if last:
                        self.findings.append("the nodes do not tell their counters in time")
                        return
        self.audits += 1
        self.frames.clear()
        for account in accounts:
            self.frames.update(sent=account.sent, delivered=account.delivered)
            self.frames.update({f"dropped ({why})": n for why, n in account.dropped.items()})
            try:
                account.check()
            except UnbalancedLinkError as error:
                self.findings.append(str(error))

    async def _rest(self) -> None:
        """Wait until descriptors are closed, those of aborted connections as well."""
        fewest = None
        end = time.monotonic() + REST
        while time.monotonic() < end:
            now = [descriptors(growth.pid) for growth in self.growths]
            if now == fewest:
                return
            fewest = now
            await asyncio.sleep(2)

    async def _kill_some(self) -> None:
        """Computers that nobody talks to die; the others do not notice."""
        await self.load.start()
        names = [f"lab-{number}" for number in range(6, 21)]
        for name in self._random.sample(names, 3):
            self.killed.append(name)
            await self.network.crash(name)
            code, output = await self.load.run("bob", "ping", "-c", "1", "-W", "10", "web")
            if code:
                self.findings.append(f"after {name} was killed, bob cannot ping web: {output}")
        await self.load.stop()

    async def _watch_events(self) -> None:
        async for event in self.network.subscribe():
            if event["kind"] == "node-died" and event["node"] not in self.killed:
                self.findings.append(event["text"])
            if event["kind"] == "error":
                self.findings.append(f"{event['node']} logged: {event['text']}")

    def report(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "seconds": self.seconds,
            "done": dict(sorted(self.load.done.items())),
            "disturbances": dict(sorted((self.disturbances.done + self.load.disturbed).items())),
            "killed": self.killed,
            "audits": self.audits,
            "frames": dict(self.frames),
            "processes": [
                {
                    "name": growth.name,
                    "heap_kib": growth.sizes_kib[-1] if growth.sizes_kib else None,
                    "grown_kib": growth.grown_kib,
                    "slope_kib_per_minute": round(growth.slope_kib_per_minute, 1),
                    "descriptors": growth.descriptors_at_rest,
                    "heap_kib_by_seconds": [
                        (round(seconds), size)
                        for seconds, size in zip(growth.seconds, growth.sizes_kib, strict=True)
                    ],
                }
                for growth in self.growths
            ],
            "findings": self.findings,
        }


async def soak(seconds: float, seed: int) -> dict[str, Any]:
    """Run, stop, and look for what is left."""
    random = Random(seed)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    open_before = descriptors(os.getpid())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "campus.yaml"
        file.write_text(on_free_ports("campus.yaml"))
        network = Network(file)
        async with network:
            run = Soak(network, seconds, random)
            await run.run()
    findings = run.findings
    left = {child.pid for child in psutil.Process().children(recursive=True)} - before
    if left:
        findings.append(f"processes are left: {sorted(left)}")
    open_now = descriptors(os.getpid())
    if open_now > open_before + 3:  # the event loop's own
        findings.append(f"{open_now - open_before} descriptors are left in the supervisor")
    return run.report()


def on_free_ports(name: str) -> str:
    """One of the example topologies, for another folder, and on real ports that nobody has."""
    text = (TOPOLOGIES / name).read_text().replace("./site", str(TOPOLOGIES / "site"))
    return re.sub(r"127\.0\.0\.1:\d+:", "127.0.0.1:0:", text)


def leftovers_of_commands() -> list[str]:
    """What `up -d` and `down` leave in the state directory, which should be nothing."""
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_RUNTIME_DIR": folder}
        file = Path(folder) / "soak.yaml"
        file.write_text(on_free_ports("home.yaml"))
        for command in (["up", "-d", str(file)], ["down", "--all"]):
            ended = subprocess.run(
                [sys.executable, "-m", "netsim", *command],
                env=environment,
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
            if ended.returncode:
                findings.append(f"`netsim {command[0]}` failed: {ended.stderr.strip()}")
        file.unlink()
        left = [str(path) for path in Path(folder).rglob("*") if not path.is_dir()]
        left += [str(path) for path in (Path(folder) / "netsim").glob("*")]
    return findings + [f"`netsim down` left {path}" for path in left]


def show(report: dict[str, Any]) -> None:
    """For people."""

    def row(name: str, values: dict[str, int]) -> None:
        print(f"{name:14}", ", ".join(f"{count} {what}" for what, count in values.items()))

    print(f"{report['seconds']:.0f} s of load on the campus, seed {report['seed']}")
    row("done", report["done"])
    row("disturbances", report["disturbances"])
    row("frames", report["frames"])
    print(f"{'accounts':14} {report['audits']} times checked; killed {', '.join(report['killed'])}")
    ranked = sorted(report["processes"], key=lambda row: -row["grown_kib"])
    print(f"{'process':24} {'heap KiB':>8} {'grown':>7} {'KiB/min':>8} {'fds':>4}")
    for process in [*ranked[:6], {**ranked[-1], "name": f"… {ranked[-1]['name']}"}]:
        print(
            f"{process['name']:24} {process['heap_kib'] or 0:8} {process['grown_kib']:7.0f} "
            f"{process['slope_kib_per_minute']:8.1f} {process['descriptors']:4}"
        )
    for finding in report["findings"][:MOST_SHOWN]:
        print(f"FOUND: {finding}")
    print(f"{len(report['findings'])} findings" if report["findings"] else "all held")


def main() -> int:
    """0 when everything held."""
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description=(__doc__ or "").splitlines()[0],
        epilog="example: scripts/soak 3600 --seed 7 --json soak.json",
    )
    parser.add_argument("seconds", nargs="?", type=float, default=300, help="default 300")
    parser.add_argument("--seed", type=int, default=0, help="of the disturbances (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here, too")
    options = parser.parse_args()
    report = asyncio.run(soak(options.seconds, options.seed)) | {"seed": options.seed}
    report["findings"] += leftovers_of_commands()
    show(report)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 1 if report["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
