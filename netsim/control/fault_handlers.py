"""The part of the control API that breaks and mends: links, partitions, nodes.

A change that has begun goes on when the client that asked for it leaves: half a restart is worse
than either.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

from aiohttp import web

from netsim.control.link_order import LinkOrder, read_order
from netsim.control.operations import LinkOperations, Operations
from netsim.control.requests import (
    body_of,
    connection_request,
    drop_request,
    partition_request,
)
from netsim.core.errors import NetsimError

_log = logging.getLogger(__name__)
T = TypeVar("T")

LINK_TIMEOUT: Final = 5.0
"""Seconds; a node that stands still (SIGSTOP) takes no change."""
CLOSE_TIMEOUT: Final = 1.0
_NODE_VERBS: Final = ("kill-program", "kill", "stop", "start", "restart", "pause", "resume")


class Faults:
    """Handlers for `network`, and the links that it keeps flapping."""

    def __init__(self, network: Operations) -> None:
        self._network = network
        self._changes: set[asyncio.Future[Any]] = set()
        self._one_by_one = asyncio.Lock()
        """Changes of links, of which each tells what it found and what it left."""
        self._flapping: dict[int, asyncio.Task[None]] = {}
        """By the index of the link."""

    def routes(self) -> list[web.RouteDef]:
        """What an application has to serve."""
        return [
            web.get("/v1/links", self._get_links),
            web.get("/v1/links/{a}/{b}", self._get_link),
            web.patch("/v1/links/{a}/{b}", self._patch_link),
            web.post("/v1/partition", self._post_partition),
            web.post("/v1/repair", self._post_repair),
            web.post("/v1/drop", self._post_drop),
            web.post("/v1/isolate", self._post_isolate),
            web.post("/v1/connections", self._post_connections),
            web.post(f"/v1/nodes/{{node}}/{{verb:{'|'.join(_NODE_VERBS)}}}", self._post_node),
        ]

    async def close(self) -> None:
        """Whatever still goes on ends."""
        going_on = [*self._changes, *self._flapping.values()]
        for task in going_on:
            task.cancel()
        if going_on:
            await asyncio.wait(going_on, timeout=CLOSE_TIMEOUT)

    # Links

    async def _get_links(self, request: web.Request) -> web.Response:
        return web.json_response([self.with_flaps(link) for link in self._network.links()])

    async def _get_link(self, request: web.Request) -> web.Response:
        link = self._link(request)
        return web.json_response({"link": self._facts(link), "now": self._directions(link)})

    async def _patch_link(self, request: web.Request) -> web.Response:
        order = read_order(await body_of(request))
        link = self._link(request)
        async with self._one_by_one:
            before = self._directions(link)
            if order.verb in ("down", "up", "reset", "flap"):
                await self._stop_flapping(link)
            if order.verb == "flap":
                self._start_flapping(link, order)
            else:
                await self._to_its_end(order.carry_out(link), LINK_TIMEOUT)
            after = self._directions(link)
        return web.json_response({"link": self._facts(link), "before": before, "after": after})

    def _start_flapping(self, link: LinkOperations, order: LinkOrder) -> None:
        flapping = asyncio.create_task(_flap(link, order))
        self._flapping[link.index] = flapping
        flapping.add_done_callback(lambda task: self._flapped(link.index, task))

    async def _stop_flapping(self, link: LinkOperations) -> None:
        flapping = self._flapping.get(link.index)
        if flapping is not None:
            flapping.cancel()
            # Its end is a change of the link, too; what was asked for now comes after it.
            await asyncio.wait([flapping], timeout=LINK_TIMEOUT)

    def _flapped(self, link: int, flapping: asyncio.Task[None]) -> None:
        if self._flapping.get(link) is flapping:
            del self._flapping[link]
        if not flapping.cancelled() and (error := flapping.exception()) is not None:
            _log.error("a link does not flap any more", exc_info=error)

    def _link(self, request: web.Request) -> LinkOperations:
        return self._network.link(request.match_info["a"], request.match_info["b"])

    def _facts(self, link: LinkOperations) -> dict[str, Any]:
        return self._network.links()[link.index]

    def _directions(self, link: LinkOperations) -> list[dict[str, Any]]:
        flaps = self._flaps(link.index)
        return [direction | flaps for direction in self._network.conditions_of(link.index)]

    def with_flaps(self, link: dict[str, Any]) -> dict[str, Any]:
        """What is known of a link, and whether it flaps."""
        return link | self._flaps(link["index"])

    def _flaps(self, link: int) -> dict[str, bool]:
        return {"flaps": link in self._flapping}

    # Partitions

    async def _post_partition(self, request: web.Request) -> web.Response:
        first, second = await partition_request(request)
        return await self._links_that_change(partial(self._network.partition, first, second))

    async def _post_repair(self, request: web.Request) -> web.Response:
        healed = self._network.traffic_faults()
        return await self._links_that_change(self._network.repair, healed=healed)

    async def _links_that_change(
        self, change: Callable[[], Awaitable[Any]], **more: Any
    ) -> web.Response:
        async with self._one_by_one:
            before = set(self._network.down_links())
            await self._to_its_end(change(), LINK_TIMEOUT)
            changed = before.symmetric_difference(self._network.down_links())
        links = self._network.links()
        return web.json_response({"links": [links[index] for index in sorted(changed)], **more})

    # Packets and connections

    async def _post_drop(self, request: web.Request) -> web.Response:
        words = await drop_request(request)
        ends = words.pop("source"), words.pop("destination")
        return await self._traffic(self._network.drop(*ends, **words))

    async def _post_isolate(self, request: web.Request) -> web.Response:
        return await self._traffic(self._network.isolate(*await partition_request(request)))

    async def _post_connections(self, request: web.Request) -> web.Response:
        order = await connection_request(request)
        connections = self._network.connections(order.to, order.port, source=order.source)
        return await self._traffic(order.carry_out(connections))

    async def _traffic(self, change: Awaitable[Any]) -> web.Response:
        await self._to_its_end(change, LINK_TIMEOUT)
        return web.json_response({"in_force": self._network.traffic_faults()})

    # Nodes

    async def _post_node(self, request: web.Request) -> web.Response:
        name, verb = request.match_info["node"], request.match_info["verb"]
        before = self._network.describe(name)
        change = {
            "kill": self._network.crash,
            "stop": self._network.stop_node,
            "start": self._network.start_node,
            "restart": self._network.restart_node,
            "kill-program": self._network.kill_program,
            "pause": self._network.pause,
            "resume": self._network.resume,
        }[verb]
        await self._to_its_end(change(name))
        return web.json_response(
            {"node": name, "before": before, "after": self._network.describe(name)}
        )

    async def _to_its_end(self, change: Awaitable[T], timeout: float | None = None) -> T:
        task = asyncio.ensure_future(change)
        self._changes.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.wait_for(asyncio.shield(task), timeout)
        except TimeoutError:
            raise NetsimError(
                "a node that has to do its part does not answer; netsim inspect shows which"
            ) from None
        except asyncio.CancelledError:
            if task.cancelled():
                raise NetsimError("the network is stopping") from None
            raise  # the client has gone

    def _ended(self, task: asyncio.Future[Any]) -> None:
        self._changes.discard(task)
        if not task.cancelled():
            task.exception()  # reported to whoever is still there


async def _flap(link: LinkOperations, order: LinkOrder) -> None:
    """Without `times`, until it is cancelled."""
    period, times = order.words["period"], order.words["times"]
    await link.flap(period=period, times=times or 1)
    while times is None:
        await link.flap(period=period, times=1)
