import pytest

from palo.languages import LANGUAGES
from train.evaluation.benchmark import Group, _published_table, published


@pytest.mark.parametrize("model", ["LLaVA-7B", "PALO-7B", "PALO-13B", "MobilePALO-1.7B"])
def test_every_row_has_ten_languages_and_gives_the_published_average(model):
    known = published()
    assert set(known.models[model]) == {str(lang) for lang in LANGUAGES}
    # published averages are cut or rounded to one figure
    assert known.mean(known.models[model], Group.ALL) == pytest.approx(
        known.averages[model], abs=0.1
    )


def test_the_groups_are_palo_s_and_share_out_all_languages():
    known = published()
    assert known.languages(Group.HIGH) == ("en", "zh", "fr", "es", "ru", "ja")
    assert known.languages(Group.LOW) == ("ar", "hi", "bn", "ur")
    assert {*known.languages(Group.ALL)} == {*LANGUAGES}


def test_group_means_by_hand():
    known = published()
    palo = known.models["PALO-13B"]
    assert known.mean(palo, Group.HIGH) == pytest.approx(382.9 / 6)
    assert known.mean(palo, Group.LOW) == pytest.approx(236.8 / 4)


def test_a_language_that_nobody_published_breaks_no_table(monkeypatch):
    monkeypatch.setattr("train.evaluation.benchmark.LANGUAGES", (*LANGUAGES, "de"))
    groups = {str(group): {"score": None} for group in Group}
    table = _published_table({"scale": "7b", "languages": {}, "groups": groups})
    assert [list(column.cells)[-1] for column in table.columns[2:]] == [
        f"{average:.1f}" for average in published().averages.values()
    ]
