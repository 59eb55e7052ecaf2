"""How often each sample id was seen, in 8 bytes an id: millions of them weigh nothing."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np


class SeenIds:
    """A multiset of ids, kept as 64-bit digests in order.

    Of ten million ids two share a digest with a chance of 3 in a million.
    """

    def __init__(self) -> None:
        self._digests = np.empty(0, dtype=np.uint64)

    def add(self, ids: Sequence[str]) -> list[int]:
        """Takes in the ids of a shard; how often each was seen before, earlier ones of it too."""
        data = b"".join(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in ids)
        new = np.frombuffer(data, dtype=np.uint64)
        first = np.searchsorted(self._digests, new, side="left")
        before = np.searchsorted(self._digests, new, side="right") - first
        ordered = np.sort(new)
        places = np.searchsorted(self._digests, ordered)
        self._digests = np.insert(self._digests, places, ordered)
        here: Counter[int] = Counter()
        times = []
        for one, earlier in zip(new.tolist(), before.tolist(), strict=True):
            times.append(earlier + here[one])
            here[one] += 1
        return times
