"""Waiting for tools that run at nodes: Ctrl-C, and nodes that stand still."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any, Final, Self

from netsim.cli.printing import say
from netsim.control.control_client import ControlClient, Execution
from netsim.core.errors import NetsimError

_PATIENCE: Final = 2.0
"""Seconds without any output after which it is worth asking whether the nodes are alive."""


class Waiting:
    """Around the reading of what an execution prints; `pending` are nodes that have not ended.

    Ctrl-C goes to the tools, which may still say their last words; a second one does not wait for
    them. Of nodes that are frozen (`kill -STOP`) is told, and after Ctrl-C nobody waits for them.
    """

    def __init__(
        self, client: ControlClient, execution: Execution, pending: Callable[[], Collection[str]]
    ) -> None:
        self._client = client
        self._execution = execution
        self._pending = pending
        self._frozen = threading.Event()
        self._silence = threading.Timer(_PATIENCE, self._explain_silence)
        self._silence.daemon = True
        self._before: Any = None
        self.interrupted = False

    def __enter__(self) -> Self:
        self._silence.start()
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        self._silence.cancel()
        signal.signal(signal.SIGINT, self._before)

    def heard(self) -> None:
        """Something was printed."""
        self._silence.cancel()
        self._frozen.clear()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # Nothing is raised: the output that is being read stays whole.
        self.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._frozen.is_set():
            raise KeyboardInterrupt
        self._execution.interrupt()
        threading.Thread(target=self._abandon_frozen, daemon=True).start()

    def _explain_silence(self) -> None:
        """Nothing comes: say so where nodes are frozen rather than waiting themselves."""
        frozen = self._frozen_nodes()
        if not frozen:
            return
        self._frozen.set()
        for node in frozen:
            say(
                f"netsim: {node['name']} does not respond, this waits for it; "
                f"kill -CONT {node['pid']} wakes it if it is stopped, Ctrl-C gives up",
                err=True,
            )

    def _abandon_frozen(self) -> None:
        """After Ctrl-C: they would say their last words only when somebody wakes them."""
        frozen = {node["name"] for node in self._frozen_nodes()}
        if frozen and frozen.issuperset(self._pending()):
            self._execution.abandon()

    def _frozen_nodes(self) -> list[dict[str, Any]]:
        pending = self._pending()
        try:
            if len(pending) == 1:
                nodes = [self._client.inspect_node(*pending)]
            else:
                nodes = self._client.inspect()["nodes"]
        except NetsimError:
            return []
        return [
            node for node in nodes if node["name"] in pending and node["state"] == "not responding"
        ]
