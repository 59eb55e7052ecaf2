"""The filters' benchmark on a part of its rows: limits that hold, faults that are faults."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults import FAULTS, faulty
from benchmarks.filters import APART, LIMITS
from refine.pairs import read_pairs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def gold():
    return {
        path.stem[-2:]: list(read_pairs(path))[:60]
        for path in (ROOT / "benchmarks/gold").glob("*.tsv")
    }


@pytest.mark.parametrize("name", [*FAULTS, "swapped"])
def test_a_fault_changes_what_it_is_made_of_and_is_the_same_twice(gold, name):
    for lang, rows in gold.items():
        made = faulty(name, lang, gold)
        assert made
        assert made == faulty(name, lang, gold)
        good = {(row.source, row.target) for row in rows}
        engine = name == "truncation"  # cut to the same text where it is short enough
        assert engine or not [one for one in made if (one.source, one.target) in good]


@pytest.mark.slow
def test_the_limits_hold_on_all_rows():
    done = subprocess.run(
        [sys.executable, "benchmarks/filters.py", "--table"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert set(APART) >= {"swapped"}
    for name, limit in LIMITS.items():
        met = figures[name] <= limit if name.startswith("gold") else figures[name] >= limit
        assert met, (name, figures[name])
    for one in figures["world"].values():
        assert one["reject"] <= LIMITS["gold_reject_max"]
        assert one["review"] <= LIMITS["gold_review_max"]
    assert done.stdout.startswith("| share, % | zh | fr |")
