import numpy as np
import pytest

from benchmarks.conversations import MAX_LENGTH, drawn_lengths, reader


@pytest.mark.slow
def test_it_runs_at_small_size_and_prints_its_figures_last(run_benchmark):
    _, figures = run_benchmark("training", "--small")
    assert figures.keys() >= {"ratio_to_plain", "ratio_to_grouped", "loader_samples_per_s"}
    assert figures["padding_share"] <= figures["limits"]["padding_share"]
    assert figures["padding_share_8"] + figures["idle_share_8"] < 0.03
    assert figures["ours_padding_share"] < 0.02 < figures["plain_padding_share"]
    # the same conversations from the same weights, in another order
    assert figures["ours_loss"] == pytest.approx(figures["plain_loss"], rel=0.02)
    assert figures["grouped_loss"] == pytest.approx(figures["plain_loss"], rel=0.02)
    assert len(figures["ratio_to_plain_rounds"]) == 2


def test_conversations_come_out_about_as_long_as_they_were_drawn(tmp_path):
    wanted = drawn_lengths(200, 4)
    read = reader(tmp_path / "made", wanted, 4, 96, 8)
    assert read.lengths.max() <= MAX_LENGTH // 4
    assert abs(read.lengths.mean() - wanted.mean()) < 40
    assert np.corrcoef(read.lengths, wanted)[0, 1] > 0.95
    assert [example.image is None for example in read.examples[:16]] == [False] * 15 + [True]
    assert read.item(0).pixels.shape == (3, 96, 96)
