"""The clock of a network, at its pace and slower, and nodes that live by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from netsim import InvalidValueError, Network, TransferFailedError
from netsim.core.time import MILLISECOND, SECOND
from netsim.realtime import network_clock
from netsim.realtime.network_clock import NetworkClock

TWO = """\
name: two
convergence: 100ms
nodes: {alice: {kind: computer}, web: {kind: computer}}
links: [{endpoints: [alice, web], delay: 20ms}]
"""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the machine's clock."""
    monkeypatch.setattr(network_clock, "monotonic_ns", lambda: 0)

    def put(ns: int) -> None:
        monkeypatch.setattr(network_clock, "monotonic_ns", lambda: ns)

    return put


@pytest.mark.parametrize("speed", ["1", "0.1", "0.3", "1/3", "0.001"])
def test_an_alarm_is_the_first_moment_of_a_time(machine: Callable[[int], None], speed: str) -> None:
    clock = NetworkClock(1_000, Fraction(speed))
    now, alarm = clock.reader(), clock.alarm()
    for network_ns in (0, 1, 7, 999, SECOND, 86_400 * SECOND + 1):
        machine(alarm(network_ns))
        assert now() >= network_ns
        machine(alarm(network_ns) - 1)
        assert now() < network_ns


def test_a_tenth_is_a_tenth(machine: Callable[[int], None]) -> None:
    clock = NetworkClock(5 * SECOND, Fraction("0.1"))
    now = clock.reader()
    machine(15 * SECOND)
    assert now() == SECOND


@pytest.mark.parametrize("speed", [0, -1, 1.5, "fast", "1/0", "nan", "inf", 0.0001])
def test_no_speeds(tmp_path: Path, speed: float | str) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(TWO)
    with pytest.raises(InvalidValueError, match=r"write 0\.001 to 1, for example 0\.1"):
        Network(file, speed=speed)


def test_virtual_time_has_no_speed(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(TWO)
    with pytest.raises(ValueError, match="speed is of real time"):
        Network(file, time="virtual", speed=0.5)


async def sleep_a_little(seconds: float) -> tuple[float, float]:
    """How long that was by the loop, and by the clock of the machine."""
    loop = asyncio.get_running_loop()
    began, by_clock = loop.time(), time.monotonic()
    await asyncio.sleep(seconds)
    return loop.time() - began, time.monotonic() - by_clock


def test_a_network_in_slow_motion(tmp_path: Path) -> None:
    """Compared are counters of network time and of the machine, read at the same moments."""
    file = tmp_path / "two.yaml"
    file.write_text(TWO)

    async def main() -> None:
        async with Network(file, speed=0.1) as net:
            assert net.summary()["speed"] == 0.1
            assert (await net.inspect())["speed"] == 0.1
            loop, clock = await net["alice"].run(sleep_a_little, 0.02)
            assert loop >= 0.02
            assert clock == pytest.approx(10 * loop, abs=0.01)

            network_ns, clock_ns = net.now(), time.monotonic_ns()
            ping = await net["alice"].ping("web", count=2, interval=0.03)
            network_ns, clock_ns = net.now() - network_ns, time.monotonic_ns() - clock_ns
            assert ping.received == 2
            assert all(rtt >= 40 * MILLISECOND for rtt in ping.rtts_ns)
            assert network_ns >= 70 * MILLISECOND
            assert clock_ns == pytest.approx(10 * network_ns, abs=10 * MILLISECOND)

            async with net.drop("alice", "web"):
                began = net.now()
                with pytest.raises(TransferFailedError, match=r"timed out after 0\.02 s"):
                    await net["alice"].transfer("web", 1, timeout=0.02)
                assert net.now() - began >= 20 * MILLISECOND

            began = net.now()
            await net.link("alice", "web").down()
            await net.converged()
            assert net.now() - began >= 100 * MILLISECOND
            assert (await net["alice"].ping("web", count=1, timeout=0.01)).received == 0

    asyncio.run(main())


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_every_start_method_has_the_clock(tmp_path: Path, method: str) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(TWO)

    async def main() -> None:
        async with Network(file, speed=0.25, start_method=method) as net:  # type: ignore[arg-type]
            loop, clock = await net["alice"].run(sleep_a_little, 0.02)
            assert clock == pytest.approx(4 * loop, abs=0.01)

    asyncio.run(main())
