"""The present time, and what is going to happen."""

from __future__ import annotations

from netsim.site.driver import Agenda


class Schedule:
    """Shared by all that lives in one virtual time."""

    def __init__(self) -> None:
        self.now = 0
        """ns."""
        self.agenda: Agenda = []
        """A heap; see `netsim.site.driver`."""
