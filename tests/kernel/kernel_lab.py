"""A network beside a kernel: a computer whose place the namespace of a test takes.

lab (tap0) – r1 – web           5 ms, then 5 ms and 100 mbit
                – narrow        whose link takes packets of 1000 bytes
hole (tap1) – s1 – s2 – deaf    between the switches packets of 1000 bytes, others vanish
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from namespace import Namespace, is_required, new_namespace, way_to_make_one
from networks import Watchdog

LAB = "10.0.1.10"
WEB = "10.0.2.10"
NARROW = "10.0.3.10"
HOLE = "10.0.4.10"
DEAF = "10.0.4.11"

FILE = f"""\
name: beside
nodes:
  lab: {{kind: computer, attach: "tap:tap0", address: {LAB}/24}}
  hole: {{kind: computer, attach: "tap:tap1", address: {HOLE}/24}}
  r1: {{kind: router}}
  s1: {{kind: switch}}
  s2: {{kind: switch}}
  web:
    kind: computer
    address: {WEB}/24
    services: {{80: "kernel_side:create_app"}}
    run: "kernel_side:serve"
  narrow:
    kind: computer
    address: {NARROW}/24
    services:
      80: "kernel_side:create_app"
      8080: netsim.services.httpbin:create_app
      9000: "kernel_side:create_app"
  deaf: {{kind: computer, address: {DEAF}/24, services: {{80: "kernel_side:create_app"}}}}
links:
  - {{endpoints: [lab, r1], delay: 5ms}}
  - {{endpoints: [r1, web], delay: 5ms, bandwidth: 100mbit}}
  - {{endpoints: [r1, narrow], delay: 1ms, mtu: 1000}}
  - {{endpoints: [hole, s1], delay: 1ms}}
  - {{endpoints: [s1, s2], delay: 1ms, mtu: 1000}}
  - {{endpoints: [s2, deaf], delay: 1ms}}
  - {{endpoints: [s1, r1], delay: 1ms}}
"""
SETTINGS = f"""
ip addr add {LAB}/24 dev tap0
ip addr add {HOLE}/24 dev tap1
ip link set tap0 up txqueuelen 5000
ip link set tap1 up
ip route add 10.0.2.0/24 via 10.0.1.1
ip route add 10.0.3.0/24 via 10.0.1.1
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 || true
sysctl -qw net.ipv4.tcp_congestion_control=reno
sysctl -qw net.ipv4.tcp_no_metrics_save=1 || true
"""


class Lab:
    """The network, and the kernel beside it."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.kernel = namespace
        self.folder = folder
        self._environment = os.environ | {
            "XDG_RUNTIME_DIR": str(folder),
            "PYTHONPATH": str(Path(__file__).parent),
        }
        self._watchdog = Watchdog(self._environment)

    def start(self) -> None:
        file = self.folder / "beside.yaml"
        file.write_text(FILE)
        self.netsim("up", "-d", file)
        self.kernel.shell(SETTINGS)
        # Whoever meets for the first time has to ask for MAC addresses.
        for address in (WEB, NARROW):
            self.kernel.run("ping", "-c", "1", "-W", "2", address)

    def stop(self) -> None:
        self._watchdog.close()

    def netsim(self, *argv: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`netsim …`, in the namespace: the TAP devices are there."""
        command = (sys.executable, "-m", "netsim", *argv)
        return self.kernel.run(*command, check=check, env=self._environment)


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    """A kernel's stack; CI fails where there can be none."""
    if way_to_make_one() is None:
        message = "no namespace with a TAP device can be made here (unshare --net, --user)"
        if is_required():
            pytest.fail(message)
        pytest.skip(message)
    with new_namespace() as namespace:
        yield namespace


@pytest.fixture(scope="module")
def lab(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The network of this file, up, and its TAP devices ready for use."""
    lab = Lab(namespace, tmp_path_factory.mktemp("lab"))
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()
