"""One library, over the lossy path, in one time: what came of it, as JSON.

`python trial.py NAME real|virtual`; `attempt` runs that in a process of its own. A megabyte goes to
the server and back, then several clients ask at once, then the connection is reset in the middle
(of UDP: the link is down for two seconds), and then the server has to answer again.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib
import inspect
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from partners import ask_web, serve_web

# Not in the midst of a run, which would move what lies in memory.
from netsim import Network, run

HERE: Final = Path(__file__).resolve().parent
MEGABYTE: Final = 1_000_000
_AT_ONCE: Final = 5
_LIMIT: Final = {"real": 30.0, "virtual": 300.0}
"""Seconds of network time that each part may take."""


def names() -> list[str]:
    """All libraries."""
    return sorted(each.name for each in pkgutil.iter_modules([str(HERE / "libraries")]))


def library(name: str) -> Any:
    """Its module: KIND, PACKAGES, ROLES, PORT, `serve()`, `exchange(host, size)`.

    Without the one or the other that end is aiohttp.
    """
    return importlib.import_module(f"libraries.{name}")


def versions(name: str) -> str:
    """Of the packages that it is made of."""
    found = [f"{package} {metadata.version(package)}" for package in library(name).PACKAGES]
    return ", ".join(found) or f"Python {sys.version_info.major}.{sys.version_info.minor}"


async def serve(name: str) -> None:
    """On the server."""
    module = library(name)
    await _call(getattr(module, "serve", partial(serve_web, module.PORT)))


async def exchange(name: str, size: int) -> None:
    """On the client."""
    module = library(name)
    await _call(
        getattr(module, "exchange", partial(ask_web, port=module.PORT)), "server", size=size
    )


async def listens(port: int) -> None:
    """On the client: come back when the server does."""
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("server", port)
            writer.close()
            return
        await asyncio.sleep(0.1)


async def _call(function: Any, *args: Any, **kwargs: Any) -> None:
    if inspect.iscoroutinefunction(function):
        await function(*args, **kwargs)
    else:
        await asyncio.to_thread(function, *args, **kwargs)


async def _trial(name: str, time: str, trace: Path) -> dict[str, Any]:
    module = library(name)
    is_udp = getattr(module, "UDP", False)
    said: dict[str, Any] = {"ok": False}
    async with Network(HERE / "path.yaml", time=time) as network:  # type: ignore[arg-type]
        if time == "virtual":
            network.trace_frames(trace)
        client = network["client"]
        server = asyncio.create_task(network["server"].run(serve, name))

        async def part(title: str, doing: Any) -> None:
            said["part"] = title
            doing = asyncio.ensure_future(doing)
            async with asyncio.timeout(_LIMIT[time]):
                await asyncio.wait([doing, server], return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                doing.cancel()
                said["part"] = f"{title}, on the server"
                server.result()
                raise RuntimeError("the server came to its end")
            doing.result()

        try:
            await part("start", asyncio.sleep(1) if is_udp else client.run(listens, module.PORT))
            await part("a megabyte", client.run(exchange, name, MEGABYTE))
            few = [client.run(exchange, name, 20_000) for _ in range(_AT_ONCE)]
            await part("several at once", asyncio.gather(*few))
            await part("a cut", _cut(network, module, name, said))
            await part("again", client.run(exchange, name, 1_000))
            said["ok"] = True
        except Exception as error:  # noqa: BLE001 — whatever it is, it is what users see
            said["message"] = _words(error)
        said["notices"] = list(network.unrepeatable)
        server.cancel()
        with contextlib.suppress(BaseException):
            await server
    return said


async def _cut(network: Any, module: Any, name: str, said: dict[str, Any]) -> None:
    """What the client says of an end in the middle goes to the page."""
    client = network["client"]
    asking = asyncio.ensure_future(client.run(exchange, name, MEGABYTE))
    await asyncio.wait([asking], timeout=0.3)
    assert not asking.done(), "a megabyte takes longer than 0.3 s"
    if getattr(module, "UDP", False):
        async with network.link("r1", "r2").down():
            await asyncio.sleep(2)
    else:
        await client.connections("server", module.PORT).reset()
    try:
        await asking
    except Exception as error:  # noqa: BLE001 — as above
        said["cut"] = _words(error)
    else:
        said["cut"] = "it goes on"


def _words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300].rstrip(": ")


def main(name: str, time: str) -> None:
    """Print what came of it."""
    trace = Path(tempfile.gettempdir()) / "trace.jsonl"
    if time == "real":
        said = asyncio.run(_trial(name, time, trace))
    else:
        said = run(_trial(name, time, trace))
        said["trace"] = hashlib.sha256(trace.read_bytes()).hexdigest()
    sys.stdout.write(f"\n{json.dumps(said)}\n")
    sys.stdout.flush()
    os._exit(0)  # threads of libraries that did not come to their end


def attempt(name: str, time: str, limit: float = 60.0) -> dict[str, Any]:
    """A trial in a process of its own, which has no way out of the machine where that is allowed.

    `limit` is in seconds. Virtual time is as docs/repeats.md says that everything repeats.
    """
    command = [sys.executable, str(HERE / "trial.py"), name, time]
    if time == "virtual":
        command = ["setarch", "--addr-no-randomize", *command]
    # What is watched (scripts/nothing_leaves) has no way out, and is to be seen where it tries.
    if "NETSIM_WATCHED" not in os.environ and _may_unshare():
        command = ["unshare", "-rn", "sh", "-c", 'ip link set lo up; exec "$@"', "-", *command]
    with _folder(name, time) as folder:
        own = dict.fromkeys(("TMPDIR", "XDG_RUNTIME_DIR"), str(folder))
        environment = {**os.environ, "PYTHONHASHSEED": "0", **own}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired:
            return {"ok": False, "part": "all", "message": f"no end within {limit:.0f} s"}
    lines = done.stdout.splitlines() or [""]
    try:
        said: dict[str, Any] = json.loads(lines[-1])
    except ValueError:
        last = (done.stderr.strip() or "nothing was said").splitlines()[-1]
        return {"ok": False, "part": "all", "message": last[:300]}
    return said


@contextlib.contextmanager
def _folder(name: str, time: str) -> Iterator[Path]:
    """Empty, and always of the same name: another one would move what lies in memory."""
    place = hashlib.sha256(str(HERE).encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir()) / f"netsim-trial-{place}-{name}-{time}"
    with (HERE / "libraries" / f"{name}.py").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another trial of it waits
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def _may_unshare() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return (
        subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
