"""aiohttp's name resolution, kept inside the network.

With `aiodns` installed, aiohttp asks real DNS servers through a C library, past the event loop.
Its other resolver, the default without aiodns, asks `loop.getaddrinfo`, which on an ordinary
loop means the operating system, and on a computer's its hosts table.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from netsim.aio.host_loop import HostLoop


@cache
def resolve_through_the_loop() -> None:
    """From now on aiohttp's connectors on a computer resolve names through its loop.

    Those on other loops of the process have aiohttp's own default, as ever.
    """
    # Imported here, because aiohttp takes longer to import than all of this package.
    import aiohttp.connector
    import aiohttp.resolver

    ordinary: Any = aiohttp.resolver.DefaultResolver

    class DefaultResolver(ordinary):  # type: ignore[misc]  # one of two classes
        def __new__(
            cls, loop: asyncio.AbstractEventLoop | None = None, *args: Any, **kwargs: Any
        ) -> Any:
            if cls is DefaultResolver and isinstance(loop or asyncio.get_running_loop(), HostLoop):
                return aiohttp.resolver.ThreadedResolver(loop)
            return super().__new__(cls)

    for module in (aiohttp, aiohttp.connector, aiohttp.resolver):
        vars(module)["DefaultResolver"] = DefaultResolver
