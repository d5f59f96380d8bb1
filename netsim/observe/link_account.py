"""Accounting for the frames of a link: nothing may vanish, nothing may appear from nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from netsim.core.errors import NetsimError


class UnbalancedLinkError(NetsimError):
    """Frames of a link went missing or appeared from nowhere: netsim itself is wrong."""

    def __init__(self, account: LinkAccount) -> None:
        unexplained = account.unexplained()
        what = "disappeared" if unexplained > 0 else "came from nowhere"
        super().__init__(f"{account}: {abs(unexplained)} frames {what}")
        self.account = account


@dataclass(frozen=True, slots=True)
class LinkAccount:
    """The fates of all frames of one direction of a link, collected from both its ends."""

    name: str
    """The sending interface, `r1/eth0`."""
    sent: int
    """Frames the sender gave to the link."""
    duplicated: int
    """Copies the link made."""
    delivered: int
    """Frames the receiving node took."""
    in_flight: int
    """Frames in the queue, on the wire, or waiting at the receiver for their time."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Frames by reason, those dropped by sender and receiver added up."""

    def unexplained(self) -> int:
        """sent + duplicated - delivered - dropped - in flight: zero when all is well."""
        dropped = sum(self.dropped.values())
        return self.sent + self.duplicated - self.delivered - dropped - self.in_flight

    def check(self) -> None:
        """UnbalancedLinkError unless sent + duplicated = delivered + dropped + in flight."""
        if self.unexplained():
            raise UnbalancedLinkError(self)

    def __str__(self) -> str:
        dropped = " ".join(f"{reason}={frames}" for reason, frames in self.dropped.items())
        return (
            f"{self.name}: sent {self.sent} + duplicated {self.duplicated}, delivered "
            f"{self.delivered} + dropped [{dropped}] + in flight {self.in_flight}"
        )
