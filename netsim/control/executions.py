"""The part of the control API that runs tools at nodes, and interrupts them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from itertools import count
from typing import Any, Final

from aiohttp import web

from netsim.control.exec_lines import Stream, encode_error, encode_exit, encode_output
from netsim.control.operations import Operations
from netsim.control.requests import ExecOrder, exec_at_many_request, exec_request
from netsim.core.errors import NetsimError, UnknownNameError
from netsim.site.backend import ToolRun

_log = logging.getLogger(__name__)
FAILED: Final = 1
"""Exit code of a tool that could not be carried to its end."""


class Executions:
    """Handlers for `network`, and the tools that run."""

    def __init__(self, network: Operations) -> None:
        self._network = network
        self._ids = count(1)
        self._interrupts: dict[str, asyncio.Event] = {}
        """Of the tools that run, by their id."""
        self._executions: set[asyncio.Task[Any]] = set()

    def routes(self) -> list[web.RouteDef]:
        """What an application has to serve."""
        return [
            web.post("/v1/nodes/{node}/exec", self._post_exec),
            web.post("/v1/exec", self._post_exec_at_many),
            web.post("/v1/exec/{id}/interrupt", self._post_interrupt),
        ]

    def close(self) -> None:
        """End all tools."""
        for interrupt in self._interrupts.values():
            interrupt.set()
        for execution in self._executions:
            execution.cancel()

    async def _post_exec(self, request: web.Request) -> web.StreamResponse:
        order = await exec_request(request)
        return await self._run(request, order, {request.match_info["node"]: None})

    async def _post_exec_at_many(self, request: web.Request) -> web.StreamResponse:
        order, written, kind = await exec_at_many_request(request)
        nodes = self._network.nodes_for(order.argv[0], written, kind)
        return await self._run(request, order, {node: node for node in nodes})

    async def _run(
        self, request: web.Request, order: ExecOrder, nodes: dict[str, str | None]
    ) -> web.StreamResponse:
        """Run it at nodes, each with what its lines call it; one id interrupts all."""
        number = str(next(self._ids))
        watch = self._network.timing_watches.begin()

        def all_ended() -> str:
            self._interrupts.pop(number, None)
            return self._network.timing_watches.end(watch).text

        execution = _Execution(nodes, all_ended)
        self._interrupts[number] = execution.interrupt
        execution.start(order, self._network.exec)
        for task in execution.running:
            self._executions.add(task)
            task.add_done_callback(self._executions.discard)
        first = next(iter(execution.running))
        await asyncio.sleep(0)  # its first step: an unknown node is noticed there
        if first.done() and isinstance(first.exception(), UnknownNameError):
            raise UnknownNameError(str(first.exception()))
        try:
            # At once: with the id a client can interrupt a tool that says nothing.
            response = web.StreamResponse(
                headers={"Content-Type": "application/x-ndjson", "Netsim-Exec": number}
            )
            await response.prepare(request)
            while (line := await execution.lines.get()) is not None:
                try:
                    await response.write(line)
                finally:
                    execution.lines.task_done()
            await response.write_eof()
            return response
        finally:
            # The client may have gone; the tools get their Ctrl-C and end in their own time.
            execution.interrupt.set()
            if execution.running:
                forgetting = asyncio.create_task(_forget(execution.lines))
                self._executions.add(forgetting)
                forgetting.add_done_callback(self._executions.discard)

    async def _post_interrupt(self, request: web.Request) -> web.Response:
        interrupt = self._interrupts.get(request.match_info["id"])
        if interrupt is None:
            raise UnknownNameError("no tool with this id is running; it may have ended")
        interrupt.set()
        return web.json_response({})


class _Execution:
    """A tool at some nodes, and the lines by which its client is told of it."""

    def __init__(self, nodes: Mapping[str, str | None], all_ended: Callable[[], str]) -> None:
        self.interrupt = asyncio.Event()
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        """None behind the last."""
        self.running: set[asyncio.Task[int]] = set()
        self._nodes = nodes
        """What lines call each; None where there is but one."""
        self._are_many = None not in nodes.values()
        self._all_ended = all_ended
        """Returns what there is to say of the machine's time."""
        self._codes: list[int] = []

    def start(
        self, order: ExecOrder, execute: Callable[[str, ToolRun], Coroutine[Any, Any, int]]
    ) -> None:
        """Run it at all of them."""
        if self._are_many:
            self.lines.put_nowait(json.dumps({"nodes": list(self._nodes)}).encode() + b"\n")
        for node, shown in self._nodes.items():
            tool = ToolRun(
                argv=order.argv,
                cwd=order.cwd,
                output=partial(self._put, shown),
                taken=self.lines.join,
                interrupt=self.interrupt,
                json=order.json,
            )
            task = asyncio.create_task(execute(node, tool))
            self.running.add(task)
            task.add_done_callback(partial(self._ended, shown))

    def _put(self, shown: str | None, stream: Stream, data: bytes) -> None:
        self.lines.put_nowait(encode_output(stream, data, shown))

    def _ended(self, shown: str | None, task: asyncio.Task[int]) -> None:
        self.running.discard(task)
        if not self.running and (text := self._all_ended()):
            # What was measured may be the machine's time.
            self._put(None, "stderr", f"netsim: {text}\n".encode())
        if not task.cancelled():
            self._codes.append(FAILED if task.exception() is not None else task.result())
            self.lines.put_nowait(_end_of(task, shown))
        if not self.running:
            if len(self._codes) < len(self._nodes):
                self.lines.put_nowait(encode_error("stopping", "the network is stopping"))
            elif self._are_many:
                self.lines.put_nowait(encode_exit(max(self._codes)))
            self.lines.put_nowait(None)


async def _forget(lines: asyncio.Queue[bytes | None]) -> None:
    """Take what a tool prints and nobody reads any more, lest it wait for ever."""
    while await lines.get() is not None:
        lines.task_done()


def _end_of(execution: asyncio.Task[int], shown: str | None) -> bytes:
    error = execution.exception()
    if error is None:
        return encode_exit(execution.result(), shown)
    if not isinstance(error, NetsimError):
        _log.error("a command failed", exc_info=error)
    return encode_error("failed", str(error) or type(error).__name__, shown)
