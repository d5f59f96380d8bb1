"""Opening connections: what succeeds, and which error a program sees when it does not."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest
from protocols import Recorder, listen
from virtual_computers import World, world

from netsim.core.time import MILLISECOND
from netsim.stack.tcp.state import State
from netsim.wire.address import format_ip

__all__ = ["world"]


def test_both_ends_know_each_other(world: World) -> None:
    alice, web = world.loop("alice"), world.loop("web")
    servers = world.run("web", listen(web, Recorder))

    async def connect() -> None:
        transport, protocol = await alice.create_connection(Recorder, "web", 80)
        assert transport.get_protocol() is protocol
        assert isinstance(protocol, Recorder)
        assert protocol.happened == ["made"]
        await asyncio.sleep(0.01)
        there = servers[0].transport
        for name, opposite in (("peername", "sockname"), ("sockname", "peername")):
            assert transport.get_extra_info(name) == there.get_extra_info(opposite)
        assert transport.get_extra_info("peername") == (format_ip(world.plan.hosts["web"]), 80)
        sock = transport.get_extra_info("socket")
        assert sock.getpeername() == transport.get_extra_info("peername")
        assert sock.getsockname() == transport.get_extra_info("sockname")
        assert there.get_extra_info("netsim.path") == ["alice", "r1", "web"]
        assert transport.get_extra_info("netsim.path") == ["web", "r1", "alice"]
        assert transport.get_extra_info("cipher", "none") == "none"
        transport.close()

    world.run("alice", connect())


def test_the_handshake_takes_a_round_trip(world: World) -> None:
    world.run("web", listen(world.loop("web"), Recorder))

    async def connect() -> int:
        # Once before, so that every neighbour is known.
        for _ in range(2):
            began = world.now
            transport, _ = await world.loop("alice").create_connection(Recorder, "web", 80)
            transport.close()
        return world.now - began

    assert world.run("alice", connect()) == 4 * MILLISECOND


def test_refused(world: World) -> None:
    async def connect() -> None:
        address = format_ip(world.plan.hosts["web"])
        with pytest.raises(ConnectionRefusedError) as caught:
            await world.loop("alice").create_connection(Recorder, "web", 81)
        assert str(caught.value) == f"[Errno 111] Connect call failed ('{address}', 81)"

    world.run("alice", connect())


def test_a_host_that_is_not_there(world: World) -> None:
    neighbour = format_ip(world.plan.hosts["web"][:3] + bytes([77]))

    async def connect() -> None:
        with pytest.raises(OSError, match="Connect call failed") as caught:
            await world.loop("alice").create_connection(Recorder, neighbour, 80)
        assert caught.value.errno == errno.EHOSTUNREACH

    world.run("alice", connect())


def test_no_route(world: World) -> None:
    world.loop("alice").host.install_routes([])

    async def connect() -> None:
        with pytest.raises(OSError, match="Connect call failed") as caught:
            await world.loop("alice").create_connection(Recorder, "web", 80)
        assert caught.value.errno == errno.ENETUNREACH

    world.run("alice", connect())


def silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut web off, and have the router keep it to itself."""
    world.network.set_link("web", "eth0", False)
    monkeypatch.setattr(world.loop("r1").host.icmp, "send_error", lambda *_, **__: None)


def test_nobody_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    silence(world, monkeypatch)

    async def connect() -> None:
        with pytest.raises(TimeoutError) as caught:
            await world.loop("alice").create_connection(Recorder, "web", 80)
        assert caught.value.errno == errno.ETIMEDOUT

    world.run("alice", connect())
    assert world.now / 1e9 == pytest.approx(131)  # as on Linux: 4 + 1 + 2 + 4 + ... + 64 s


def test_unknown_name(world: World) -> None:
    async def connect() -> None:
        with pytest.raises(socket.gaierror, match="Name or service not known"):
            await world.loop("alice").create_connection(Recorder, "wbe", 80)

    world.run("alice", connect())


def test_a_time_limit_gives_up_the_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence(world, monkeypatch)
    alice = world.loop("alice")

    async def connect() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await alice.create_connection(Recorder, "web", 80)

    world.run("alice", connect())
    assert world.now == 500 * MILLISECOND
    assert alice.host.tcp.connections() == []


