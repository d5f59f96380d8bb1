"""Endpoints for ping and traceroute: answers, errors, and their times."""

from __future__ import annotations

import pytest
from plans import plan_of
from virtual_computers import World, world

from netsim.core.time import MILLISECOND
from netsim.stack.icmp_layer import EchoError, EchoReply
from netsim.stack.socket_errors import NoRouteError
from netsim.stack.udp_layer import UdpError
from netsim.wire import icmp

__all__ = ["world"]


def test_echo_replies_come_with_the_time_at_which_they_were_due(world: World) -> None:
    async def ping() -> None:
        endpoint = world.loop("alice").open_echo()
        # The first waits for neighbours to be found on both links, 2 ms each.
        for sequence, expected in ((1, 8), (2, 4), (3, 4)):
            sent = endpoint.send(world.plan.hosts["web"], sequence, b"payload")
            assert sent == world.now
            reply = await endpoint.receive()
            assert isinstance(reply, EchoReply)
            assert (reply.source, reply.sequence) == (world.plan.hosts["web"], sequence)
            assert (reply.data, reply.ttl) == (b"payload", 63)
            assert reply.now - sent == expected * MILLISECOND
        endpoint.close()

    world.run("alice", ping())


def test_echo_errors(world: World) -> None:
    alice = world.loop("alice")

    async def ping() -> None:
        endpoint, other = alice.open_echo(), alice.open_echo()
        assert endpoint.identifier != other.identifier
        endpoint.send(world.plan.hosts["web"], 7, b"", ttl=1)
        error = await endpoint.receive()
        assert isinstance(error, EchoError)
        assert (error.message.type, error.sequence) == (icmp.TIME_EXCEEDED, 7)
        assert error.source in {
            each.address for each in world.loop("r1").host.ip.interfaces[0].addresses
        }
        endpoint.close()
        # Answers that are late for a closed endpoint are not for the next one.
        assert alice.open_echo().identifier not in (endpoint.identifier, other.identifier)
        alice.host.install_routes([])
        with pytest.raises(NoRouteError):
            other.send(world.plan.hosts["web"], 1, b"")

    world.run("alice", ping())


def test_probes_find_the_routers_on_the_way() -> None:
    world = World(plan_of("alice r1 delay=1ms", "r1 r2 delay=1ms", "r2 web delay=1ms"))

    async def trace() -> list[tuple[int, int]]:
        endpoint = world.loop("alice").open_probe()
        seen = []
        for ttl in (1, 2, 3):
            sent = endpoint.send((world.plan.hosts["web"], 33434), b"probe", ttl=ttl)
            error = await endpoint.receive()
            assert isinstance(error, UdpError)
            assert error.destination == (world.plan.hosts["web"], 33434)
            assert error.now > sent
            seen.append((error.message.type, error.message.code))
        endpoint.close()
        return seen

    assert world.run("alice", trace()) == [
        (icmp.TIME_EXCEEDED, 0),
        (icmp.TIME_EXCEEDED, 0),
        (icmp.DESTINATION_UNREACHABLE, icmp.PORT_UNREACHABLE),
    ]
    world.close()
    assert world.problems == []
