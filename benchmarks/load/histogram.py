"""Times in buckets that grow by one per cent: quantiles of any number of them, wrong by half a per cent at most."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

_SMALLEST = 1e-6
_GROWTH = 1.01
_LOG = math.log(_GROWTH)


@dataclass(slots=True)
class Histogram:
    """Seconds, counted in buckets; the largest is kept as it is."""

    counts: Counter[int] = field(default_factory=Counter)
    largest: float = 0.0

    def record(self, seconds: float) -> None:
        """Count one; what is shorter than a microsecond counts as one."""
        self.counts[int(math.log(max(seconds, _SMALLEST) / _SMALLEST) / _LOG)] += 1
        self.largest = max(self.largest, seconds)

    @property
    def total(self) -> int:
        return self.counts.total()

    def quantile(self, share: float) -> float:
        """The time that this share of all took at most (nearest rank), in seconds; 0 when there is none."""
        wanted, seen = math.ceil(share * self.total), 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return min(_SMALLEST * _GROWTH ** (bucket + 0.5), self.largest)
        return 0.0

    def merge(self, other: "Histogram") -> None:
        """Count what the other counted too."""
        self.counts.update(other.counts)
        self.largest = max(self.largest, other.largest)

    def plain(self) -> dict[str, object]:
        """For JSON: `[bucket, count]` in order; bucket b begins at 1.01 to the b-th microseconds."""
        return {"largest": self.largest, "buckets": sorted(self.counts.items())}

    @classmethod
    def from_plain(cls, plain: Mapping[str, object]) -> "Histogram":
        """What `plain` gave."""
        buckets, largest = plain["buckets"], plain["largest"]
        if not isinstance(buckets, list) or not isinstance(largest, float | int):
            raise ValueError("expected a histogram: largest and buckets")
        return cls(counts=Counter({int(bucket): int(count) for bucket, count in buckets}), largest=float(largest))
