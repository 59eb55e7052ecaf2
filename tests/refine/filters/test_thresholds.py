import pytest

from palo.errors import UserError
from palo.languages import TARGETS
from refine.filters import (
    _borrowed,
    alike,
    bands_of,
    load_thresholds,
    shipped,
    without_bands,
)


def test_every_language_has_bands_of_its_own():
    for lang in TARGETS:
        low, high = bands_of(lang).length_ratio
        assert low < bands_of(lang).usual_ratio < high


def test_a_file_takes_the_place_of_the_languages_it_has(tmp_path):
    path = tmp_path / "bands.yaml"
    path.write_text(
        "languages:\n  ur: {length_ratio: [0.5, 2.0], usual_ratio: 1.0, script_share: 0.9}\n"
    )
    bands = load_thresholds(path)
    assert bands_of("ur", bands).length_ratio == (0.5, 2.0)
    assert bands_of("fr", bands) == shipped()["fr"]


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
        bands_of("xx")


@pytest.fixture
def lacking(monkeypatch):
    """The shipped bands without those of a language."""

    def without(*langs):
        kept = {lang: one for lang, one in shipped().items() if lang not in langs}
        monkeypatch.setattr("refine.filters.shipped", lambda: kept)
        return kept

    _borrowed.cache_clear()
    yield without
    _borrowed.cache_clear()


def test_a_language_without_bands_goes_by_those_of_its_script(lacking):
    kept = lacking("fr")
    assert alike("fr") == ("es",)
    assert bands_of("fr") == kept["es"]
    lacking("ur", "zh")
    assert bands_of("ur") == kept["ar"]
    assert bands_of("zh").length_ratio == kept["ja"].length_ratio


def test_a_language_whose_script_no_other_has_goes_by_wide_ones(lacking):
    kept = lacking("ru")
    assert alike("ru") == ()
    low, high = bands_of("ru").length_ratio
    assert all(low <= one.length_ratio[0] and high > one.length_ratio[1] for one in kept.values())


def test_who_borrows_bands_is_told_whose(lacking):
    kept = lacking("fr", "ru")
    assert without_bands("es", kept) is None
    assert "so those of es serve" in without_bands("fr", kept)
    assert "so wide ones serve" in without_bands("ru", kept)
