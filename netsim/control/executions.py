"""The part of the control API that runs tools at nodes, and interrupts them."""

from __future__ import annotations

import asyncio
import logging
from itertools import count
from typing import Any

from aiohttp import web

from netsim.control.exec_lines import Stream, encode_error, encode_exit, encode_output
from netsim.control.operations import Operations
from netsim.control.requests import exec_request
from netsim.core.errors import NetsimError, UnknownNameError
from netsim.site.backend import ToolRun

_log = logging.getLogger(__name__)


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
            web.post("/v1/exec/{id}/interrupt", self._post_interrupt),
        ]

    def close(self) -> None:
        """End all tools."""
        for interrupt in self._interrupts.values():
            interrupt.set()
        for execution in self._executions:
            execution.cancel()

    async def _post_exec(self, request: web.Request) -> web.StreamResponse:
        argv, cwd, as_json = await exec_request(request)
        number = str(next(self._ids))
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        interrupt = self._interrupts[number] = asyncio.Event()

        def output(stream: Stream, data: bytes) -> None:
            lines.put_nowait(encode_output(stream, data))

        execution = asyncio.create_task(
            self._network.exec(
                request.match_info["node"],
                ToolRun(
                    argv=tuple(argv),
                    cwd=cwd,
                    output=output,
                    taken=lines.join,
                    interrupt=interrupt,
                    json=as_json,
                ),
            )
        )
        self._executions.add(execution)

        def ended(task: asyncio.Task[int]) -> None:
            self._executions.discard(task)
            self._interrupts.pop(number, None)
            lines.put_nowait(_last_line(task))
            lines.put_nowait(None)

        execution.add_done_callback(ended)
        await asyncio.sleep(0)  # its first step: an unknown node is noticed there
        if execution.done() and isinstance(execution.exception(), UnknownNameError):
            raise UnknownNameError(str(execution.exception()))
        try:
            # At once: with the id a client can interrupt a tool that says nothing.
            response = web.StreamResponse(
                headers={"Content-Type": "application/x-ndjson", "Netsim-Exec": number}
            )
            await response.prepare(request)
            while (line := await lines.get()) is not None:
                try:
                    await response.write(line)
                finally:
                    lines.task_done()
            await response.write_eof()
            return response
        finally:
            # The client may have gone; the tool gets its Ctrl-C and ends in its own time.
            interrupt.set()
            if not execution.done():
                forgetting = asyncio.create_task(_forget(lines))
                self._executions.add(forgetting)
                forgetting.add_done_callback(self._executions.discard)

    async def _post_interrupt(self, request: web.Request) -> web.Response:
        interrupt = self._interrupts.get(request.match_info["id"])
        if interrupt is None:
            raise UnknownNameError("no tool with this id is running; it may have ended")
        interrupt.set()
        return web.json_response({})


async def _forget(lines: asyncio.Queue[bytes | None]) -> None:
    """Take what a tool prints and nobody reads any more, lest it wait for ever."""
    while await lines.get() is not None:
        lines.task_done()


def _last_line(execution: asyncio.Task[int]) -> bytes:
    if execution.cancelled():
        return encode_error("stopping", "the network is stopping")
    error = execution.exception()
    if error is None:
        return encode_exit(execution.result())
    if not isinstance(error, NetsimError):
        _log.error("a command failed", exc_info=error)
    return encode_error("failed", str(error) or type(error).__name__)
