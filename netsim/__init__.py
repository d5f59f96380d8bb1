"""An internet you can pip install.

`netsim.Network` is the whole of the Python API. It is imported when it is asked for, so that
`import netsim` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsim.runtime.network import Network as Network
else:

    def __getattr__(name: str) -> object:
        if name == "Network":
            from netsim.runtime.network import Network

            return Network
        raise AttributeError(f"module 'netsim' has no attribute {name!r}")


__all__ = ["Network"]
