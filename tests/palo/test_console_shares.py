"""Wilson's interval against published values."""

import pytest

from palo.console import wilson


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 300, 0.0, 0.0126), (6, 300, 0.0092, 0.0429), (5, 5, 0.5655, 1.0), (0, 0, 0.0, 1.0)],
)
def test_the_interval_holds_what_the_tables_say(hits, total, low, high):
    assert wilson(hits, total) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
