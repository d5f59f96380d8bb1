"""Connections to servers outside, which the supervisor makes for nodes in their empty network.

A node asks with `Dial`. The supervisor looks the name up, connects, and answers with the descriptor
of the connected socket, which is the node's from then on.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import socket
from typing import Final

from netsim.realtime.channel import Channel
from netsim.realtime.node_handle import NodeHandle
from netsim.site import messages

_AT_ONCE: Final = 256
"""Connections that are being made; others wait for their turn."""
_LONGEST: Final = 60.0
"""Seconds until a host that says nothing is given up, its turn included."""


class Dialler:
    """The supervisor's side."""

    def __init__(self) -> None:
        self._under_way: dict[NodeHandle, set[asyncio.Task[None]]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def dial(self, node: NodeHandle, message: messages.Dial) -> None:
        """Connect to a server, and tell the node."""
        task = asyncio.ensure_future(self._dial(node, message))
        tasks = self._under_way.setdefault(node, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def ended(self, node: NodeHandle) -> None:
        """Nobody waits for its connections any more."""
        for task in self._under_way.pop(node, ()):
            task.cancel()

    def close(self) -> None:
        """Give up all that are under way."""
        for node in list(self._under_way):
            self.ended(node)

    async def _dial(self, node: NodeHandle, message: messages.Dial) -> None:
        # It brings the protocol stack, which a supervisor does not carry before it is needed.
        from netsim.aio.outside import Outside

        try:
            async with asyncio.timeout(_LONGEST), self._turns:
                outside = Outside(asyncio.get_running_loop())
                sock = await outside.dial(message.host, message.port)
        except OSError as error:  # TimeoutError and gaierror, too
            number = error.errno or errno.ETIMEDOUT
            text = error.strerror or os.strerror(number)
            node.send(messages.Dialled(message.number, number, text))
        except UnicodeError as error:  # no resolver has to be asked for such a name
            node.send(messages.Dialled(message.number, socket.EAI_NONAME, str(error)))
        else:
            node.send(messages.Dialled(message.number), [sock.detach()])


class DialledSockets:
    """The node's side."""

    def __init__(self, node: str, channel: Channel) -> None:
        self._node = node
        self._channel = channel
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[socket.socket]] = {}

    async def dial(self, host: str, port: int) -> socket.socket:
        """A socket that is connected to a server outside; OSError."""
        number = next(self._numbers)
        answer: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._channel.send(messages.Dial(number, self._node, host, port))
            return await answer
        finally:
            del self._asked[number]

    def dialled(self, message: messages.Dialled) -> None:
        """The supervisor's answer has come."""
        answer = self._asked.get(message.number)
        if message.text is not None:
            if answer is not None and not answer.done():
                kind = socket.gaierror if message.error < 0 else OSError
                answer.set_exception(kind(message.error, message.text))
            return
        sock = socket.socket(fileno=self._channel.take_descriptor())
        if answer is None or answer.done():
            sock.close()
        else:
            answer.set_result(sock)
