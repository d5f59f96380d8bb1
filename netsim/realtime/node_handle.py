"""What the supervisor holds of one node process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Literal

from netsim.realtime.channel import Channel
from netsim.site.backend import Output

State = Literal["starting", "running", "stopped", "dead"]


class NodeHandle:
    """One life of one node: its process, its channel, and the questions it has not answered."""

    def __init__(self, name: str, life: int = 0) -> None:
        self.name = name
        self.life = life
        """How often the node has started before."""
        self.pid: int | None = None
        self.ports: list[tuple[str, int]] = []
        """Where its `ports` really listen."""
        self.failure: str | None = None
        """Why it did not start."""
        self.exit_code: int | None = None
        """As `os.waitstatus_to_exitcode`: negative for a signal."""
        self.born = asyncio.Event()
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
        self.books = -1
        """Descriptor of the memory that its books are in, while it lives."""
        self._channel: Channel | None = None
        self._number = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._books: dict[int, asyncio.Future[Any]] = {}
        self._outputs: dict[int, Output] = {}

    def attach(
        self, sock: socket.socket, on_message: Callable[[NodeHandle, tuple[Any, ...]], None]
    ) -> None:
        """Open the channel; messages that answer nothing go to `on_message`."""

        def handle(message: tuple[Any, ...]) -> None:
            match message:
                case ("books", number, books):
                    answer = self._books.pop(number, None)
                    if answer is not None and not answer.done():
                        answer.set_result(books)
                case ("answer" | "exit", number, value):
                    self._outputs.pop(number, None)
                    answer = self._answers.pop(number, None)
                    if answer is not None and not answer.done():
                        answer.set_result(value)
                case ("output", number, stream, data):
                    if number in self._outputs:
                        self._outputs[number](stream, data)
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
        return self.born.is_set() and self.alive and not self.ended.is_set()

    @property
    def state(self) -> State:
        """What has become of it, as `inspect` shows it."""
        if self.ended.is_set() or self.gone.is_set():
            return "stopped" if self.stopped else "dead"
        return "running" if self.ready else "starting"

    def send(self, *message: Any, descriptors: Sequence[int] = ()) -> None:
        """Tell the node something; without effect when it is gone.

        `descriptors` go with it and are closed here.
        """
        if self._channel is not None:
            self._channel.send(message, descriptors)

    async def ask(self, verb: str, *arguments: Any, timeout: float | None) -> Any:
        """Send `(verb, number, *arguments)` and wait for the answer.

        TimeoutError when none comes within `timeout` seconds, ConnectionError when the node ends.
        """
        async with asyncio.timeout(timeout):
            return await self._question(verb, arguments)[1]

    def question(self, verb: str, *arguments: Any) -> asyncio.Future[Any]:
        """Send `(verb, number, *arguments)`; the answer to come. ConnectionError as in `ask`."""
        return self._question(verb, arguments)[1]

    async def call(self, call: bytes) -> Any:
        """Make a call at the node; its outcome, or ConnectionError when the node ends."""
        number, answer = self._question("call", (call,))
        try:
            return await answer
        except asyncio.CancelledError:
            self.send("cancel", number)
            raise

    async def execute(
        self, argv: list[str], cwd: str, json: bool, output: Output, interrupt: asyncio.Event
    ) -> int:
        """Run a tool at the node until it exits; ConnectionError when the node ends."""
        number, answer = self._question("exec", (argv, cwd, json))
        self._outputs[number] = output
        interrupting = asyncio.create_task(interrupt.wait())
        try:
            await asyncio.wait({answer, interrupting}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self.send("interrupt", number)
            return int(await answer)
        except asyncio.CancelledError:
            self.send("interrupt", number)
            raise
        finally:
            interrupting.cancel()
            # Nobody waits for it any more, should the node end without one.
            answer.cancel()
            self._outputs.pop(number, None)

    async def cut(self, number: int, timeout: float) -> Any:
        """Take part in cut `number` of the network; the node's books. Errors as in `ask`."""
        if not self.alive:
            raise ConnectionError(self._not_running())
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._books[number] = answer
        self.send("cut", number)
        async with asyncio.timeout(timeout):
            return await answer

    def close(self) -> None:
        """Close the channel; the node ends when it sees that."""
        if self._channel is not None:
            self._channel.close()
            self._channel_closed()

    def _question(self, verb: str, arguments: tuple[Any, ...]) -> tuple[int, asyncio.Future[Any]]:
        if not self.alive:
            raise ConnectionError(self._not_running())
        self._number += 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        self.send(verb, self._number, *arguments)
        return self._number, answer

    def _not_running(self) -> str:
        return f"{self.name} is not running; netsim node {self.name} start starts it"

    def _channel_closed(self) -> None:
        self.gone.set()
        for answer in (*self._answers.values(), *self._books.values()):
            if not answer.done():
                answer.set_exception(ConnectionError(f"{self.name} has ended"))
        self._answers.clear()
        self._books.clear()