def test_cancelled_while_the_answer_is_on_its_way(world: World) -> None:
    """The answer to the SYN meets nobody: a RST tells the server, which never accepts."""
    world.run("web", listen(world.loop("web"), Recorder, 80))
    alice, web = world.loop("alice"), world.loop("web")

    async def connect() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.003):
                await alice.create_connection(Recorder, "web", 80)
        await asyncio.sleep(0.1)

    world.run("alice", connect())
    assert alice.host.tcp.counters.resets_out == 1
    assert web.host.tcp.connections() == []


def test_own_addresses(world: World) -> None:
    alice = world.loop("alice")
    made = world.run("web", listen(world.loop("web"), Recorder))

    async def connect() -> None:
        transport, _ = await alice.create_connection(
            Recorder, "web", 80, local_addr=("alice", 4000)
        )
        await asyncio.sleep(0.01)
        assert made[0].transport.get_extra_info("peername")[1] == 4000
        with pytest.raises(OSError, match=r"\('10\.9\.9\.9', 0\)") as caught:
            await alice.create_connection(Recorder, "web", 80, local_addr=("10.9.9.9", 0))
        assert caught.value.errno == errno.EADDRNOTAVAIL
        with pytest.raises(OSError, match="Connect call failed") as caught:
            await alice.create_connection(Recorder, "web", 80, local_addr=("alice", 4000))
        assert caught.value.errno == errno.EADDRINUSE
        transport.close()

    world.run("alice", connect())


def test_a_computer_talks_to_itself(world: World) -> None:
    alice = world.loop("alice")

    async def connect() -> None:
        made = await listen(alice, Recorder)
        for name in ("localhost", "alice", "127.0.0.1", None):
            transport, _ = await alice.create_connection(Recorder, name, 80)
            transport.write(b"hello")
            transport.close()
            await asyncio.sleep(0)
            assert await made[-1].receive(5) == b"hello"
            assert await made[-1].lost is None

    world.run("alice", connect())
    assert world.network.port("alice", "eth0").egress.counters.sent == 0


def test_a_factory_that_fails_leaves_no_connection(world: World) -> None:
    world.run("web", listen(world.loop("web"), Recorder))
    alice = world.loop("alice")

    def factory() -> Recorder:
        raise ArithmeticError("no protocol today")

    async def connect() -> None:
        with pytest.raises(ArithmeticError):
            await alice.create_connection(factory, "web", 80)

    world.run("alice", connect())
    assert alice.host.tcp.connections() == []


def test_arguments_that_make_no_sense(world: World) -> None:
    alice = world.loop("alice")

    async def connect() -> None:
        with pytest.raises(ValueError, match="server_hostname is only meaningful with ssl"):
            await alice.create_connection(Recorder, "web", 80, server_hostname="web")
        with pytest.raises(ValueError, match="ssl_handshake_timeout is only meaningful"):
            await alice.create_connection(Recorder, "web", 80, ssl_handshake_timeout=1)
        with pytest.raises(ValueError, match="no sock specified"):
            await alice.create_connection(Recorder)
        with pytest.raises(TypeError):
            await alice.create_connection(Recorder, "web", 80, sll=True)  # type: ignore[call-arg]
        with pytest.raises(ExceptionGroup) as caught:
            await alice.create_connection(Recorder, "web", 81, all_errors=True)
        assert isinstance(caught.value.exceptions[0], ConnectionRefusedError)

    world.run("alice", connect())


def test_a_connection_closed_at_once_ends_everywhere(world: World) -> None:
    made = world.run("web", listen(world.loop("web"), Recorder))

    async def connect() -> None:
        transport, _ = await world.loop("alice").create_connection(Recorder, "web", 80)
        transport.close()
        await asyncio.sleep(0.1)
        assert made[0].happened == ["made", "eof", "lost"]
        states = [view.state for view in world.loop("alice").host.tcp.connections()]
        assert states == [State.TIME_WAIT]
        await asyncio.sleep(61)
        assert world.loop("alice").host.tcp.connections() == []

    world.run("alice", connect())
