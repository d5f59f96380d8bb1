"""aiohttp's name resolution, kept inside the network.

With `aiodns` installed, aiohttp asks real DNS servers through a C library, past the event loop.
Its other resolver, the default without aiodns, asks `loop.getaddrinfo`, which on an ordinary
loop means the operating system, and on a computer's its hosts table.
"""

from __future__ import annotations


def resolve_through_the_loop() -> None:
    """Have every aiohttp connector made from now on resolve names through its loop."""
    # Imported here, because aiohttp takes longer to import than all of this package.
    import aiohttp.connector
    import aiohttp.resolver

    for module in (aiohttp, aiohttp.connector, aiohttp.resolver):
        module.DefaultResolver = aiohttp.resolver.ThreadedResolver  # type: ignore[attr-defined]
