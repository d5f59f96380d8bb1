"""The nodes of a network in virtual time: how they start, what runs on them, how they end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from netsim.core.errors import NetsimError, StartError
from netsim.core.garbage import without_collections
from netsim.core.link_attributes import LinkCondition
from netsim.core.process_end import how_it_ended
from netsim.interception.environment import Environment
from netsim.interception.working_directory import WorkingDirectory
from netsim.node.host_node import HostNode
from netsim.site.accounting import Accounting
from netsim.site.backend import Progress, Reports
from netsim.site.build import node_streams
from netsim.site.directories import Directories
from netsim.site.program_output import standard_streams
from netsim.site.programs import Programs, exit_code, exit_words, start_failure
from netsim.site.site import Site
from netsim.topology.plan import NetworkPlan
from netsim.virtual.computer import VirtualComputer
from netsim.virtual.computer_loop import ComputerLoop, DrawnLoop
from netsim.virtual.director_loop import DirectorLoop
from netsim.virtual.modules import ModulesBeside
from netsim.virtual.node_logs import NodeLogs

_CLOSING: Final = 1.0
"""Seconds of network time in which the peers of a machine that shuts down may acknowledge its
FINs."""


class VirtualFleet:
    """Does what `Backend` says of nodes that go and come."""

    def __init__(
        self,
        plan: NetworkPlan,
        site: Site,
        accounting: Accounting,
        director: DirectorLoop,
        reports: Reports,
    ) -> None:
        self._plan = plan
        self._site = site
        self._accounting = accounting
        self._director = director
        self._timeline = director.timeline
        self._reports = reports
        self.computers: dict[str, VirtualComputer] = {}
        self._boots: dict[str, int] = {}
        """How often nodes have started again."""
        self._runs: dict[str, int] = {}
        """How often the programs of nodes were killed, though these lived."""
        self._exit_codes: dict[str, int] = {}
        """With which programs have ended their nodes, by node; of the last boot that did."""
        self.modules = ModulesBeside(
            plan.file, director.timeline.interception.modules, plan.own_packages
        )
        self._environ = dict(os.environ)
        self._directories = Directories(plan.name, plan.seed, plan.file)
        self._started_in = [os.getcwd(), os.path.dirname(plan.file)] if plan.file else [os.getcwd()]
        self._settled: dict[str, int] = {}
        """Computers that have directories, and their boots that found them as they begin."""
        self._logs = NodeLogs(reports.logged)

    async def start(self, on_progress: Progress | None) -> None:
        self.modules.enter()
        self._logs.install()
        self._timeline.findings.note_order()
        total = len(self._plan.nodes)
        with without_collections():
            for ready, node in enumerate(self._plan.nodes, 1):
                await self._boot(node.name)
                if on_progress is not None:
                    on_progress(ready, total)
        await asyncio.gather(*map(self._start_run, list(self.computers)))

    async def _start_run(self, name: str) -> None:
        plan, computer = self._plan.node(name), self.computers.get(name)
        if computer is None or not (plan.run or plan.ready is not None):
            return
        try:
            await computer.start_run()
        except ConnectionError as error:
            # It has ended, and was reported like any end.
            if plan.ready is None:
                return
            code = self._exit_codes.get(name)
            how = "has crashed" if code is None else how_it_ended(code)
            raise StartError(f"{name}: {how}", logged_by=name) from error
        except NetsimError as error:
            raise StartError(f"{name}: {error}") from error

    async def stop(self, grace: float) -> None:
        try:
            with without_collections():
                await asyncio.gather(
                    *(computer.stop(grace) for computer in self.computers.values())
                )
        finally:
            self.computers.clear()
            self._site.close()
            self._logs.uninstall()
            self.modules.leave()
            self._directories.remove()

    def kill(self) -> None:
        for computer in self.computers.values():
            computer.crash()
        self.computers.clear()

    async def crash(self, node: str) -> None:
        if node in self._site.nodes:
            self._remove(node)
            self._reports.node_ended(node, "has crashed", None)

    async def kill_program(self, node: str) -> None:
        self.check_up(node)
        self.computers.pop(node).crash()
        host_node = self._close_sockets(node)
        assert host_node is not None, "programs run on nothing else"
        self._runs[node] = self._runs.get(node, 0) + 1
        self._new_computer(node, host_node)  # for tools, and for whoever is called
        if node in self._settled:
            self.settle(node)

    async def start_program(self, node: str) -> None:
        self.check_up(node)
        computer = self.computers[node]
        try:
            await computer.start_services()
        except Exception as error:
            raise StartError(f"{node}: {start_failure(error)}") from error
        await self._start_run(node)

    async def pause(self, node: str, paused: bool) -> None:
        self.check_up(node)
        self.computers[node].loop.pause(paused)

    async def stop_node(self, node: str, grace: float) -> None:
        if node in self.computers:
            await self.computers[node].stop(grace)
            self._close_sockets(node)
            await self._site.until_closed(node, _CLOSING)
        self._remove(node)

    async def start_node(
        self,
        node: str,
        conditions: Mapping[str, LinkCondition],
        connect: Callable[[], Awaitable[None]],
    ) -> None:
        self._boots[node] = self._boots.get(node, 0) + 1
        self._site.add(node, self._boots[node], conditions)
        try:
            await connect()
            await self._boot(node)
            await self._start_run(node)
        except BaseException:
            self._remove(node)
            raise

    async def _boot(self, name: str) -> None:
        """Have a node that is built run its programs."""
        node = self._site.nodes[name]
        if not isinstance(node, HostNode):
            return
        computer, plan = self._new_computer(name, node), self._plan.node(name)
        self._exit_codes.pop(name, None)
        try:
            if plan.services or plan.run or name in self._settled:
                self.settle(name)
            await computer.start_services()
        except Exception as error:
            raise StartError(f"{name}: {start_failure(error)}") from error

    def settle(self, name: str) -> None:
        """Programs run on a computer: it has directories; OSError, StartError where it cannot."""
        environment = self.computers[name].loop.environment
        if environment.directory is not None:
            return
        directory, boots = self._directories.of(name), self._boots.get(name, 0)
        if self._settled.get(name) != boots:
            directory.begin()
            self._settled[name] = boots
        environment.directory = WorkingDirectory(directory.working, self._started_in)
        environment.set_variables(directory.environ() | self._plan.node(name).env)

    def _new_computer(self, name: str, node: HostNode) -> VirtualComputer:
        """A loop for what runs on a node, on which nothing runs yet."""
        plan, timeline = self._plan, self._timeline
        node_plan = plan.node(name)
        stdout, stderr = standard_streams(
            lambda level, line: self._reports.logged(name, level, line)
        )
        environment = Environment(
            node_streams(plan, name, self._boots.get(name, 0)).below(
                f"programs/{runs}" if (runs := self._runs.get(name)) else "programs"
            ),
            {**self._environ, **node_plan.env},
            lambda: timeline.now,
            stdout,
            stderr,
            name=name,
        )
        environment.modules = self.modules.new()
        order = timeline.choices.order_of(
            name,
            node_plan.order,
            node_streams(plan, name, self._boots.get(name, 0)).stream("order"),
        )
        runs_on = timeline, node, self._site.drivers[name], environment, self._site.paths
        loop = ComputerLoop(*runs_on) if order is None else DrawnLoop(*runs_on, order)
        self._site.loops[name] = loop
        self._logs.loops.add(loop)
        loop.set_debug(self._director.get_debug())
        loop.on_error = lambda context: self._complain(loop, context)
        loop.on_exit = lambda error: self._exited(name, error)
        programs = self._site.programs[name] = Programs(
            node_plan, lambda text: self._reports.program_failed(name, text)
        )
        computer = self.computers[name] = VirtualComputer(loop, programs)
        return computer

    def _close_sockets(self, name: str) -> HostNode | None:
        """As a kernel does for a program that has ended; the node, where it has a stack."""
        node = self._site.nodes.get(name)
        if not isinstance(node, HostNode):
            return None
        node.host.close_sockets(self._timeline.now)
        self._site.drivers[name].flush(self._timeline.now)
        return node

    def _remove(self, name: str) -> None:
        computer = self.computers.pop(name, None)
        if computer is not None:
            computer.crash()
        if name in self._site.nodes:
            self._accounting.close(name, self._site.remove(name))

    def _exited(self, name: str, error: SystemExit) -> None:
        if words := exit_words(error):
            self._reports.logged(name, logging.WARNING, words)
        self._close_sockets(name)
        self._remove(name)
        code = exit_code(error)
        self._exit_codes[name] = code
        self._reports.node_ended(name, how_it_ended(code), code)

    def _complain(self, loop: ComputerLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), SystemExit):
            return  # it has ended the computer, and that was told
        with self._logs.speaking(loop):
            asyncio.BaseEventLoop.default_exception_handler(loop, context)

    def check_up(self, node: str) -> None:
        """ConnectionError when a node is down."""
        if node not in self._site.nodes:
            raise ConnectionError(f"{node} is not running")
