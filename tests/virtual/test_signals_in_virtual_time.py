"""Signals of programs on computers: nothing of them reaches the process that runs the network."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from plans import plan_of

from netsim import Network, run

PLAN = plan_of("alice web delay=1ms")


async def until_told() -> list[int]:
    """As servers do: they end when a signal says so."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    heard: list[int] = []

    def hear(number: int) -> None:
        heard.append(number)
        told.set()

    loop.add_signal_handler(signal.SIGTERM, hear, signal.SIGTERM)
    loop.call_later(1, os.kill, os.getpid(), signal.SIGTERM)
    await told.wait()
    assert loop.remove_signal_handler(signal.SIGTERM)
    assert not loop.remove_signal_handler(signal.SIGTERM)
    return heard


async def ends_itself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def sets_a_handler() -> None:
    signal.signal(signal.SIGINT, print)
    await asyncio.Event().wait()


async def refused() -> dict[str, str]:
    loop: Any = asyncio.get_running_loop()
    given: list[tuple[Any, ...]] = [(signal.SIGKILL, print), (1, until_told), (1000, print)]
    words = {}
    for args in [*given, ("TERM", print)]:
        try:
            loop.add_signal_handler(*args)
        except (RuntimeError, TypeError, ValueError) as error:
            words[str(args[0])] = str(error)
    return words


def test_a_signal_to_itself_is_heard_by_a_handler_of_asyncios() -> None:
    async def main() -> list[int]:
        async with Network(PLAN, time="virtual") as network:
            return await network["alice"].run(until_told)

    assert run(main()) == [signal.SIGTERM]


def test_what_asyncio_refuses_is_refused_in_its_words() -> None:
    async def main() -> dict[str, str]:
        async with Network(PLAN, time="virtual") as network:
            return await network["alice"].run(refused)

    assert run(main()) == {
        str(signal.SIGKILL): f"sig {signal.SIGKILL} cannot be caught",
        "1": "coroutines cannot be used with add_signal_handler()",
        "1000": "invalid signal number 1000",
        "TERM": "sig must be an int, not 'TERM'",
    }


def test_a_signal_without_a_handler_ends_its_computer_alone() -> None:
    async def main() -> list[str]:
        async with Network(PLAN, time="virtual") as network:
            with pytest.raises(ConnectionError, match="web has crashed"):
                await network["web"].run(ends_itself)
            assert (await network["alice"].ping("alice", count=1)).received == 1
            network.errors.clear()
            return [event.text for event in network.timeline if event.node == "web"]

    assert "web was killed by SIGTERM" in run(main())


def test_a_handler_dies_with_its_program() -> None:
    async def main() -> None:
        async with Network(PLAN, time="virtual") as network:
            before = signal.getsignal(signal.SIGINT)
            program = asyncio.ensure_future(network["web"].run(sets_a_handler))
            await asyncio.sleep(1)
            assert signal.getsignal(signal.SIGINT) is before
            await network["web"].kill_program()
            assert await network["web"].run(_handler) == "SIG_IGN"
            await asyncio.gather(program, return_exceptions=True)

    run(main())


async def _handler() -> str:
    handler = signal.getsignal(signal.SIGINT)
    assert isinstance(handler, signal.Handlers)
    return handler.name


def test_ctrl_c_ends_the_run_though_a_program_has_a_handler(tmp_path: Path) -> None:
    """It comes while programs run for ever: the test hears of it, and nobody else."""
    script = tmp_path / "interrupted.py"
    script.write_text(
        "import asyncio, os, signal\n"
        "import networkx\n"
        "from netsim import Network, run\n"
        "async def server():\n"
        "    signal.signal(signal.SIGINT, lambda *_: print('the program has it'))\n"
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, print, 'it has')\n"
        "    while True: await asyncio.sleep(1)\n"
        "async def main():\n"
        "    async with Network(networkx.path_graph(2), time='virtual') as net:\n"
        "        program = asyncio.ensure_future(net['0'].run(server))\n"
        "        await asyncio.sleep(3)\n"
        "        signal.raise_signal(signal.SIGINT)  # as the terminal sends it\n"
        "        await asyncio.sleep(1_000_000)\n"
        "run(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert ended.stdout == ""
