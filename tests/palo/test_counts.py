from palo.counts import TemporaryCounts


def test_the_first_who_claims_a_key_learns_how_often_it_was_met():
    with TemporaryCounts() as counts:
        counts.add([("a", False), ("b", False), ("a", False)])
        assert [counts.claim(key) for key in ("a", "a", "b", "c")] == [2, 0, 1, 0]


def test_a_key_that_was_claimed_before_is_no_ones():
    with TemporaryCounts() as counts:
        counts.add([("a", False), ("a", True)])
        assert counts.claim("a") == 0
