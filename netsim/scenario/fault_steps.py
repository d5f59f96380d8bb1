"""Breaking and mending: the steps that change a network, and faults at set times."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from netsim.core.time import SECOND
from netsim.core.units import format_duration
from netsim.network.link_view import find_link
from netsim.scenario.recording import Recording
from netsim.scenario.scenario_model import LINK_KINDS, Step
from netsim.scenario.scenario_model import PlannedFault as PlannedFault
from netsim.scenario.step_text import endpoint_text

if TYPE_CHECKING:
    from netsim.network.faults import Fault
    from netsim.network.network import Network


class Faults:
    """Applies faults to a network and notes what is broken from when to when."""

    def __init__(self, network: Network, recording: Recording) -> None:
        self._network = network
        self._recording = recording
        self._links: dict[int, str] = {}
        """What a link was called first, by its index: its ends may be named in other ways later."""
        self._verbs: Final[dict[str, Callable[[Any, Step], Awaitable[None]]]] = {
            "down": self._link_fault,
            "up": self._link_fault,
            "hold": self._link_fault,
            "release": self._link_fault,
            "reset": self._link_fault,
            "flap": self._flap,
            "set": self._set,
            "partition": self._partition,
            "drop": self._drop,
            "isolate": self._isolate,
            "reset_connections": self._connections,
            "cut_connections": self._connections,
            "stall_connections": self._connections,
            "slow_close": self._connections,
            "refuse_connections": self._connections,
            "repair": self._repair,
            "crash": self._node_fault,
            "stop": self._node_fault,
            "start": self._node_fault,
            "restart": self._node_fault,
            "kill_program": self._node_fault,
            "pause": self._node_fault,
            "resume": self._node_fault,
        }

    def knows(self, verb: str) -> bool:
        """Whether a step with this verb is a fault, or mends one."""
        return verb in self._verbs

    async def apply(self, step: Step) -> None:
        """Do the step; done when it is in force. Errors of `Network` are raised."""
        await self._verbs[step.verb](step.words, step)

    async def keep_to(self, plan: tuple[PlannedFault, ...], first_in_force: asyncio.Event) -> None:
        """Let planned faults come and go, times counted from now.

        `first_in_force` is set when those are in force that come at 0 s.
        """
        start = self._network.now()
        coming = {fault for fault in plan if fault.at_ns == 0}
        if not coming:
            first_in_force.set()

        def come(fault: PlannedFault) -> None:
            coming.discard(fault)
            if not coming:
                first_in_force.set()

        await asyncio.gather(*(self._come_and_go(fault, start, come) for fault in plan))

    async def _come_and_go(
        self, fault: PlannedFault, start: int, come: Callable[[PlannedFault], None]
    ) -> None:
        await asyncio.sleep((start + fault.at_ns - self._network.now()) / SECOND)
        if fault.kind in LINK_KINDS:
            # Who is held may be held by a step, too: plain words, the later of which counts.
            a, b = fault.subject
            await self._change_link(fault.kind, a, b)
            come(fault)
            await asyncio.sleep(fault.lasting_ns / SECOND)
            await self._change_link("up" if fault.kind == "down" else "release", a, b)
            return
        began = self._network.now()
        async with contextlib.AsyncExitStack() as until_healed:
            try:
                await until_healed.enter_async_context(self._planned(fault))
            except ConnectionError as error:  # it is down: a step, or another fault, was faster
                self._recording.notices.append(f"{fault}: {error}")
                return
            finally:
                come(fault)
            self._recording.fault_began(fault.kind, fault.place, began)
            await asyncio.sleep(fault.lasting_ns / SECOND)
        self._recording.fault_ended((fault.kind,), fault.place, self._network.now())

    def _planned(self, fault: PlannedFault) -> Fault:
        """The operation that does it, and undoes it at the end of an `async with`."""
        options = dict(fault.options)
        network = self._network
        first, *rest = fault.subject
        match fault.kind:
            case "drop":
                return network.drop(first, rest[0], **options)
            case "isolate":
                return network.isolate(first.split(", "), rest[0].split(", "))
            case "crash" | "kill_program" | "pause":
                operation: Fault = getattr(network[first], fault.kind)()
                return operation
        to = network.connections(first, int(rest[0]), source=options.get("from"))
        match fault.kind:
            case "reset_connections":
                return to.reset(options.get("after"))
            case "cut_connections":
                return to.cut(options["after"])
            case "stall_connections":
                return to.stall()
            case "slow_close":
                return to.slow_close(format_duration(options["delay"]))
        return to.refuse(options.get("first"))

    # Links

    async def _link_fault(self, words: Any, step: Step) -> None:
        await self._change_link(step.verb, *map(endpoint_text, words.link))

    async def _change_link(self, verb: str, a: str, b: str) -> None:
        await getattr(self._network.link(a, b), verb)()
        subject = self._link_name(a, b)
        if verb in _ENDS:
            self._recording.fault_ended(_ENDS[verb], subject, self._network.now())
        else:
            self._recording.fault_began(verb, subject, self._network.now())

    def _link_name(self, a: str, b: str) -> str:
        return self._links.setdefault(find_link(self._network.plan, a, b), f"{a} – {b}")

    async def _flap(self, words: Any, step: Step) -> None:
        a, b = map(endpoint_text, words.link)
        subject = self._link_name(a, b)
        self._recording.fault_began("flap", subject, self._network.now())
        link = self._network.link(a, b)
        await link.flap(period=format_duration(words.period), times=words.times or 1)
        self._recording.fault_ended(("flap",), subject, self._network.now())

    async def _set(self, words: Any, step: Step) -> None:
        a, b = map(endpoint_text, words.link)
        changes = {key: value for key, value in step.written.items() if key not in _NOT_SET}
        await self._network.link(a, b).set(**changes, from_=words.from_)
        subject = self._link_name(a, b)
        shown = ", ".join(f"{key} {value}" for key, value in changes.items())
        now = self._network.now()
        self._recording.fault_ended(("set",), f"{subject}: {shown}", now)
        self._recording.fault_began("set", f"{subject}: {shown}", now)

    async def _partition(self, words: Any, step: Step) -> None:
        first, second = words.between
        await self._network.partition(list(first), list(second))
        subject = f"{', '.join(first)} | {', '.join(second)}"
        self._recording.fault_began("partition", subject, self._network.now())

    async def _repair(self, words: Any, step: Step) -> None:
        await self._network.repair()
        self._recording.fault_ended(_REPAIRED, None, self._network.now())

    # Packets and connections

    async def _drop(self, words: Any, step: Step) -> None:
        await self._network.drop(
            words.from_,
            words.to,
            both_ways=bool(words.both_ways),
            protocol=words.protocol,
            port=words.port,
        )
        self._began(step)

    async def _isolate(self, words: Any, step: Step) -> None:
        first, second = words.between
        await self._network.isolate(list(first), list(second))
        self._began(step)

    async def _connections(self, words: Any, step: Step) -> None:
        connections = self._network.connections(words.to, words.port, source=words.from_)
        match step.verb:
            case "reset_connections":
                await connections.reset(words.after)
            case "cut_connections":
                await connections.cut(words.after)
            case "stall_connections":
                await connections.stall()
            case "slow_close":
                await connections.slow_close(format_duration(words.delay))
            case "refuse_connections":
                await connections.refuse(words.first)
        self._began(step)
        if step.verb == "reset_connections" and words.after is None:
            self._recording.fault_ended((step.verb,), _subject(step), self._network.now())

    def _began(self, step: Step) -> None:
        self._recording.fault_began(step.verb, _subject(step), self._network.now())

    # Nodes

    async def _node_fault(self, words: Any, step: Step) -> None:
        await self._change_node(step.verb, words.node)

    async def _change_node(self, verb: str, node: str) -> None:
        began = self._network.now()
        await getattr(self._network[node], verb)()
        if verb in _ENDS:
            self._recording.fault_ended(_ENDS[verb], node, self._network.now())
        else:
            self._recording.fault_began(verb, node, began)


_ENDS: Final = {
    "up": ("down",),
    "release": ("hold",),
    "reset": ("down", "hold", "set"),
    "start": ("crash", "stop"),
    "restart": ("crash", "stop", "kill_program", "pause"),
    "resume": ("pause",),
}
"""What is over after these."""
_REPAIRED: Final = (
    "partition",
    "drop",
    "isolate",
    "reset_connections",
    "cut_connections",
    "stall_connections",
    "slow_close",
    "refuse_connections",
)
_NOT_SET: Final = ("link", "from")


def _subject(step: Step) -> str:
    return step.text.removeprefix(step.verb).strip()
