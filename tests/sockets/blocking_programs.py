"""Programs with blocking sockets, in threads of a computer."""

from __future__ import annotations

import asyncio
import gc
import http.client
import selectors
import socket
import ssl
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from netsim import BlockingCallError

_serves = threading.Event()


async def until_it_serves() -> None:
    """Whichever of the servers below this computer has."""
    await asyncio.to_thread(_serves.wait)


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.upper())


async def http_server(certificate: str = "", key: str = "") -> None:
    """POST gives the body back in capitals; over TLS where there is a certificate."""
    server = ThreadingHTTPServer(("", 80), _Answers)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    _serves.set()
    await asyncio.to_thread(server.serve_forever)


async def http_client(host: str, certificate: str = "") -> list[int]:
    """Lengths of three answers on one connection."""

    def ask() -> list[int]:
        connection: Any = http.client.HTTPConnection(host, 80, timeout=30)
        if certificate:
            context = ssl.create_default_context(cafile=certificate)
            connection = http.client.HTTPSConnection(host, 80, timeout=30, context=context)
        found = []
        for size in (10, 300_000, 0):
            connection.request("POST", "/", b"x" * size)
            body = connection.getresponse().read()
            assert body == b"X" * size
            found.append(len(body))
        connection.close()
        return found

    return await asyncio.to_thread(ask)


async def log_server() -> str:
    """The first datagram that comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 514))
        _serves.set()
        return (await asyncio.to_thread(sock.recv, 1000)).decode()


async def log_on_the_loop(host: str) -> str:
    """A socket that may block, and need not, on the thread of the event loop."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((host, 514))
        sock.send(b"sent")
        try:
            sock.recv(10)
        except BlockingCallError as error:
            return str(error).partition(" would")[0]
    return "nothing was refused"


async def selector_server() -> None:
    """Echoes, one thread for everybody."""

    def serve() -> None:
        with selectors.DefaultSelector() as selector, socket.create_server(("", 7)) as listener:
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ)
            _serves.set()
            while True:
                for key, _ in selector.select():
                    sock: Any = key.fileobj
                    if sock is listener:
                        connection, _ = listener.accept()
                        connection.setblocking(False)
                        selector.register(connection, selectors.EVENT_READ)
                    elif data := sock.recv(1000):
                        sock.send(data)
                    else:
                        selector.unregister(sock)
                        sock.close()

    await asyncio.to_thread(serve)


async def many_clients(host: str) -> list[bytes]:
    """What threads of a client hear from an echo."""
    answers: dict[int, bytes] = {}

    def talk(number: int) -> None:
        with socket.create_connection((host, 7), timeout=30) as sock:
            sock.sendall(b"%d" % number)
            answers[number] = sock.recv(10)

    def all_of_them() -> None:
        threads = [threading.Thread(target=talk, args=(each,)) for each in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    await asyncio.to_thread(all_of_them)
    return [answers[each] for each in sorted(answers)]


async def late(host: str) -> tuple[str, float]:
    """A time-out, and how long it took."""

    def wait() -> tuple[str, float]:
        with socket.create_connection((host, 7), timeout=30) as sock:
            sock.settimeout(0.5)
            began = time.monotonic()
            try:
                sock.recv(1)
            except TimeoutError as error:
                return str(error), time.monotonic() - began
        return "data", 0.0

    return await asyncio.to_thread(wait)


async def loop_in_a_thread(host: str) -> bytes:
    """`asyncio.run` in a thread."""

    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection(host, 7)
        writer.write(b"asyncio")
        data = await reader.read(7)
        writer.close()
        await writer.wait_closed()
        return data

    return await asyncio.to_thread(asyncio.run, talk())


async def a_child_process() -> bytes:
    """`subprocess` waits with `select`, on the event loop's own thread."""
    ran = subprocess.run(  # that is what programs do
        [sys.executable, "-c", "print('from a child')"], capture_output=True, check=True
    )
    return ran.stdout


async def in_vain() -> list[tuple[str, bool]]:
    """What errors are raised, and whether the socket is still there when nobody wants it."""
    return await asyncio.to_thread(_in_vain)


def _in_vain() -> list[tuple[str, bool]]:
    attempts: list[Callable[[socket.socket], object]] = [
        lambda sock: sock.connect(("127.0.0.1", 9)),
        lambda sock: sock.getpeername(),
    ]
    found = []
    gc.disable()
    try:
        for attempt in attempts:
            sock = socket.socket()
            kept = weakref.ref(sock)
            try:
                attempt(sock)
            except OSError as error:
                kind = type(error).__name__
            sock.close()
            del sock
            found.append((kind, kept() is not None))
    finally:
        gc.enable()
    return found
