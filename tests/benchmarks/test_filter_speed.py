from importlib.util import find_spec

import pytest

from tests.test_structure import FILES, imported


@pytest.mark.slow
def test_it_runs_on_few_rows_and_prints_its_figures_last(run_benchmark):
    """The peer is no part of the pinned environment: where it is not installed, that is said."""
    printed, figures = run_benchmark("filter_speed", "--rows", 4000)
    assert figures["rows"] == 4000
    assert {"segments_per_s_30", "segments_per_s_240", "peak_rss_mib"} == figures["limits"].keys()
    assert all(figures[name] > 0 for name in figures["limits"])
    peaks = [figures[f"peak_rss_mib_{name}"] for name in ("few", "30", "240")]
    assert figures["peak_rss_mib"] == max(peaks)
    with_peer = find_spec("datatrove") is not None
    peer = [figures[f"datatrove_per_s_{name}"] for name in ("30", "240")]
    assert [speed is not None for speed in peer] == [with_peer] * 2
    assert (figures["ratio_to_datatrove"] is not None) == with_peer
    assert len(printed.splitlines()) == 3  # after each length, what is known so far


def test_the_peer_is_judged_without_palo():
    packages = {name.split("/")[0] for name in FILES}
    assert imported("benchmarks/datatrove_filters.py") & packages == set()
