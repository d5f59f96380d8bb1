"""Which network a command means: one of this machine, or the one behind an address.

`NETSIM_CONTROL` (or `netsim --control`) is the address, `NETSIM_CONTROL_TOKEN` its token.
"""

from __future__ import annotations

import os
from typing import Final

from netsim.control import state_directory
from netsim.control.control_client import ControlClient
from netsim.control.places import Place, RemotePlace
from netsim.core.errors import NotRunningError

ADDRESS: Final = "NETSIM_CONTROL"
TOKEN: Final = "NETSIM_CONTROL_TOKEN"


def remote() -> RemotePlace | None:
    """The network that the environment names."""
    url = os.environ.get(ADDRESS)
    return RemotePlace(url, os.environ.get(TOKEN, "").strip()) if url else None


def find(name: str | None) -> Place:
    """The network behind the address, or else the one of this name on this machine.

    NotRunningError says what there is.
    """
    place = remote()
    if place is None:
        return state_directory.find(name)
    if name is not None:
        found = ControlClient(place).summary()["name"]
        if found != name:
            raise NotRunningError(f"the network at {place.name} is `{found}`, not `{name}`")
    return place
