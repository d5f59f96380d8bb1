"""Applications of FastAPI, Starlette, Django and bare ASGI as services: the same in both times."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import httpx
import pytest
from hash_seeds import traces
from lossy_path import lossy_path
from networks import play, two_computers

from netsim import HttpFailedError, Network, StartError, run
from netsim.core.time import Time

both_times = pytest.mark.parametrize("time", ["real", "virtual"])

SHOP = """
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

@asynccontextmanager
async def life(app):
    app.state.greeting = "hello"
    print("the shop opens")
    yield
    print("the shop closes")

app = FastAPI(lifespan=life)

@app.get("/")
async def index():
    return {app.state.greeting: "world"}

@app.post("/size")
async def size(request: Request):
    return len(await request.body())

async def large(request):
    async def pieces():
        for _ in range(16):
            yield bytes(65_536)
    return StreamingResponse(pieces(), media_type="application/octet-stream")

async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text[::-1])
    print("the client has left")

starlette = Starlette(routes=[Route("/large", large), WebSocketRoute("/ws", echo)])

def create_app(name="nobody"):
    async def answer(scope, receive, send):
        if scope["type"] == "lifespan":
            raise LookupError("of no interest")
        assert scope["type"] == "http", scope["type"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": name.encode()})
    return answer

async def unnamed(a, b, c):
    await create_app("unnamed")(a, b, c)
"""
DJANGO = """
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

if not settings.configured:  # Django is the process's, which may have been a computer's before
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
    django.setup()

async def index(request):
    return HttpResponse(f"{request.method} from {request.META['REMOTE_ADDR']}")

urlpatterns = [path("", index)]

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

application = get_asgi_application()
wsgi = get_wsgi_application()
"""
SERVICES = """services: {
  80: "shop:app", 81: {asgi: "shop:app"}, 82: "shop:starlette", 83: {asgi: "shop:starlette"},
  84: {asgi: "shop:create_app", args: {name: ada}}, 85: {app: "shop:create_app", args: {name: bob}},
  86: {asgi: "shop:unnamed"}, 87: "site_of_django:application",
  88: {asgi: "site_of_django:application"}, 89: {asgi: "django.core.asgi:get_asgi_application"}}"""


async def talk(*plain: int) -> list[object]:
    """A little of everything, by two clients that people use."""
    found: list[object] = []
    async with httpx.AsyncClient() as client:
        for port in (80, 81):
            found.append((await client.get(f"http://server:{port}/")).json())
            size = await client.post(f"http://server:{port}/size", content=bytes(1_000_000))
            found.append(size.json())
        for port in plain:
            found.append((await client.get(f"http://server:{port}/")).text)
        for port in (82, 83):
            found.append(len((await client.get(f"http://server:{port}/large")).content))
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect("http://server:82/ws") as socket,
    ):
        for text in ("live", "stressed"):
            await socket.send_str(text)
            found.append(await socket.receive_str())
    return found


@both_times
def test_what_is_served_over_a_lossy_path(time: Time, tmp_path: Path) -> None:
    file = lossy_path(tmp_path, SERVICES, shop=SHOP, site_of_django=DJANGO)

    async def test(network: Network) -> None:
        found = await network["client"].run(talk, 84, 85, 86, 87, 88, 89)
        assert found == [
            *[{"hello": "world"}, 1_000_000] * 2,
            *("ada", "bob", "unnamed", *["GET from 10.0.1.10"] * 3),
            *(1_048_576, 1_048_576, "evil", "desserts"),
        ]

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    network = play(time, file, test)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    lines = [line["text"] for line in network.logs("server")["lines"]]
    assert lines.count("the shop opens") == lines.count("the shop closes") == 2
    assert "the client has left" in lines
    assert sum('"POST /size HTTP/1.1" 200' in line for line in lines) == 2
    assert not any("CTRL+C" in line for line in lines)


@both_times
def test_answers_say_when_they_were_given(time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="services: {80: 'shop:app'}", shop=SHOP)

    async def test(network: Network) -> None:
        async def date() -> str:
            return (await network["alice"].get("http://web/")).headers["date"]

        first = await date()
        if time == "virtual":
            assert first == "Thu, 01 Jan 2026 00:00:00 GMT"
        async with asyncio.timeout(20):
            while await date() == first:
                await asyncio.sleep(0.1)

    play(time, file, test)


_waiting: list[asyncio.Task[None]] = []


async def ask_by_halves() -> None:
    """Leave a request unfinished, at a server that has begun to read it."""
    reader, writer = await asyncio.open_connection("web", 80)
    writer.write(b"POST /size HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\n")
    writer.write(b"Content-Length: 9\r\n\r\n1234")
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"

    async def until_the_end() -> None:
        await reader.read()
        writer.close()

    _waiting.append(asyncio.ensure_future(until_the_end()))


@both_times
def test_a_request_that_the_end_cuts_off_is_no_error(time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="services: {80: 'shop:app'}", shop=SHOP)

    async def test(network: Network) -> None:
        await network["alice"].run(ask_by_halves)
        await network["web"].stop()

    network = play(time, file, test)
    assert network.errors == []
    assert "the shop closes" in [line["text"] for line in network.logs("web")["lines"]]


BROKEN = """
import asyncio
from contextlib import asynccontextmanager
from aiohttp import web
from fastapi import FastAPI
from flask import Flask

@asynccontextmanager
async def life(app):
    raise LookupError("no stock")
    yield

async def look_for_stock(app):
    raise ConnectionRefusedError("the store is closed")

async def wait_for_stock(app):
    await asyncio.Event().wait()

patient = web.Application()
patient.on_startup.append(wait_for_stock)

@asynccontextmanager
async def long_life(app):
    while True:
        await asyncio.sleep(3_600)
    yield

waits = FastAPI(lifespan=long_life)

async def waits_plainly(scope, receive, send):
    await receive()
    await wait_for_stock(None)

def leaves():
    raise SystemExit("no\\nway")

closed = web.Application()
closed.on_startup.append(look_for_stock)

raises = FastAPI(lifespan=life)
good = FastAPI()
flask = Flask("broken")

async def refuses(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.failed", "message": "first line\\nno stock here"})

def untold(*args):
    pass

def gives_flask():
    return flask

def gives_untold():
    return lambda a, b: None

number = 5
"""
BAD = {
    "80: 'broken:raises'": "broken:raises: LookupError: no stock (broken.py:10)",
    "80: {asgi: 'broken:raises'}": "broken:raises: LookupError: no stock (broken.py:10)",
    "80: 'broken:closed'": (
        "broken:closed: ConnectionRefusedError: the store is closed (broken.py:14)"
    ),
    "80: {asgi: 'broken:refuses'}": "broken:refuses: no stock here",
    "80: {asgi: 'broken:flask'}": 'broken:flask is an application of Flask; write `{wsgi: "bro',
    "80: {asgi: 'broken:gives_flask'}": "gives_flask gave an application of Flask; write `{wsgi",
    "80: {asgi: 'netsim.services.httpbin:create_app'}": (
        'gave an application of aiohttp; write `{app: "netsim.services.httpbin:create_app"}`'
    ),
    "80: {wsgi: 'broken:good'}": 'is an application of FastAPI; write `{asgi: "broken:good"}`',
    "80: 'broken:gives_untold'": (
        "gave an object of type function, and nothing tells how it is called; write "
        '`{asgi: "broken:gives_untold"}` or `{wsgi: "broken:gives_untold"}`'
    ),
    "80: {asgi: 'broken:number'}": "is an object of type int, no application of aiohttp, ASGI",
    "80: {app: 'broken:good', args: {x: 1}}": (
        "is an application of FastAPI, and `args` are for a factory; remove them"
    ),
    "80: {asgi: 'broken:leaves'}": "broken:leaves: SystemExit: no way (broken.py:35)",
    "80: {asgi: 'broken:good'}, 90: {asgi: 'broken:raises'}": "broken:raises: LookupError",
}


@both_times
@pytest.mark.parametrize("services", BAD)
def test_what_does_not_start_says_why(services: str, time: Time, tmp_path: Path) -> None:
    told = why_it_does_not_start(services, time, tmp_path)
    assert BAD[services] in told
    assert told.startswith("web: ")


def why_it_does_not_start(services: str, time: Time, folder: Path) -> str:
    file = two_computers(folder, web=f"services: {{{services}}}", broken=BROKEN)

    async def main() -> str:
        with pytest.raises(StartError) as caught:
            await Network(file, time=time).start()
        return str(caught.value)

    return (run if time == "virtual" else asyncio.run)(main())


@pytest.mark.parametrize(
    ("service", "time", "line"),
    [
        ("broken:waits", "virtual", 25),
        ("broken:waits", "real", 25),
        ("broken:waits_plainly", "virtual", 17),
        ("broken:patient", "virtual", 17),
    ],
)
def test_a_start_that_never_ends_is_named(
    service: str, time: Time, line: int, tmp_path: Path
) -> None:
    assert why_it_does_not_start(f"80: '{service}'", time, tmp_path) == (
        f"web: {service} did not end its start within 20 s: it waits at broken.py:{line}; what "
        "lasts longer belongs in a task of its own"
    )


@both_times
def test_a_port_that_is_taken_is_told(time: Time, tmp_path: Path) -> None:
    taker = "import asyncio\nfrom fastapi import FastAPI\n\nasync def create_app():\n"
    taker += "    await asyncio.start_server(lambda r, w: None, '0.0.0.0', 80)\n"
    taker += "    return FastAPI()\n"
    file = two_computers(tmp_path, web="services: {80: {asgi: 'taker:create_app'}}", taker=taker)

    async def main() -> None:
        with pytest.raises(StartError, match=r"web: port 80: .*address already in use"):
            await Network(file, time=time).start()

    (run if time == "virtual" else asyncio.run)(main())


@both_times
def test_a_crash_cuts_off_and_a_start_serves_again(time: Time, tmp_path: Path) -> None:
    file = two_computers(tmp_path, web="services: {80: {asgi: 'shop:app'}}", shop=SHOP)

    async def test(network: Network) -> None:
        assert (await network["alice"].get("http://web/")).status == 200
        await network["web"].crash()
        await network["web"].start()
        assert (await network["alice"].get("http://web/")).status == 200
        await network["web"].stop()
        await network["web"].start()
        async with network["web"].kill_program():
            with pytest.raises(HttpFailedError, match="connection refused"):
                await network["alice"].get("http://web/")
        assert (await network["alice"].get("http://web/")).status == 200

    network = play(time, file, test)
    lines = [line["text"] for line in network.logs("web")["lines"]]
    assert lines.count("the shop opens") == 4
    assert lines.count("the shop closes") == 2  # not after the crash, nor as it was killed


def test_it_repeats_under_other_hash_seeds(tmp_path: Path) -> None:
    file = lossy_path(tmp_path, SERVICES, shop=SHOP, site_of_django=DJANGO)
    program = """
import sys
from netsim import Network, run
from test_asgi_services import talk

async def main():
    async with Network(sys.argv[1], time="virtual") as network:
        network.trace_frames(sys.argv[2])
        await network["client"].run(talk, 84, 85, 86)
        causes = [each for each in network.unrepeatable if not each.startswith("the order of")]
        assert causes == []

run(main())
"""
    first, second = traces(program, file, "12")
    assert first == second
    assert len(first) > 100_000


THREADS = """
import threading
import time
from fastapi import FastAPI, UploadFile
from fastapi.responses import FileResponse

app = FastAPI()

@app.get("/slow")
def slow():
    time.sleep(0.5)
    return threading.current_thread() is not threading.main_thread()

@app.post("/upload")
def upload(file: UploadFile):
    return len(file.file.read())

@app.get("/file")
async def file():
    return FileResponse(__file__)
"""


async def use_threads() -> list[object]:
    async with httpx.AsyncClient(timeout=30) as client:
        slow = await asyncio.gather(*(client.get("http://server/slow") for _ in range(5)))
        sent = await client.post("http://server/upload", files={"file": ("x", bytes(1_000_000))})
        return [
            *(each.json() for each in slow),
            sent.json(),
            (await client.get("http://server/file")).text,
        ]


@both_times
def test_functions_that_block_run_in_threads(time: Time, tmp_path: Path) -> None:
    file = lossy_path(tmp_path, "services: {80: 'threaded:app'}", threaded=THREADS)

    async def test(network: Network) -> None:
        assert await network["client"].run(use_threads) == [*[True] * 5, 1_000_000, THREADS]

    play(time, file, test)
