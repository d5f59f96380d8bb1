"""An internet you can pip install.

    from netsim import Network, run

`Network` is the whole of the Python API; `run` is `asyncio.run` in virtual time. They are imported
when they are asked for, so that `import netsim` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsim.network.network import Network as Network
    from netsim.virtual.loops import run as run
else:

    def __getattr__(name: str) -> object:
        if name == "Network":
            from netsim.network.network import Network

            return Network
        if name == "run":
            from netsim.virtual.loops import run

            return run
        raise AttributeError(f"module 'netsim' has no attribute {name!r}")


__all__ = ["Network", "run"]
