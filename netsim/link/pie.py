"""PIE, proportional integral controller enhanced (RFC 8033): drops arrivals at random, with a
probability that follows the delay of the queue and where it tends to.

The names are those of the pseudo-code in section 4. The dequeue rate need not be estimated (5.2):
it is the link's. Updates that were due are made when something happens: before, nothing changes.
"""

from __future__ import annotations

from random import Random
from typing import Final

from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import PieQueue
from netsim.core.time import MILLISECOND, SECOND
from netsim.link.early_drop import EarlyDrop
from netsim.link.link_counters import LinkCounters
from netsim.link.queue_discipline import Drop

T_UPDATE: Final = 15 * MILLISECOND
ALPHA: Final = 0.125
BETA: Final = 1.25
"""In Hz, for this T_UPDATE (4.2)."""
MAX_BURST: Final = 150 * MILLISECOND
MEAN_PKTSIZE: Final = 1024
MARK_ECNTH: Final = 0.1
_SCALES: Final = ((1e-6, 2048), (1e-5, 512), (1e-4, 128), (1e-3, 32), (0.01, 8), (0.1, 2))
"""Below these probabilities changes are smaller by so much (4.2)."""


class Pie(EarlyDrop):
    """A queue in which a probability decides about what arrives."""

    def __init__(
        self, attributes: LinkAttributes, random: Random, drop: Drop, counters: LinkCounters
    ) -> None:
        super().__init__(attributes, random, drop, counters)
        self.drop_prob = 0.0
        self._qdelay_old = 0.0
        """s."""
        self._burst_allowance = MAX_BURST
        self._next_update = T_UPDATE

    def take(self, departure: int) -> bytes | None:
        self._update(departure)
        return super().take(departure)

    def _configure(self, attributes: LinkAttributes, rate: float | None) -> None:
        settings = attributes.queue
        assert isinstance(settings, PieQueue), "the link makes another queue for others"
        self._limit = settings.limit
        self._ecn = settings.ecn
        self._target = settings.target_ns / SECOND
        self._octet_time = 8 / rate if rate else 0.0

    def _note_arrival(self, now: int) -> None:
        self._update(now)

    def _may_mark(self) -> bool:
        return self._ecn and self.drop_prob < MARK_ECNTH  # 5.1

    def _is_chosen(self, octets: int) -> bool:
        """4.1, behind the allowance for bursts (4.4)."""
        if self._burst_allowance > 0:
            return False
        if self._qdelay_old < self._target / 2 and self.drop_prob < 0.2:
            return False
        if self.octets <= 2 * MEAN_PKTSIZE:
            return False
        return self._random.random() < self.drop_prob

    def _update(self, now: int) -> None:
        """All updates that were due by `now`."""
        while self._next_update <= now:
            current_qdelay = self.octets * self._octet_time
            if not (current_qdelay or self._qdelay_old or self.drop_prob):
                # An idle queue stays as it is.
                self._burst_allowance = MAX_BURST
                self._next_update += -(-(now + 1 - self._next_update) // T_UPDATE) * T_UPDATE
                return
            self._calculate_drop_prob(current_qdelay)
            self._next_update += T_UPDATE

    def _calculate_drop_prob(self, current_qdelay: float) -> None:
        """4.2 to 4.4, and 5.5."""
        p = ALPHA * (current_qdelay - self._target) + BETA * (current_qdelay - self._qdelay_old)
        p /= next((scale for below, scale in _SCALES if self.drop_prob < below), 1)
        if self.drop_prob >= 0.1 and p > 0.02:
            p = 0.02
        self.drop_prob += p
        if current_qdelay == 0 and self._qdelay_old == 0:
            self.drop_prob *= 0.98
        self.drop_prob = min(max(self.drop_prob, 0.0), 1.0)
        half = self._target / 2
        is_over = self.drop_prob == 0 and current_qdelay < half and self._qdelay_old < half
        self._burst_allowance = MAX_BURST if is_over else max(0, self._burst_allowance - T_UPDATE)
        self._qdelay_old = current_qdelay
