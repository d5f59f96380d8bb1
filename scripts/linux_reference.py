"""Measures the Linux column of `fidelity_reference.json` on this machine.

Two namespaces, a TAP device in each, and a relay between them that is the path of
`bench_fidelity.py`: 10 ms one way, a bottleneck with a drop-tail queue of 100 packets, and seeded
loss in the direction of the data. iperf3 says how much arrives. It takes whoever may make a
namespace, and a machine with two cores that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "kernel"))

from namespace import Namespace, new_namespace, way_to_make_one  # noqa: E402

from netsim.realtime.tap_device import TapDevice, open_tap  # noqa: E402

REFERENCE: Final = ROOT / "scripts" / "fidelity_reference.json"
DELAY: Final = 0.010
"""Seconds one way."""
QUEUE: Final = 100
"""Packets that wait for the bottleneck."""
WARM_UP: Final = 5
"""Seconds that iperf3 leaves out."""
SENDER, RECEIVER = "10.8.0.1", "10.8.0.2"
SETTINGS: Final = """
sysctl -qw net.ipv4.tcp_no_metrics_save=1 || true
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 || true
ip addr add {address}/24 dev {device}
ip link set {device} up txqueuelen 5000
"""


class Direction:
    """A bottleneck, and the time on the cable behind it."""

    def __init__(self, source: TapDevice, sink: TapDevice, mbit: float, loss: float) -> None:
        self.source = source
        self._sink = sink
        self._seconds_per_octet = 8 / (mbit * 1e6)
        self._loss = loss
        self._free_at = 0.0
        self._starts: deque[float] = deque()
        self._on_the_way: deque[tuple[float, bytes]] = deque()

    def take(self, now: float, draw: random.Random) -> None:
        """What the sender has sent."""
        starts = self._starts
        for frame in self.source.frames():
            while starts and starts[0] <= now:
                starts.popleft()
            if len(starts) >= QUEUE:
                continue
            start = max(now, self._free_at)
            if start > now:
                starts.append(start)
            self._free_at = start + len(frame) * self._seconds_per_octet
            if draw.random() >= self._loss:
                self._on_the_way.append((self._free_at + DELAY, frame))

    def deliver(self, now: float) -> None:
        """What is due."""
        while self._on_the_way and self._on_the_way[0][0] <= now:
            self._sink.write(self._on_the_way.popleft()[1])

    def next_due(self) -> float:
        return self._on_the_way[0][0] if self._on_the_way else float("inf")


def relay(mbit: float, loss: float, seed: int) -> None:
    """Carry frames from one device to the other until standard input ends."""
    left, right = (TapDevice(open_tap(name)) for name in ("left", "right"))
    print("open", flush=True)
    draw = random.Random(seed)
    there, back = Direction(left, right, mbit, loss), Direction(right, left, mbit, 0.0)
    descriptors = [left.descriptor, right.descriptor, sys.stdin.fileno()]
    while True:
        pause = min(there.next_due(), back.next_due()) - time.monotonic()
        readable = select.select(descriptors, [], [], max(0.0, min(pause, 1.0)))[0]
        if sys.stdin.fileno() in readable:
            return
        for direction in (there, back):
            now = time.monotonic()
            if direction.source.descriptor in readable:
                direction.take(now, draw)
            direction.deliver(now)


@contextmanager
def path(mbit: float, loss: float, seed: int) -> Iterator[tuple[Namespace, Namespace]]:
    """Sender and receiver, and the relay between them."""
    with new_namespace() as sender, new_namespace(beside=sender) as receiver:
        command = sender.command(
            sys.executable, __file__, "--relay", str(mbit), str(loss), str(seed)
        )
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as relaying:
            assert relaying.stdin is not None
            assert relaying.stdout is not None
            try:
                assert relaying.stdout.readline() == b"open\n"
                sender.run("ip", "link", "set", "right", "netns", str(receiver.pid))
                sender.shell(SETTINGS.format(address=SENDER, device="left"))
                receiver.shell(SETTINGS.format(address=RECEIVER, device="right"))
                yield sender, receiver
            finally:
                relaying.stdin.close()
                relaying.wait(10)


def goodput(congestion: str, mbit: float, loss: float, seed: int, seconds: int) -> float:
    """Mbit/s of payload that arrive, after the warm-up."""
    with path(mbit, loss, seed) as (sender, receiver), receiver.running("iperf3", "-s", "-1"):
        receiver.wait_for_listener(5201)
        words = ("-C", congestion, "-O", str(WARM_UP), "-t", str(seconds), "-J")
        report = json.loads(
            sender.run("iperf3", "-c", RECEIVER, *words, limit=seconds + WARM_UP + 30).stdout
        )
        return float(report["end"]["sum_received"]["bits_per_second"]) / 1e6


def measure(cells: list[dict[str, Any]], runs: int, seconds: int) -> None:
    """Fill in what Linux does, cell by cell."""
    for cell in cells:
        for congestion in ("cubic", "reno"):
            seen = [
                goodput(congestion, cell["mbit"], cell["loss"] / 100, seed, seconds)
                for seed in range(1, runs + 1)
            ]
            before = cell[congestion].get("linux")
            cell[congestion]["linux"] = float(f"{median(seen):.3g}")
            spread = " ".join(f"{each:.3g}" for each in seen)
            name = f"{congestion} {cell['mbit']} mbit {cell['loss']} %"
            print(
                f"{name}: {cell[congestion]['linux']} Mbit/s ({spread}), was {before}", flush=True
            )


def write(reference: dict[str, Any]) -> None:
    """A line for each cell, answer and queue."""
    parts = [f'  "source": {json.dumps(reference["source"])}']
    for name in ("cells", "http"):
        rows = ",\n".join(f"    {json.dumps(row)}" for row in reference[name])
        parts.append(f'  "{name}": [\n{rows}\n  ]')
    queues = ",\n".join(
        f"    {json.dumps(name)}: {json.dumps(queue)}"
        for name, queue in reference["queues"].items()
    )
    parts.append(f'  "queues": {{\n{queues}\n  }}')
    REFERENCE.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def main() -> int:
    parser = argparse.ArgumentParser("scripts/linux_reference", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of each cell; 3")
    parser.add_argument("--seconds", type=int, default=40, metavar="S", help="of each run; 40")
    parser.add_argument("--mbit", type=float, metavar="RATE", help="only cells of this bottleneck")
    parser.add_argument("--loss", type=float, metavar="PERCENT", help="only cells of this loss")
    parser.add_argument("--write", action="store_true", help=f"write {REFERENCE.name}")
    parser.add_argument("--relay", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.relay:
        mbit, loss, seed = options.relay
        relay(float(mbit), float(loss), int(seed))
        return 0
    if way_to_make_one() is None:
        print("no namespace with a TAP device can be made here (unshare)", file=sys.stderr)
        return 1
    reference = json.loads(REFERENCE.read_text())
    chosen = [
        cell
        for cell in reference["cells"]
        if options.mbit in (None, cell["mbit"]) and options.loss in (None, cell["loss"])
    ]
    measure(chosen, options.runs, options.seconds)
    if options.write:
        write(reference)
    return 0


if __name__ == "__main__":
    sys.exit(main())
