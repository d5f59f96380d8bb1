"""Starting is all or nothing, and says which node failed and why; ends leave nothing."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest
from networks import campus_text, two_computers

from netsim import Network, StartError

pytestmark = pytest.mark.asyncio


async def start_error(file: Path, text: str) -> str:
    """What a start that must fail says; nothing may be left of it."""
    file.write_text(text)
    before = set(psutil.Process().children(recursive=True))
    network = Network(file)
    with pytest.raises(StartError) as caught:
        await network.start()
    assert network.state == "stopped"
    assert set(psutil.Process().children(recursive=True)) <= before
    return str(caught.value)


async def test_a_module_that_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import os\nos._exit(7)\n")
    text = campus_text().replace("netsim.services.httpbin:create_app", "bad:create_app")
    message = await start_error(tmp_path / "t.yaml", text)
    assert message.startswith("web: its process ended")


async def test_a_host_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = campus_text().replace("127.0.0.1:0", f"127.0.0.1:{port}")
        message = await start_error(tmp_path / "t.yaml", text)
    assert message == f"alice: cannot listen on 127.0.0.1:{port}: address already in use"


async def test_a_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(campus_text())
    before = set(psutil.Process().children(recursive=True))
    network = Network(file)
    some_are_up = asyncio.Event()
    starting = asyncio.create_task(network.start(lambda ready, total: some_are_up.set()))
    await some_are_up.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert network.state == "stopped"
    assert set(psutil.Process().children(recursive=True)) <= before


async def test_programs_get_their_environment_and_arguments(tmp_path: Path) -> None:
    program = (
        "import os\n"
        "from aiohttp import web\n"
        "async def create_app(greeting):\n"
        "    app = web.Application()\n"
        "    async def hello(request):\n"
        "        return web.Response(text=f'{greeting} {os.environ[\"SHOP_DB\"]}')\n"
        "    app.router.add_get('/', hello)\n"
        "    return app\n"
    )
    file = two_computers(
        tmp_path,
        alice="ports: ['127.0.0.1:0:web:80']",
        web="env: {SHOP_DB: 'db:5432'},"
        " services: {80: {app: 'shop:create_app', args: {greeting: hello}}}",
        shop=program,
    )
    async with Network(file) as network:
        listen = network.ports()[0]["listen"]
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", f"http://{listen}/", stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
    assert output == b"hello db:5432"


async def test_every_process_ends_with_a_killed_supervisor(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(campus_text())
    code = (
        "import asyncio, sys\n"
        "from netsim.network.network import Network\n"
        "async def main():\n"
        "    async with Network(sys.argv[1]):\n"
        "        print('ready', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(file), stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    assert await supervisor.stdout.readline() == b"ready\n"
    processes = psutil.Process(supervisor.pid).children(recursive=True)
    assert len(processes) == 32
    # A pidfd is readable when its process has ended, whoever reaps it and when.
    descriptors = [os.pidfd_open(process.pid) for process in processes]
    os.kill(supervisor.pid, signal.SIGKILL)
    await supervisor.wait()
    ended: set[int] = set()
    deadline = asyncio.get_running_loop().time() + 1
    while len(ended) < len(descriptors) and asyncio.get_running_loop().time() < deadline:
        left = [each for each in descriptors if each not in ended]
        ended |= set((await asyncio.to_thread(select.select, left, [], [], 1))[0])
    assert len(ended) == len(descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
