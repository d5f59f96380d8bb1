"""The event loop of a node with a protocol stack, in real time."""

from __future__ import annotations

import asyncio

from netsim.aio.loop import HostLoopMixin
from netsim.realtime.engine import Engine
from netsim.realtime.selector import NodeSelector


class NodeLoop(HostLoopMixin, asyncio.SelectorEventLoop):
    """Programs on it have the node's network; the node itself runs inside the selector."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dispatching = False
        super().__init__(NodeSelector(engine, self._has_news))

    def network_now(self) -> int:
        """Network time in ns for what programs do."""
        return self._engine.program_time()

    def transmit_now(self) -> None:
        """Send what was written at once."""
        self._engine.transmit_now()

    def _has_news(self) -> bool:
        if not self.host.ready:
            return False
        if not self._dispatching:
            self._dispatching = True
            self.call_soon(self._dispatch)
        return True

    def _dispatch(self) -> None:
        self._dispatching = False
        self.dispatch_ready()
