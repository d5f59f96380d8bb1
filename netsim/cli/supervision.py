"""What a supervisor does, from a topology file to the last process gone.

The same in the foreground and detached; who watches (`Watcher`) differs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from netsim.cli.outcome import FAILED, FINE, INTERRUPTED
from netsim.control.state_directory import NameTakenError, StateDirectory
from netsim.core.errors import InvalidFileError
from netsim.core.os_words import in_words
from netsim.realtime.process_tree import family
from netsim.realtime.zygote import Zygote
from netsim.site.private_files import StateError

if TYPE_CHECKING:
    from netsim.control.control_server import ControlServer
    from netsim.control.tcp_door import TcpDoor
    from netsim.network.network import Network
    from netsim.realtime.launcher import StartMethod

_LOOK_EVERY: Final = 1.0
"""Seconds."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Watcher(Protocol):
    """Who is told how it goes. An OSError means that nobody listens any more."""

    def progress(self, ready: int, total: int) -> None:
        """So many nodes are up."""

    def warned(self, text: str) -> None:
        """Something in the file hardly does what is wanted."""

    def ready(self, network: dict[str, Any]) -> None:
        """The network is up; `network` is the document of `netsim inspect --json`."""

    def event(self, event: dict[str, Any]) -> None:
        """Something happened."""

    def look_after(self, log: Path, announce: Callable[[str], None]) -> None:
        """Called every second: what is written to `log` is kept within bounds."""

    def down(self, name: str) -> None:
        """Everything is gone; that nobody listens is no error here."""


def run_network(
    file: str,
    name: str | None,
    seed: int | None,
    start_method: StartMethod,
    speed: str,
    control: str | None,
    watcher: Watcher,
    log: Path | None = None,
) -> int:
    """Start the network in `file`, keep it until somebody stops it, return the exit code.

    `log` is where this process writes; it moves into the state directory.
    """
    # It imports what nodes need, while this process reads the file.
    zygote = Zygote.start() if start_method == "fork" else None
    try:
        from netsim.control.preflight import check_programs_and_ports, with_mistakes_of_programs
        from netsim.network.network import Network
        from netsim.topology.load_topology import load_plan

        try:
            plan = load_plan(file, seed=seed, name=name)
        except InvalidFileError as error:
            raise with_mistakes_of_programs(error, file) from None
        network = Network(plan, start_method=start_method, launcher=zygote, speed=speed)
        state = StateDirectory.claim(network.plan.name)
        network.certificates.parent = state.path
        try:
            door = None if control is None else _door_at(control)
            check_programs_and_ports(file, network.plan)
        except BaseException:
            state.release()
            raise
        for warning in plan.warnings:
            watcher.warned(warning.as_warning())
        if plan.drawn_order is not None:
            watcher.warned(plan.drawn_order.as_warning())
    except BaseException:
        if zygote is not None:
            zygote.kill()
            zygote.reap()
        raise
    try:
        if log is not None:
            state.adopt_log(log)
        _set_process_title(f"netsim:{state.name}")
        code = asyncio.run(_Supervisor(network, state, watcher, door).run())
    finally:
        state.release()
    watcher.down(state.name)
    return code


