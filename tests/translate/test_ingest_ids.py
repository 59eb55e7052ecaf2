import random
from collections import Counter

from translate.ingest import SeenIds


def test_it_says_how_often_each_id_was_seen_before_in_this_shard_and_earlier():
    seen = SeenIds()
    assert seen.add(["a", "b", "a"]) == [0, 0, 1]
    assert seen.add(["c", "a", "b", "a"]) == [0, 2, 1, 3]
    assert seen.add([]) == []
    assert seen.add(["é", "c"]) == [0, 1]


def test_it_counts_as_a_counter_does_over_any_cut_into_shards():
    rng = random.Random(5)
    seen, plain = SeenIds(), Counter()
    for _ in range(50):
        ids = [str(rng.randrange(300)) for _ in range(rng.randrange(40))]
        expected = []
        for one in ids:
            expected.append(plain[one])
            plain[one] += 1
        assert seen.add(ids) == expected
