"""How late a node runs behind the due times of its events: whether its timing can be trusted."""

from __future__ import annotations

from typing import Any


class Lateness:
    """A histogram over powers of two of a microsecond, one sample for each wake-up."""

    __slots__ = ("_buckets", "max_ns", "samples")

    def __init__(self) -> None:
        self._buckets = [0] * 32
        self.samples = 0
        self.max_ns = 0

    def add(self, late_ns: int) -> None:
        """The oldest event handled by one wake-up was this late."""
        self.samples += 1
        if late_ns > self.max_ns:
            self.max_ns = late_ns
        self._buckets[min((late_ns // 1000).bit_length(), 31)] += 1

    def percentile_us(self, percent: float) -> int:
        """Upper edge in µs of the bucket that holds this percentile; 0 without samples."""
        wanted = self.samples * percent / 100
        seen = 0
        for exponent, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return int(1 << exponent)
        return 0

    def summary(self) -> dict[str, Any]:
        """For `inspect`."""
        return {
            "samples": self.samples,
            "median_us": self.percentile_us(50),
            "p99_us": self.percentile_us(99),
            "max_us": self.max_ns // 1000,
        }
