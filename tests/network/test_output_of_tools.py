"""A tool whose output nobody takes stands still, and is not collected elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

from networks import HTTPBIN, two_computers

from netsim import Network
from netsim.site.backend import ToolRun


def test_a_tool_waits_for_who_reads(tmp_path: Path) -> None:
    async def main() -> None:
        printed = 0
        asked, may_go_on = asyncio.Event(), asyncio.Event()

        def output(stream: str, data: bytes) -> None:
            nonlocal printed
            printed += len(data)

        async def taken() -> None:
            asked.set()
            await may_go_on.wait()

        async with Network(two_computers(tmp_path, web=HTTPBIN)) as net:
            argv = ("curl", "-s", "http://web/bytes/4000000")
            tool = ToolRun(argv=argv, cwd="/", output=output, taken=taken)
            running = asyncio.create_task(net.exec("alice", tool))
            await asked.wait()
            before = printed
            assert 256 * 1024 < before < 1_000_000
            # Others are not held up, and meanwhile nothing more comes.
            assert (await net["alice"].ping("web", count=2, interval=0.3)).received == 2
            assert printed == before
            may_go_on.set()
            assert await running == 0
            assert printed == 4_000_000

    asyncio.run(main())
