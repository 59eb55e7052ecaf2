"""Agreement has the values that its inventors published."""

import pytest

from refine.review_status import agreement, cohen_kappa, krippendorff_alpha

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: nominal alpha 0.743
ROWS = (
    ("1", "2", "3", "3", "2", "1", "4", "1", "2", "", "", ""),
    ("1", "2", "3", "3", "2", "2", "4", "1", "2", "5", "", "3"),
    ("", "3", "3", "3", "2", "3", "4", "2", "2", "5", "1", ""),
    ("1", "2", "3", "3", "2", "4", "4", "1", "2", "5", "1", ""),
)
UNITS = [[label for label in unit if label] for unit in zip(*ROWS, strict=True)]


def test_kappa_is_the_textbooks():
    counts = {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}
    pairs = [pair for pair, count in counts.items() for _ in range(count)]
    assert cohen_kappa(pairs) == pytest.approx(0.4)


def test_alpha_is_krippendorffs_own_with_missing_labels():
    assert krippendorff_alpha(UNITS) == pytest.approx(0.743, abs=0.0005)


def test_full_agreement_is_one_and_disagreement_may_be_below_chance():
    assert cohen_kappa([("a", "a"), ("b", "b")]) == 1
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert cohen_kappa([("a", "b"), ("b", "a")]) == -1


def test_no_shared_turn_or_one_label_only_says_nothing():
    assert agreement([{"Ana": "fix"}, {"Ben": "fix"}]) is None
    assert agreement([{"Ana": "fix", "Ben": "fix"}]) is None


def test_two_reviewers_get_kappa_and_three_alpha():
    two = [{"Ana": "fix", "Ben": "fix"}, {"Ana": "fix", "Ben": "accept"}]
    assert agreement(two) == 0
    three = [*two, {"Ana": "fix", "Eve": "accept"}]
    assert agreement(three) == krippendorff_alpha([list(one.values()) for one in three])
