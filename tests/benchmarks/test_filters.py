"""The filters' benchmark on a part of its rows: limits that hold, faults that are faults."""

import pytest

from benchmarks.faults import FAULTS, faulty
from benchmarks.filters import APART, LIMITS
from benchmarks.harness import gold_pairs
from palo.languages import TARGETS


@pytest.fixture(scope="module")
def gold():
    pairs = gold_pairs(60)
    assert set(pairs) == set(TARGETS) and all(len(rows) == 60 for rows in pairs.values())
    return pairs


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_what_it_is_made_of_and_is_the_same_twice(gold, name):
    for lang, rows in gold.items():
        made = faulty(name, lang, gold)
        assert made
        assert made == faulty(name, lang, gold)
        good = {(row.source, row.target) for row in rows}
        engine = name == "truncation"  # cut to the same text where it is short enough
        assert engine or not [pair for pair in made if (pair.source, pair.target) in good]


@pytest.mark.slow
def test_the_limits_hold_on_all_rows(run_benchmark):
    printed, figures = run_benchmark("filters", "--table")
    assert set(figures["recall"]) == set(FAULTS)
    told_apart = {name for name in FAULTS if figures.get(f"{name}_recall") is not None}
    assert told_apart == set(APART)
    for name, limit in LIMITS.items():
        met = figures[name] <= limit if name.startswith("gold") else figures[name] >= limit
        assert met, (name, figures[name])
    assert set(figures["world"]) == set(TARGETS)
    for shares in figures["world"].values():
        assert shares["reject"] <= LIMITS["gold_reject_max"]
        assert shares["review"] <= LIMITS["gold_review_max"]
    assert printed.startswith("| share, % | zh | fr |")
