import pytest

from palo.errors import UserError
from palo.languages import TARGETS
from refine.filters.thresholds import load_thresholds, shipped, thresholds


def test_every_language_has_bands_of_its_own():
    for lang in TARGETS:
        low, high = thresholds(lang).length_ratio
        assert low < thresholds(lang).usual_ratio < high


def test_a_file_takes_the_place_of_the_languages_it_has(tmp_path):
    path = tmp_path / "bands.yaml"
    path.write_text(
        "languages:\n  ur: {length_ratio: [0.5, 2.0], usual_ratio: 1.0, script_share: 0.9}\n"
    )
    bands = load_thresholds(path)
    assert thresholds("ur", bands).length_ratio == (0.5, 2.0)
    assert thresholds("fr", bands) == shipped()["fr"]


@pytest.mark.parametrize(
    "text", ["", "languages: 3", "languages: {ur: {length_ratio: [1]}}", "a: [", "\x00"]
)
def test_a_file_that_is_none_is_named_with_what_to_do(tmp_path, text):
    path = tmp_path / "bands.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"bands\.yaml.*palo refine\s+calibrate"):
        load_thresholds(path)


def test_an_unknown_language_is_named():
    with pytest.raises(UserError, match="xx"):
        thresholds("xx")