class _Supervisor:
    def __init__(
        self, network: Network, state: StateDirectory, watcher: Watcher, door: TcpDoor | None
    ) -> None:
        self._door = door
        self._network = network
        self._state = state
        self._watcher: Watcher | None = watcher
        self._stop = asyncio.Event()
        self._signals = 0
        self._code = FINE

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            # `nohup netsim up` asks to outlive the terminal. A background job of a script
            # ignores SIGINT, but a `kill -INT` that names this process means it.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self._on_signal)
        if not await self._start():
            return INTERRUPTED
        try:
            await self._serve()
        finally:
            await self._network.stop()
        return self._code

    async def _start(self) -> bool:
        """Bring the network up; False when that was interrupted. StartError when it failed."""
        starting = asyncio.create_task(self._network.start(self._on_progress))
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self._stop.is_set():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            await self._network.stop(grace=0)
            return False
        await starting
        return True

    async def _serve(self) -> None:
        """Answer the control API and tell events, until somebody asks for the end."""
        from netsim.control.control_server import ControlServer  # aiohttp

        server = ControlServer(self._network, self._stop.set)
        subscription = self._network.subscribe()
        self._state.restore()  # should somebody have removed it while the nodes started
        await server.start(self._state.listen(), self._door)
        watching = asyncio.create_task(self._watch(subscription))
        looking = asyncio.create_task(self._look_after(server))
        try:
            document = await self._network.inspect()
            try:
                self._publish(document)
            except OSError as error:  # a disk that is full, of a log for example
                self._network.failed(
                    f"{self._state.path} is not up to date ({in_words(error)}); "
                    "the network goes on without that"
                )
            told = document | self._way_in()
            self._tell(lambda watcher: watcher.ready(told))
            await self._stop.wait()
        finally:
            looking.cancel()
            await server.close()
            subscription.close()
            await watching

    def _way_in(self) -> dict[str, Any]:
        """Where the control API listens on TCP, and its token, which is told once."""
        if self._door is None:
            return {}
        file = str(self._state.token_path)
        way = {"url": self._door.url, "token": self._door.token, "token_file": file}
        return {"control": way | {"open_to_others": self._door.is_open_to_others}}

    def _publish(self, document: dict[str, Any]) -> None:
        more = {"processes": family(os.getpid()), "ports": document["ports"]}
        self._state.publish({**self._network.summary(), **more})
        if self._door is not None:
            self._state.keep_token(self._door.token)

    async def _look_after(self, server: ControlServer) -> None:
        """The state directory is where others find it, and its log stays within bounds."""
        told = False
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                if not self._state.is_in_place():
                    self._state.restore()
                    if not self._state.is_listening():
                        await server.listen(self._state.listen())
                    self._publish(await self._network.inspect())
                    self._network.certificates.write()
                    told = False
                    self._network.failed(
                        f"somebody has removed {self._state.path}; it has been made anew"
                    )
            except NameTakenError as error:
                self._network.failed(f"{error}, and nobody finds this one: it ends")
                self._code = FAILED
                self._stop.set()
                return
            except (OSError, StateError) as error:
                if not told:
                    told = True
                    self._network.failed(
                        f"nobody finds this network: {self._state.path} is gone "
                        f"({in_words(error)}); kill {os.getpid()} ends it"
                    )
            except Exception as error:  # noqa: BLE001  # it goes on looking
                if not told:
                    told = True
                    self._network.failed(
                        f"a bug: {type(error).__name__} while looking after {self._state.path}: "
                        f"{error}"
                    )
            self._tell(
                lambda watcher: watcher.look_after(self._state.log_path, self._network.failed)
            )

    async def _watch(self, subscription: Any) -> None:
        async for event in subscription:
            self._tell(lambda watcher, event=event: watcher.event(event))  # type: ignore[misc]

    def _on_progress(self, ready: int, total: int) -> None:
        self._tell(lambda watcher: watcher.progress(ready, total))

    def _on_signal(self) -> None:
        """The first asks for a graceful end, the second kills the nodes, a third waits no more."""
        self._signals += 1
        self._stop.set()
        if self._signals == 2:
            self._code = INTERRUPTED
            self._network.kill()
        elif self._signals > 2:
            self._network.kill()
            self._state.release()
            os._exit(INTERRUPTED)

    def _tell(self, tell: Callable[[Watcher], None]) -> None:
        """A network that nobody watches any more (`| head`, a closed terminal) ends."""
        if self._watcher is None:
            return
        try:
            tell(self._watcher)
        except OSError:
            self._watcher = None
            self._code = FAILED
            self._stop.set()


def _door_at(control: str) -> TcpDoor:
    from netsim.control.tcp_door import open_door  # aiohttp

    return open_door(control)


def _set_process_title(title: str) -> None:
    from setproctitle import setproctitle

    setproctitle(title)
