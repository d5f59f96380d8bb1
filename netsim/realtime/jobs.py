"""What runs on a node because the supervisor said so: tools, and calls of functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from netsim.realtime.channel import Channel
from netsim.site import messages
from netsim.site.backend import ToolRun
from netsim.site.calls import failure, run_call
from netsim.site.messages import Stream
from netsim.site.site import Site

_UNTAKEN: Final = 256 * 1024
"""Bytes that a tool may print before it waits for who reads."""

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Runs a coroutine on the loop of the process."""


class Jobs:
    """Those of one site, by the number of the question that each answers at its end."""

    def __init__(self, site: Site, channel: Channel, spawn: Spawn) -> None:
        self._site = site
        self._channel = channel
        self._spawn = spawn
        self._tools: dict[int, asyncio.Event] = {}
        """What interrupts each."""
        self._untaken: dict[int, asyncio.Event] = {}
        """Of tools that wait until what they have printed is taken."""
        self._calls: dict[int, asyncio.Task[None]] = {}

    def run_tool(self, message: messages.RunTool) -> None:
        """Run a tool: its output and its exit code go to the supervisor."""
        # Made here: an interrupt may follow at once, before the tool has begun.
        interrupt = self._tools[message.number] = asyncio.Event()
        self._spawn(self._run_tool(message, interrupt))

    def output_taken(self, message: messages.OutputTaken) -> None:
        """Somebody has read what a tool has printed: it may go on."""
        if message.number in self._untaken:
            self._untaken.pop(message.number).set()

    def interrupt(self, message: messages.Interrupt) -> None:
        """As Control-C, for a tool."""
        if message.number in self._tools:
            self._tools[message.number].set()

    def call(self, message: messages.Call) -> None:
        """Call a function: its outcome goes to the supervisor."""
        self._calls[message.number] = self._spawn(self._call(message))

    def cancel_call(self, message: messages.CancelCall) -> None:
        """Nobody waits for its outcome any more."""
        if message.number in self._calls:
            self._calls[message.number].cancel()

    def kill(self, node: str) -> None:
        """End all of them: who waits for a call is told that it was killed."""
        for number, task in self._calls.items():
            task.cancel()
            killed = failure(ConnectionError(f"what ran on {node} was killed"))
            self._channel.send(messages.Answer(number, killed))
        for interrupt in self._tools.values():
            interrupt.set()

    async def _call(self, message: messages.Call) -> None:
        try:
            outcome = await run_call(message.call)
            self._channel.send(messages.Answer(message.number, outcome))
        finally:
            del self._calls[message.number]

    async def _run_tool(self, message: messages.RunTool, interrupt: asyncio.Event) -> None:
        number = message.number
        printed = 0

        def output(stream: Stream, data: bytes) -> None:
            nonlocal printed
            printed += len(data)
            self._channel.send(messages.Output(number, stream, data))

        async def drain() -> None:
            nonlocal printed
            await self._channel.drain()
            if printed > _UNTAKEN:
                printed = 0
                taken = self._untaken[number] = asyncio.Event()
                self._channel.send(messages.AskTaken(number))
                await taken.wait()

        code = 1
        try:
            code = await self._site.run_tool(
                message.node,
                ToolRun(
                    argv=message.argv,
                    cwd=message.cwd,
                    output=output,
                    interrupt=interrupt,
                    json=message.json,
                ),
                drain=drain,
                wall_clock=time.monotonic_ns,
            )
        finally:
            del self._tools[number]
            self._untaken.pop(number, None)
            self._channel.send(messages.Exited(number, code))
