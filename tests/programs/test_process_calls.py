"""What programs do to their process, and the processes that the C library starts for them."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from networks import NETSIM, two_computers

from netsim import Network, run
from netsim.core.time import Time

SHOWN = 'echo "$MINE" "$(basename "$(pwd)")"'


def become(call: Callable[..., Any], *args: Any) -> str:
    try:
        call(*args)
    except NotImplementedError as error:
        return str(error)
    return "it came back"


def begin() -> None:
    os.makedirs("there", exist_ok=True)
    os.chdir("there")
    os.environ["MINE"] = "the computer's"


def by_system() -> tuple[int, str]:
    begin()
    status = os.system(f"{SHOWN} > shown; exit 3")  # noqa: S605
    return os.waitstatus_to_exitcode(status), Path("shown").read_text()


def by_spawn() -> tuple[int, str]:
    begin()
    code = os.spawnlp(os.P_WAIT, "sh", "sh", "-c", f"{SHOWN} > shown; exit 3")
    return code, Path("shown").read_text()


def by_spawn_with_another() -> tuple[int, str]:
    begin()
    given = ["sh", "-c", f"{SHOWN} > shown; exit 3"]
    code = os.spawnve(os.P_WAIT, "/bin/sh", given, {"MINE": "given", "PATH": os.environ["PATH"]})
    return code, Path("shown").read_text().replace("given", "the computer's")


def by_popen() -> tuple[int, str]:
    begin()
    shown = os.popen(f"{SHOWN}; exit 3")  # noqa: S605
    text = shown.read()
    return os.waitstatus_to_exitcode(shown.close() or 0), text


def by_fork() -> tuple[int, str]:
    begin()
    pid = os.fork()
    if pid == 0:
        os.execlp("sh", "sh", "-c", f"{SHOWN} > shown; exit 3")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), Path("shown").read_text()


def play(folder: Path, time: Time, function: Callable[..., Any], *args: Any) -> Any:
    async def main() -> Any:
        async with Network(two_computers(folder, web=""), time=time) as net:
            return await net["alice"].run(function, *args)

    return (run if time == "virtual" else asyncio.run)(main())


@pytest.fixture(params=["virtual", "real"])
def clock(request: pytest.FixtureRequest) -> Time:
    time: Time = request.param
    return time


@pytest.mark.filterwarnings("ignore::netsim.UnrepeatableWarning")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork(), from 3.12 on
@pytest.mark.parametrize("start", [by_system, by_spawn, by_spawn_with_another, by_popen, by_fork])
def test_processes_have_the_computer_s_environment_and_directory(
    tmp_path: Path, clock: Time, start: Callable[[], tuple[int, str]]
) -> None:
    assert play(tmp_path, clock, start) == (3, "the computer's there\n")


@pytest.mark.parametrize(
    ("call", "args"),
    [
        (os.execv, ("/bin/true", ["true"])),
        (os.execlp, ("true", "true")),
        (os.execve, ("/bin/true", ["true"], {})),
        (os.execvpe, ("true", ["true"], {})),
    ],
)
def test_a_computer_s_process_is_not_replaced(
    tmp_path: Path, clock: Time, call: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    name, where = call.__name__, "the whole computer" if clock == "real" else "the whole test"
    said = play(tmp_path, clock, become, call, *args)
    assert said.startswith("os.execve()" if "e" in name.removeprefix("exec") else "os.execv()")
    assert where in said
    assert said.endswith("write sys.exit(subprocess.run([…]).returncode)")


@pytest.mark.parametrize(("call", "args"), [(os._exit, (3,)), (os.abort, ())])
def test_in_virtual_time_no_program_ends_the_test(
    tmp_path: Path, call: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    said = play(tmp_path, "virtual", become, call, *args)
    assert said.startswith(f"os.{call.__name__}() would end the process")
    assert 'write sys.exit(), or raise an error; a crash is await net["alice"].crash()' in said


def test_nor_replaces_a_run_of_a_scenario(tmp_path: Path) -> None:
    program = "import os\nasync def run():\n    os.execv('/bin/true', ['true'])\n"
    two_computers(tmp_path, alice="run: 'program:run'", program=program)
    file = tmp_path / "replaced.yaml"
    file.write_text("name: replaced\ntopology: two.yaml\nsteps:\n  - wait: 1s\n")
    done = subprocess.run([*NETSIM, "test", file], capture_output=True, text=True)
    assert done.returncode == 1
    assert "os.execv() would replace the process that runs the whole test" in done.stdout


def sockets_of_a_child() -> tuple[str, bytes]:
    """What a forked child is told of its parent's socket, and of a pair of its own."""
    with socket.create_server(("", 80)) as server:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                server.accept()
            except OSError as error:
                os.write(writing, f"{error.errno}: {error.strerror}".encode())
            server.close()
            one, other = socket.socketpair()
            one.sendall(b"\nown")
            os.write(writing, other.recv(10))
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as told:
            words = told.read()
        os.waitpid(pid, 0)
        return words.decode().partition("\n")[0], words.rpartition(b"\n")[2]


@pytest.mark.filterwarnings("ignore::netsim.UnrepeatableWarning")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork(), from 3.12 on
def test_sockets_stay_with_the_process_that_has_made_them(tmp_path: Path, clock: Time) -> None:
    said, own = play(tmp_path, clock, sockets_of_a_child)
    assert said.startswith(f"{errno.EOPNOTSUPP}: a socket of the simulated network stays with")
    assert said.endswith("serve with threads, or one worker")
    assert own == b"own"
