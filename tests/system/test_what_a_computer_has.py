"""Each computer has a name, a working directory and one of temporary files, in both times."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from networks import play
from plans import plan_of

from netsim import Network
from netsim.core.time import Time
from netsim.site.directories import Directories, Outer

both_times = pytest.mark.parametrize("time", ["real", "virtual"])
PLAN = plan_of("alice web delay=1ms")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the directories of the networks here are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PWD", os.getcwd())
    return tmp_path


async def found() -> dict[str, Any]:
    """Where a program is, by all the ways in which it may ask."""
    asked = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getcwd())"], capture_output=True
    )
    with tempfile.NamedTemporaryFile() as file, closing(sqlite3.connect("app.db")) as database:
        database.execute("create table if not exists hats (colour)")
        database.execute("insert into hats values ('red')")
        count = database.execute("select count(*) from hats").fetchone()[0]
        database.commit()
        temporary = os.path.dirname(file.name)
    await asyncio.sleep(0.01)  # the other one runs
    return {
        "ways": {os.getcwd(), str(Path.cwd()), os.environ["PWD"], os.path.abspath(".")},
        "child": asked.stdout.decode().strip(),
        "temporary": {temporary, tempfile.gettempdir(), os.environ["TMPDIR"]},
        "files": sorted(os.listdir()),
        "left": sorted(os.listdir(tempfile.gettempdir())),
        "rows": count,
        "private": all(
            stat.S_IMODE(os.stat(each).st_mode) == 0o700 for each in (".", tempfile.gettempdir())
        ),
    }


async def leave_something() -> None:
    Path("kept").write_text("on the disk")
    Path(tempfile.gettempdir(), "left").touch()


@both_times
def test_a_directory_is_one_computers(time: Time, elsewhere: Path) -> None:
    async def test(network: Network) -> None:
        here = os.getcwd()
        facts = await asyncio.gather(*(network[name].run(found) for name in ("alice", "web")))
        for name, fact in zip(("alice", "web"), facts, strict=True):
            (way,) = fact["ways"]
            (temporary,) = fact["temporary"]
            assert Path(way).is_relative_to(elsewhere)
            assert way.endswith(f"/{name}/work")
            assert temporary.endswith(f"/{name}/tmp")
            assert fact["child"] == way
            assert (fact["files"], fact["left"], fact["rows"]) == (["app.db"], [], 1)
            assert fact["private"]
        assert os.getcwd() == here
        assert tempfile.gettempdir() == str(elsewhere)

    play(time, PLAN, test)
    assert [*elsewhere.glob("netsim-*")] == []


@both_times
def test_a_disk_survives_a_crash_and_temporary_files_do_not(time: Time) -> None:
    async def test(network: Network) -> None:
        web = network["web"]
        await web.run(found)
        await web.run(leave_something)
        async with web.kill_program():
            pass
        fact = await web.run(found)
        assert (fact["files"], fact["left"], fact["rows"]) == (["app.db", "kept"], ["left"], 2)
        async with web.crash():
            pass
        fact = await web.run(found)
        assert (fact["files"], fact["left"], fact["rows"]) == (["app.db", "kept"], [], 3)
        assert (await network["alice"].run(found))["rows"] == 1

    play(time, PLAN, test)


async def names() -> set[str]:
    """What a program is told when it asks for the name of its machine."""
    return {socket.gethostname(), os.uname().nodename, platform.node(), platform.uname().node}


@both_times
def test_a_computer_is_called_by_its_name(time: Time) -> None:
    async def test(network: Network) -> None:
        machine = names()
        for name in ("alice", "web"):
            assert await network[name].run(names) == {name}
        assert not {"alice", "web"} & await machine

    play(time, PLAN, test)


async def moves(to: str) -> str:
    os.makedirs(to, exist_ok=True)
    os.chdir(to)
    await asyncio.sleep(0.01)
    return os.getcwd()


async def removes_its_own() -> str:
    os.rmdir(os.getcwd())
    await asyncio.sleep(0.01)
    return "goes on"


@both_times
def test_a_program_that_moves_stays_there(time: Time) -> None:
    async def test(network: Network) -> None:
        here = os.getcwd()
        one, other = await asyncio.gather(
            network["alice"].run(moves, "deeper"), network["web"].run(moves, "elsewhere")
        )
        assert Path(one).parts[-3:] == ("alice", "work", "deeper")
        assert Path(other).parts[-3:] == ("web", "work", "elsewhere")
        assert os.getcwd() == here
        assert (await network["alice"].run(found))["ways"] >= {one}
        async with network["alice"].kill_program():
            pass
        assert next(iter((await network["alice"].run(found))["ways"])).endswith("/alice/work")
        assert await network["web"].run(removes_its_own) == "goes on"

    play(time, PLAN, test)


async def reads(name: str) -> str:
    try:
        return Path(name).read_text()
    except FileNotFoundError as error:
        return str(error)


@both_times
def test_a_file_that_lies_where_the_network_was_started_is_told(
    time: Time, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "prices.csv").write_text("hat,3")
    monkeypatch.chdir(elsewhere)

    async def test(network: Network) -> None:
        for name in ("prices.csv", "prices.csv", "nowhere.csv"):
            got = await network["web"].run(reads, name)
            assert got == f"[Errno 2] No such file or directory: '{name}'"
        assert await network["web"].run(reads, str(elsewhere / "prices.csv")) == "hat,3"
        await network["web"].run(leave_something)
        assert await network["web"].run(reads, "kept") == "on the disk"
        (line,) = network.logs()["lines"]
        assert line["node"] == "web"
        assert line["text"].startswith("prices.csv is not in the working directory of this")
        assert f"but in {elsewhere}: write pathlib.Path" in line["text"]
        assert network.errors == []

    play(time, PLAN, test)


def test_more_computers_than_directories_are_held_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsim.interception.working_directories._HELD", 0)

    async def test(network: Network) -> None:
        names = ("alice", "web")
        for fact, name in zip(
            await asyncio.gather(*(network[name].run(found) for name in names)), names, strict=True
        ):
            assert next(iter(fact["ways"])).endswith(f"/{name}/work")
        there = await network["web"].run(moves, "deeper")
        assert Path(there).parts[-3:] == ("web", "work", "deeper")
        assert await network["web"].run(removes_its_own) == "goes on"

    play("virtual", PLAN, test)


def test_a_run_is_in_the_same_place_as_the_last(elsewhere: Path) -> None:
    places: list[str] = []

    async def test(network: Network) -> None:
        places.extend((await network["web"].run(found))["ways"])

    for _ in range(2):
        play("virtual", PLAN, test)
    assert places[0] == places[1]


def test_what_is_left_of_a_crash_is_removed_and_what_is_in_use_is_not(elsewhere: Path) -> None:
    first, second = Directories("lan", 1, ""), Directories("lan", 1, "")
    paths = [Path(each.claim()) for each in (first, second, first)]
    assert paths[0] == paths[2] != paths[1]
    assert len(str(paths[0])) == len(str(paths[1]))
    (paths[1] / "web").mkdir()
    os.close(second._lock)  # as the kernel does when its process has died
    third = Directories("other", 1, "")
    assert Path(third.claim()).exists()
    third.remove()
    assert [path.exists() for path in paths[:2]] == [True, False]
    fourth = Directories("lan", 1, "")
    assert fourth.claim() == str(paths[1])
    (paths[1] / "web").mkdir()
    os.close(fourth._lock)
    again = Directories("lan", 1, "")
    assert list(Path(again.claim()).iterdir()) == []
    first.remove()
    again.remove()
    assert [*elsewhere.glob("netsim-*")] == []


def test_the_directory_of_all_stays_for_who_forks_runs(elsewhere: Path) -> None:
    first, second = Outer(), Outer()
    network = Directories("lan", 1, "")
    (root,) = elsewhere.glob("netsim-*")
    Path(network.claim()).joinpath("web").mkdir()
    network.remove()
    first.release()
    assert root.exists()
    second.release()
    assert not root.exists()


def test_networks_begin_while_the_last_one_ends(elsewhere: Path) -> None:
    def begin_and_end(number: int) -> None:
        for _ in range(100):
            network = Directories(f"lan-{number}", 1, "")
            assert Path(network.claim()).exists()
            network.remove()

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(begin_and_end, range(4)))
    assert [*elsewhere.glob("netsim-*")] == []


def test_a_place_that_others_can_write_to_is_refused(elsewhere: Path) -> None:
    (elsewhere / f"netsim-computers-{os.getuid()}").mkdir(mode=0o755)

    async def test(network: Network) -> None:
        with pytest.raises(Exception, match="not a private directory of yours; remove it, or set"):
            await network["web"].run(found)

    play("virtual", PLAN, test)
