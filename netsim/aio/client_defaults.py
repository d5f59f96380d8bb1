"""What HTTP clients keep for the whole process, kept to each computer: names, and whom TLS trusts.

aiohttp: with `aiodns` installed, it asks real DNS servers through a C library, past the event loop.
Its other resolver, the default without aiodns, asks `loop.getaddrinfo`, which on an ordinary
loop means the operating system, and on a computer's its hosts table.

The TLS context of its client is made when it is imported, from the process's environment. A
computer has one of its own, made when it is first wanted, from the computer's.

urllib: `urlopen` keeps the opener that it has made for its first request, and from Python 3.12 on
that one keeps a TLS context. On computers it makes a context for each connection, as before 3.12.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
import weakref
from typing import Any, Final

from netsim.aio.host_loop import HostLoop

_computers: Final[weakref.WeakSet[HostLoop]] = weakref.WeakSet()
"""Loops of computers that have not ended."""
_replaced: Final[dict[str, Any]] = {}
"""What is the libraries' own and what stands in its place, while there is a computer."""
_contexts: Final[weakref.WeakKeyDictionary[HostLoop, ssl.SSLContext]] = weakref.WeakKeyDictionary()
"""With which clients on computers verify servers."""


def computer_begins(loop: HostLoop) -> None:
    """Until it ends, aiohttp's connectors on computers resolve names through their loops.

    Those on other loops of the process have aiohttp's own default, as ever. urllib begins anew.
    """
    _computers.add(loop)
    if not _replaced:
        _replace()


def computer_ends(loop: HostLoop) -> None:
    """With the last one aiohttp and urllib are what they were."""
    _computers.discard(loop)
    _contexts.pop(loop, None)
    if not _computers and _replaced:
        _restore()


def _replace() -> None:
    # Imported here, because aiohttp takes longer to import than all of this package.
    from urllib import request

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

    connector: Any = aiohttp.connector.TCPConnector
    choose = connector._get_ssl_context

    def choose_here(self: Any, request: Any) -> Any:
        chosen = choose(self, request)
        is_default = chosen is not None and chosen is aiohttp.connector._SSL_CONTEXT_VERIFIED
        return _own_context(self._loop) if is_default and self._loop in _computers else chosen

    connector._get_ssl_context = choose_here
    _replaced.update(ordinary=ordinary, ours=DefaultResolver, choose=choose, here=choose_here)
    kept: Any = request
    _replaced.update(opener=kept._opener, handler=kept.HTTPSHandler.__init__)
    kept._opener, kept.HTTPSHandler.__init__ = None, _keeping_no_default
    _set(DefaultResolver)


def _keeping_no_default(handler: Any, *args: Any, **kwargs: Any) -> None:
    """An HTTPSHandler that nobody has told whom to trust: each of its connections asks anew."""
    made = _replaced["handler"]
    told = inspect.signature(made).bind(handler, *args, **kwargs).arguments
    made(handler, *args, **kwargs)
    if told.get("context") is None and told.get("check_hostname") is None:
        handler._context = None


def _own_context(loop: HostLoop) -> ssl.SSLContext:
    if loop not in _contexts:
        _contexts[loop] = ssl.create_default_context()
        _contexts[loop].set_alpn_protocols(["http/1.1"])  # as aiohttp's
    return _contexts[loop]


def _restore() -> None:
    from urllib import request

    import aiohttp.connector
    import aiohttp.resolver

    kept: Any = request
    kept._opener, kept.HTTPSHandler.__init__ = _replaced.pop("opener"), _replaced.pop("handler")
    connector: Any = aiohttp.connector.TCPConnector
    choose, here = _replaced.pop("choose"), _replaced.pop("here")
    if connector._get_ssl_context is here:
        connector._get_ssl_context = choose
    ordinary, ours = _replaced.pop("ordinary"), _replaced.pop("ours")
    if aiohttp.resolver.DefaultResolver is ours:  # else somebody has replaced it since
        _set(ordinary)


def _set(resolver: Any) -> None:
    import aiohttp.connector
    import aiohttp.resolver

    for module in (aiohttp, aiohttp.connector, aiohttp.resolver):
        vars(module)["DefaultResolver"] = resolver
