"""What programs log at the end of their computer: nothing about being cancelled, and all else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio import events
from collections.abc import Iterator
from typing import Final

_CANCELLED: Final = f"{asyncio.CancelledError.__module__}.{asyncio.CancelledError.__qualname__}"
"""As tracebacks call it."""

_log = logging.getLogger("netsim.programs")


@contextlib.contextmanager
def cancellations_unlogged(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Drop what is logged on `loop` meanwhile and is no more than that a task was cancelled.

    Frameworks report every way in which their tasks end: uvicorn logs a traceback of 60 lines for a
    lifespan that is cancelled. Filters are at the loggers, so that no handler hears of it, those
    that a framework or pytest has installed included.
    """

    def is_news(record: logging.LogRecord) -> bool:
        return events._get_running_loop() is not loop or not _is_cancellation(record)

    known = logging.root.manager.loggerDict.values()
    loggers = [logging.root, *(each for each in known if isinstance(each, logging.Logger))]
    for logger in loggers:
        logger.addFilter(is_news)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_news)


def close_logs() -> None:
    """As at the end of an interpreter: handlers that programs have made write what they keep."""
    try:
        logging.shutdown()
    except Exception:  # noqa: BLE001  # handlers are the program's, and raise anything
        _log.exception("a handler of logging did not close")


def _is_cancellation(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, BaseExceptionGroup):
        return error.split(asyncio.CancelledError)[1] is None
    if error is not None:
        return isinstance(error, asyncio.CancelledError)
    # Some log the traceback as text; of a group it has a margin of bars.
    text = record.getMessage()
    lines = [line.strip(" |+-") for line in text.splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return "Traceback (most recent call last)" in text and last.startswith(_CANCELLED)
