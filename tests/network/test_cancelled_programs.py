"""What a framework logs when the end of the network cancels it, in both times."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from networks import play, until

from netsim import Network

PROGRAM = """\
import asyncio, logging, sys, traceback

log = logging.getLogger("framework")
log.propagate = False
log.addHandler(logging.StreamHandler())  # as uvicorn has one of its own

async def lifespan():
    print("open")
    try:
        await asyncio.Event().wait()
    except BaseException:
        log.error(traceback.format_exc())  # as starlette has it told
        raise

async def serve():
    task = asyncio.create_task(lifespan())
    try:
        async with asyncio.TaskGroup() as requests:
            requests.create_task(asyncio.Event().wait())
    except BaseException as error:
        log.error("exception in application", exc_info=True)
        log.error("in a group", exc_info=BaseExceptionGroup("requests", [error]))
        text = traceback.format_exception(BaseExceptionGroup("requests", [error]))
        log.error("".join(text))
        log.error("a cancelled request was not paid")
        try:
            1 / 0
        except ZeroDivisionError:
            log.error("a bug at the end", exc_info=True)
        raise
"""


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_that_it_was_cancelled_is_no_news(time: Literal["virtual", "real"], tmp_path: Path) -> None:
    module = f"cancelled_{time}"
    (tmp_path / f"{module}.py").write_text(PROGRAM)
    file = tmp_path / "one.yaml"
    file.write_text(f'name: one\nnodes: {{web: {{kind: computer, run: "{module}:serve"}}}}\n')

    async def test(network: Network) -> None:
        await until(network, lambda: bool(network.logs()["lines"]))

    network = play(time, file, test)
    text = "\n".join(line["text"] for line in network.logs()["lines"])
    assert "CancelledError" not in text.partition("a bug at the end")[0]
    assert "exception in application" not in text
    assert "a cancelled request was not paid" in text
    assert "ZeroDivisionError" in text
