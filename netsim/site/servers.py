"""What serves an application on a port of a computer: aiohttp's own server, or uvicorn.

uvicorn is an extra, imported where an application needs it. It is used without its main loop,
which wakes up ten times a second and handles signals: those are not a computer's.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ssl
import time
from email.utils import formatdate
from typing import Any, Final, Protocol

from aiohttp import web

from netsim.interception.set_order import FilledOrder
from netsim.site.applications import Interface, ProgramError, StartLimit, raised, unfinished
from netsim.topology.plan import NodePlan, ServicePlan

SHUTDOWN: Final = 0.5
"""Seconds that a server's open connections get to finish when the network stops."""
_PARTS_OF_UVICORN: Final = (
    *("uvicorn", "uvicorn.lifespan.on", "uvicorn.protocols.http.auto"),
    "uvicorn.protocols.websockets.auto",
)


class Server(Protocol):
    """A service that listens."""

    async def start(self) -> None:
        """Listen; OSError for a port that is not to be had, ProgramError for an application that
        does not start."""

    async def stop(self) -> None:
        """Let connections finish, for a while, and the application shut down."""


def preload(plan: NodePlan) -> None:
    """Import what the services of a computer will need, where the file tells that."""
    interfaces = {service.interface for service in plan.services}
    wanted = _PARTS_OF_UVICORN if interfaces & {"asgi", "wsgi"} else ()
    for name in (*wanted, *(("a2wsgi",) if "wsgi" in interfaces else ())):
        with contextlib.suppress(ImportError):  # told when it is started
            importlib.import_module(name)


def server_of(service: ServicePlan, interface: Interface, application: Any) -> Server:
    """What serves an application of that interface."""
    if interface == "aiohttp":
        return _AiohttpServer(service, application)
    if interface == "wsgi":
        from a2wsgi import WSGIMiddleware

        application = WSGIMiddleware(application)
    return _AsgiServer(service, application)


class _AiohttpServer:
    def __init__(self, service: ServicePlan, application: web.Application) -> None:
        self._service = service
        self._runner = web.AppRunner(
            application, handle_signals=False, access_log=None, shutdown_timeout=SHUTDOWN
        )

    async def start(self) -> None:
        service = self._service
        limit = StartLimit()
        try:
            async with limit:
                await self._runner.setup()
        except Exception as error:
            if limit.expired():
                cancelled = error.__cause__ or error
                raise ProgramError(unfinished(str(service.reference), cancelled)) from None
            raise ProgramError(raised(str(service.reference), error)) from error
        await web.TCPSite(self._runner, "0.0.0.0", service.port, ssl_context=_tls(service)).start()

    async def stop(self) -> None:
        await self._runner.cleanup()


class _AsgiServer:
    """uvicorn, whose lines (its access log, too) go to the log of the computer."""

    def __init__(self, service: ServicePlan, application: Any) -> None:
        import uvicorn

        class Server(uvicorn.Server):
            def _log_started_message(self, listeners: object) -> None:
                """It would say that Ctrl-C ends it."""

            async def _wait_tasks_to_complete(self) -> None:
                """For a while. What the end of a network cuts off is no error of a program."""
                try:
                    async with asyncio.timeout(SHUTDOWN):
                        await super()._wait_tasks_to_complete()
                except TimeoutError:
                    for task in self.server_state.tasks:
                        task.cancel()

        self._service = service
        self._application = _Watched(application)
        config = uvicorn.Config(
            self._application,
            host="0.0.0.0",
            port=service.port,
            interface="asgi3",
            log_config=None,
            date_header=False,  # made by its main loop
        )
        config.load()
        config.ssl = _tls(service)
        self._server = Server(config)
        self._server.lifespan = config.lifespan_class(config)
        state: Any = self._server.server_state
        state.default_headers = config.encoded_headers
        # It goes through them at its end, in an order that has to repeat.
        state.connections, state.tasks = FilledOrder(), FilledOrder()

    async def start(self) -> None:
        reference = str(self._service.reference)
        try:
            async with StartLimit():
                await self._server.startup()
        except TimeoutError:
            stopped = await self._application.stopped()
            raise ProgramError(unfinished(reference, stopped)) from None
        except SystemExit as end:  # so it ends the process when it cannot start
            if isinstance(end.__context__, OSError):
                raise end.__context__ from None
        if not self._server.started:
            raise ProgramError(self._application.failure(reference))

    async def stop(self) -> None:
        if self._server.started:
            await self._server.shutdown()


class _Watched:
    """An ASGI application that keeps why it did not start, and whose answers have a date."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._told = ""
        self._error: BaseException | None = None
        self._life: asyncio.Task[Any] | None = None

    async def stopped(self) -> BaseException:
        """How its lifespan ended, which is cancelled for it and has a while."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait({self._life}, timeout=SHUTDOWN)
        return self._error or TimeoutError()

    def failure(self, reference: str) -> str:
        """Why it did not start, for a person to read."""
        if self._error is not None:
            return raised(reference, self._error)
        last_line = (self._told.strip().splitlines() or ["its lifespan has failed"])[-1]
        return f"{reference}: {last_line}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._application(scope, receive, _with_date(send))
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        async def watch(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed":
                self._told = message.get("message", "")
            await send(message)

        self._life = asyncio.current_task()
        try:
            await self._application(scope, receive, watch)
        except BaseException as error:
            self._error = error
            raise


def _with_date(send: Any) -> Any:
    """RFC 9110 (6.6.1): a server with a clock says when it answered."""

    async def dated(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if all(bytes(name).lower() != b"date" for name, _ in headers):
                headers.append((b"date", formatdate(time.time(), usegmt=True).encode()))
            message = {**message, "headers": headers}
        await send(message)

    return dated


def _tls(service: ServicePlan) -> ssl.SSLContext | None:
    """What a service speaks TLS with; None where it does not."""
    if not service.tls:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(service.certificate)
    context.set_alpn_protocols(["http/1.1"])
    # RFC 8446 (4.6.1): none are asked for. They are encrypted, and their lengths would differ.
    context.num_tickets = 0
    return context
