"""What the supervisor holds of one node's process."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from netsim.core.errors import NotRespondingError, not_responding
from netsim.core.process_end import how_it_ended
from netsim.observe.pcapng import CaptureTarget
from netsim.realtime.channel import Channel
from netsim.site import messages
from netsim.site.accounting import NodeCounters
from netsim.site.backend import ToolRun

ANSWER_TIMEOUT: Final = 2.0
"""Seconds after which a node that does not answer is reported as not responding."""


class NodeHandle:
    """One boot of one node: its process, its channel, and the questions it has not answered."""

    def __init__(self, name: str, boots: int = 0) -> None:
        self.name = name
        self.boots = boots
        """How often the node has started before."""
        self.pid: int | None = None
        self.ports: list[tuple[str, int]] = []
        """Where its `ports` really listen."""
        self.captures: list[CaptureTarget] = []
        self.failure: str | None = None
        """Why it did not start."""
        self.exit_code: int | None = None
        """As `os.waitstatus_to_exitcode`: negative for a signal."""
        self.booted = asyncio.Event()
        """It can be talked to, and wires can be attached."""
        self.ready = False
        """It has said that it is up and its services listen."""
        self.ended = asyncio.Event()
        """The process is gone and reaped."""
        self.gone = asyncio.Event()
        """The channel has ended: the process can do nothing any more."""
        self.answered = asyncio.Event()
        """It is ready, has failed, or has ended."""
        self.stopped = False
        """It was told to shut down."""
        self.killed = False
        """Its power was cut on purpose."""
        self.counters = -1
        """Descriptor of the memory that its counters are in, until it has ended."""
        self._channel: Channel | None = None
        self._number = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._cuts: dict[int, asyncio.Future[dict[str, NodeCounters]]] = {}
        self._runs: dict[int, ToolRun] = {}
        """Tools that run here."""
        self._waiting: set[asyncio.Task[None]] = set()
        """Until what tools have printed is taken."""

    def attach(self, sock: socket.socket, on_message: Callable[[NodeHandle, Any], None]) -> None:
        """Open the channel; messages that answer nothing go to `on_message`."""

        def handle(message: Any) -> None:
            match message:
                case messages.CutDone(number, counters):
                    _resolve(self._cuts.get(number), counters)
                case messages.Answer(number, value) | messages.Exited(number, value):
                    self._runs.pop(number, None)
                    _resolve(self._answers.get(number), value)
                case messages.Output(number, stream, data):
                    if number in self._runs:
                        self._runs[number].output(stream, data)
                case messages.AskTaken(number):
                    task = asyncio.create_task(self._tell_taken(number))
                    self._waiting.add(task)
                    task.add_done_callback(self._waiting.discard)
                case _:
                    on_message(self, message)

        self._channel = Channel(sock, asyncio.get_running_loop(), handle, self._channel_closed)

    @property
    def alive(self) -> bool:
        """Whether the process can be talked to."""
        return self._channel is not None and not self._channel.closed

    @property
    def up(self) -> bool:
        """Whether it is a node of the running network; its services may not listen yet."""
        return self.booted.is_set() and self.alive and not self.ended.is_set()

    @property
    def how_it_ended(self) -> str:
        """For a person to read; it has `ended`."""
        if self.exit_code is None:
            return "ended with the zygote"
        return how_it_ended(self.exit_code)

    def send(self, message: Any, descriptors: Sequence[int] = ()) -> None:
        """Tell the node something; without effect when it is gone.

        `descriptors` go with it and are closed here.
        """
        if self._channel is not None:
            self._channel.send(message, descriptors)

    def next_number(self) -> int:
        """For a question."""
        self._number += 1
        return self._number

    def question(self, message: Any) -> asyncio.Future[Any]:
        """Send a question; the answer to come. ConnectionError as in `ask`.

        The answer is NotRespondingError when so much waits there that the node must be stopped.
        """
        self._check_alive()
        number = message.number
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._channel is not None and self._channel.full:
            answer.set_exception(NotRespondingError(not_responding(self.name, self.pid)))
            return answer
        self._answers[number] = answer
        # Who has waited long enough cancels it, and what comes later is for nobody.
        answer.add_done_callback(lambda _: self._answers.pop(number, None))
        self.send(message)
        return answer

    async def ask(self, message: Any, timeout: float | None) -> Any:
        """Send a question and wait for its answer.

        TimeoutError when none comes within `timeout` seconds, ConnectionError when the node ends.
        """
        async with asyncio.timeout(timeout):
            return await self.question(message)

    async def order(self, message: Any, timeout: float | None = None) -> Any:
        """As `ask`, for what a person waits for: NotRespondingError says what can be done."""
        try:
            return await self.ask(message, ANSWER_TIMEOUT if timeout is None else timeout)
        except TimeoutError:
            raise NotRespondingError(not_responding(self.name, self.pid)) from None

    async def call(self, call: bytes) -> Any:
        """Make a call at the node; its outcome, or ConnectionError when the node ends."""
        number = self.next_number()
        try:
            return await self.question(messages.Call(number, self.name, call))
        except asyncio.CancelledError:
            self.send(messages.CancelCall(number))
            raise

    async def run_tool(self, run: ToolRun) -> int:
        """Run a tool at the node until it exits; ConnectionError when the node ends."""
        number = self.next_number()
        answer = self.question(messages.RunTool(number, self.name, run.argv, run.cwd, run.json))
        self._runs[number] = run
        interrupting = asyncio.create_task(run.interrupt.wait())
        try:
            await asyncio.wait({answer, interrupting}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self.send(messages.Interrupt(number))
            return int(await answer)
        except asyncio.CancelledError:
            self.send(messages.Interrupt(number))
            raise
        finally:
            interrupting.cancel()
            # Nobody waits for it any more, should the node end without one.
            answer.cancel()
            self._runs.pop(number, None)

    async def _tell_taken(self, number: int) -> None:
        if number in self._runs:
            await self._runs[number].taken()
        self.send(messages.OutputTaken(number))

    async def cut(self, number: int, timeout: float) -> dict[str, NodeCounters]:
        """Take part in cut `number` of the network; counters by node. Errors as in `ask`."""
        self._check_alive()
        answer: asyncio.Future[dict[str, NodeCounters]]
        answer = self._cuts[number] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda _: self._cuts.pop(number, None))
        self.send(messages.Cut(number))
        async with asyncio.timeout(timeout):
            return await answer

    def close(self) -> None:
        """Close the channel; the node ends when it sees that."""
        if self._channel is not None:
            self._channel.close()
            self._channel_closed()

    def close_counters(self) -> None:
        """Give back the memory of its counters, once they are read."""
        if self.counters >= 0:
            os.close(self.counters)
            self.counters = -1

    def _check_alive(self) -> None:
        if not self.alive:
            raise ConnectionError(
                f"{self.name} is not running; netsim node {self.name} start starts it"
            )

    def _channel_closed(self) -> None:
        self.gone.set()
        for answer in (*self._answers.values(), *self._cuts.values()):
            if not answer.done():
                answer.set_exception(ConnectionError(f"{self.name} has ended"))
        for task in self._waiting:
            task.cancel()


def _resolve(answer: asyncio.Future[Any] | None, value: Any) -> None:
    if answer is not None and not answer.done():
        answer.set_result(value)
