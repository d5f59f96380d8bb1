"""aiohttp's name resolution, kept inside the network.

With `aiodns` installed, aiohttp asks real DNS servers through a C library, past the event loop.
Its other resolver, the default without aiodns, asks `loop.getaddrinfo`, which on an ordinary
loop means the operating system, and on a computer's its hosts table.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Final

from netsim.aio.host_loop import HostLoop

_computers: Final[weakref.WeakSet[HostLoop]] = weakref.WeakSet()
"""Loops of computers that have not ended."""
_replaced: Final[dict[str, Any]] = {}
"""aiohttp's own default resolver, while there is a computer."""


def computer_begins(loop: HostLoop) -> None:
    """Until it ends, aiohttp's connectors on computers resolve names through their loops.

    Those on other loops of the process have aiohttp's own default, as ever.
    """
    _computers.add(loop)
    if not _replaced:
        _replace()


def computer_ends(loop: HostLoop) -> None:
    """With the last one aiohttp is what it was."""
    _computers.discard(loop)
    if not _computers and _replaced:
        _restore()


def _replace() -> None:
    # Imported here, because aiohttp takes longer to import than all of this package.
    import aiohttp.resolver

    ordinary: Any = aiohttp.resolver.DefaultResolver

    class DefaultResolver(ordinary):  # type: ignore[misc]  # one of two classes
        def __new__(
            cls, loop: asyncio.AbstractEventLoop | None = None, *args: Any, **kwargs: Any
        ) -> Any:
            if cls is DefaultResolver and isinstance(loop or asyncio.get_running_loop(), HostLoop):
                return aiohttp.resolver.ThreadedResolver(loop)
            return super().__new__(cls)

    _replaced.update(ordinary=ordinary, ours=DefaultResolver)
    _set(DefaultResolver)


def _restore() -> None:
    import aiohttp.resolver

    ordinary, ours = _replaced.pop("ordinary"), _replaced.pop("ours")
    if aiohttp.resolver.DefaultResolver is ours:  # else somebody has replaced it since
        _set(ordinary)


def _set(resolver: Any) -> None:
    import aiohttp.connector
    import aiohttp.resolver

    for module in (aiohttp, aiohttp.connector, aiohttp.resolver):
        vars(module)["DefaultResolver"] = resolver
