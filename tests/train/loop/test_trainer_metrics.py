import math
import time

import pytest
import torch

from train.data.steps import Row
from train.loop.trainer import SETTLED, Counts, SpikeWatch, Window


def test_counts_are_those_of_all_rows():
    empty, whole = torch.zeros(0), torch.zeros(1, 52)
    ends, pixels = torch.tensor([0, 50, 52], dtype=torch.int32), torch.zeros(3, 3, 8, 8)
    rows = [
        Row(whole, whole, empty, empty, ((0, 5), (2, 3)), (50, 2), ends, pixels, 50),
        Row(whole, whole, empty, empty, ((2, 4),), (50, 2), ends, None, 50),
    ]
    counts = Counts.of(rows, 3, torch.device("cpu"))
    assert counts == Counts((5, 0, 7), tokens=100, places=104, images=3)
    assert counts.supervised == 12


def test_a_window_tells_loss_by_language_speed_padding_and_time_left(monkeypatch):
    clock = iter([10.0, 12.0, 14.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    window = Window(("en", "ur", "fr"), peak_flops=1000.0)
    for _ in range(2):
        window.add(
            torch.tensor([10.0, 6.0, 0.0]), Counts((5, 2, 0), tokens=90, places=100), flops=400.0
        )
    assert window.logs(steps_left=5) == {
        "loss_en": 2.0,
        "loss_ur": 3.0,
        "tokens_per_s": 45.0,
        "padding_share": pytest.approx(0.1),
        "eta_s": 10.0,
        "mfu": 0.2,
    }
    assert window.logs(steps_left=5) == {}


def test_without_a_known_peak_there_is_no_mfu():
    window = Window(("en",))
    window.add(torch.tensor([1.0]), Counts((1,), tokens=1, places=1), flops=1.0)
    assert "mfu" not in window.logs(0)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_a_problem_at_once(loss):
    assert SpikeWatch(None).problem(loss) == f"the loss is {loss}"


def test_a_spike_is_told_against_the_median_and_not_remembered():
    watch = SpikeWatch(5.0)
    assert [watch.problem(1.0) for _ in range(SETTLED - 1)] == [None] * (SETTLED - 1)
    assert watch.problem(6.0) is None  # too early to tell
    assert watch.problem(6.0) == "the loss is 6, 5 times the median 1"
    assert watch.problem(4.9) is None
    assert SpikeWatch(None).problem(1e9) is None
