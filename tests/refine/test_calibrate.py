import random

import pytest
import yaml

from palo.checks.language import Detection
from palo.errors import UserError
from refine.calibrate import calibrated, write_thresholds
from refine.filters import TurnPair, load_thresholds, shipped


def pairs(count, ratio):
    """Texts of letters alone, whose lengths stand in a known ratio."""
    rng = random.Random(0)
    for at in range(count):
        size = rng.randint(40, 80)
        yield TurnPair("x" * size, "y" * round(size * ratio * (1 + (at % 11 - 5) / 100)))


def test_the_band_holds_what_the_pairs_are():
    bands = calibrated(list(pairs(400, 1.5)), "fr")
    assert bands.usual_ratio == pytest.approx(1.5, abs=0.02)
    low, high = bands.length_ratio
    assert (low, high) == (pytest.approx(1.42, abs=0.02), pytest.approx(1.58, abs=0.02))
    assert bands.script_share == 0.95


def test_too_few_pairs_are_no_band():
    with pytest.raises(UserError, match="at least 200"):
        calibrated(list(pairs(199, 1.0)), "fr")


def test_the_translators_own_log_probabilities_give_the_line_below_which_it_is_unsure():
    told = [
        TurnPair(one.source, one.target, mean_logprob=-at / 100)
        for at, one in enumerate(pairs(201, 1.0))
    ]
    assert calibrated(told, "fr").low_logprob == -1.98
    assert calibrated(list(pairs(201, 1.0)), "fr").low_logprob == shipped()["fr"].low_logprob


def test_a_file_keeps_its_other_languages_and_reads_back(tmp_path):
    path = tmp_path / "bands.yaml"
    french, spanish = calibrated(list(pairs(300, 1.5)), "fr"), calibrated(list(pairs(300, 2)), "es")
    write_thresholds(path, {"fr": french})
    write_thresholds(path, {"es": spanish})
    assert set(yaml.safe_load(path.read_text())["languages"]) == {"es", "fr"}
    bands = load_thresholds(path)
    assert (bands["fr"], bands["es"]) == (french, spanish)


class Mistaken:
    """A language ID that takes every fifth text for English, as sure as it is told to be."""

    def __init__(self, share):
        self.share, self.asked = share, 0

    def detect_letters(self, text, expected, counts=None):
        self.asked += 1
        lang = "en" if self.asked % 5 == 0 else expected
        return Detection(lang, self.share, len(text))


@pytest.mark.parametrize(("share", "line"), [(0.7, 0.95), (0.94, 0.96), (0.999, 0.99)])
def test_a_language_id_that_errs_must_be_surer_before_it_rejects(share, line):
    told = list(pairs(300, 1.0))
    assert calibrated(told, "fr", Mistaken(share)).foreign_share == line


def test_a_few_rows_in_another_language_are_the_sets_own_mistakes():
    english = TurnPair("x" * 60, "The man is standing at the side of the road and waits for it.")
    french = "L'homme attend le bus au bord de la route depuis une heure entière."
    told = [TurnPair("x" * 60, french)] * 1999
    assert calibrated([*told, english], "fr").foreign_share == 0.95
