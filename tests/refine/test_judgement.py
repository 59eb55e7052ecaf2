"""All filters together: verdicts add up, order is kept, true translations pass."""

from pathlib import Path

import pytest

import refine.filters
import refine.judgement
from palo.languages import TARGETS
from palo.schemas import Finding, Verdict
from palo.settings import RefineSettings
from refine.filters import TurnPair, bands_of
from refine.judgement import default_filters, judge, verdict, version

TRUE = {
    "zh": [("Two.", "两个。"), ("Red.", "红色。"), ("What is it?", "这是什么？")],
    "fr": [("Two.", "Deux."), ("Orange.", "Orange."), ("What is it?", "Qu'est-ce que c'est ?")],
    "es": [("Two.", "Dos."), ("No.", "No."), ("What is it?", "¿Qué es?")],
    "ru": [("Two.", "Два."), ("Red.", "Красный."), ("What is it?", "Что это?")],
    "ja": [("Two.", "二つです。"), ("Red.", "赤。"), ("What is it?", "これは何ですか？")],
    "ar": [("Two.", "اثنان."), ("Red.", "أحمر."), ("What is it?", "ما هذا؟")],
    "hi": [("Two.", "दो।"), ("Red.", "लाल।"), ("What is it?", "यह क्या है?")],
    "bn": [("Two.", "দুটি।"), ("Red.", "লাল।"), ("What is it?", "এটা কী?")],
    "ur": [("Two.", "دو۔"), ("Red.", "سرخ۔"), ("What is it?", "یہ کیا ہے؟")],
}


@pytest.fixture(scope="module")
def filters():
    return default_filters(RefineSettings())


@pytest.mark.parametrize("lang", TARGETS)
def test_true_short_translations_are_neither_rejected_nor_sent_to_review(filters, lang):
    pairs = [TurnPair(source, target) for source, target in TRUE[lang]]
    found = judge(filters, pairs, lang)
    assert all(verdict(one, 2).severity <= Verdict.NOTE.severity for one in found), found


@pytest.mark.parametrize("lang", TARGETS)
def test_findings_come_back_in_the_order_of_the_pairs(filters, lang):
    true = TurnPair(*TRUE[lang][0])
    pairs = [TurnPair("Two birds sit here.", ""), true, TurnPair("Two birds.", "")]
    names = [[one.filter for one in found] for found in judge(filters, pairs, lang)]
    assert names == [["empty"], [], ["empty"]]


def note(name):
    return Finding(name, None, Verdict.NOTE, "")


def test_one_note_is_a_note_and_two_ask_for_review():
    assert verdict((), 2) is Verdict.PASS
    assert verdict((note("a"),), 2) is Verdict.NOTE
    assert verdict((note("a"), note("b")), 2) is Verdict.REVIEW
    assert verdict((note("a"), note("b")), 3) is Verdict.NOTE


def test_the_worst_finding_decides():
    review = Finding("c", None, Verdict.REVIEW, "")
    reject = Finding("d", None, Verdict.REJECT, "")
    assert verdict((note("a"), review), 2) is Verdict.REVIEW
    assert verdict((reject, note("a"), review), 2) is Verdict.REJECT


def test_every_filter_has_a_name_of_its_own_and_says_what_it_is_about(filters):
    names = [one.name for one in filters]
    assert len(set(names)) == len(names) == 24
    assert all(one.about for one in filters)


@pytest.mark.parametrize("lang", TARGETS)
def test_every_language_has_thresholds(lang):
    low, high = bands_of(lang).length_ratio
    assert 0 < low < high
    assert 0.5 < bands_of(lang).script_share < 1


def test_the_version_is_a_digest_of_every_table_that_filters_go_by():
    assert len(version()) == 32
    held = {name for names in refine.judgement._DATA.values() for name in names}
    root = Path(refine.filters.__file__).parents[2]
    tables = [
        path.name
        for folder in (root / "refine/filters", root / "palo/checks")
        for path in folder.iterdir()
        if path.suffix in (".yaml", ".tsv")
    ]
    assert held == set(tables)
