"""Measured against a known truth: chrF, wrong turns, what refine caught."""

import json

import pytest
from sacrebleu.metrics.chrf import CHRF

from palo.schemas import (
    REFINED,
    TRANSLATED,
    RefinedSample,
    Role,
    TranslatedSample,
    Turn,
    TurnMeta,
    TurnStatus,
    Verdict,
)
from palo.settings import load_profile
from palo.shards import shard_name, to_row, write_shard
from sceneworld.truth import measure, true_turns

TRUTH = {
    ("", "Where is it?"): {"fr": "Où est-ce ?", "ur": "کہاں ہے؟"},
    ("Where is it?", "Left."): {"fr": "À gauche.", "ur": "بائیں۔"},
}
QUESTION, ANSWER = "<image>\nWhere is it?", "Left."


def sample(number, question, answer, status=TurnStatus.TRANSLATED, english=ANSWER):
    meta = TurnMeta(status, 1, "stop", None, "e", "s", "k", "")
    return TranslatedSample(
        f"s-{number}", "1", "fr", None,
        (Turn(Role.HUMAN, QUESTION), Turn(Role.GPT, english)),
        (Turn(Role.HUMAN, question), Turn(Role.GPT, answer)),
        (meta, meta), "x.json",
    )  # fmt: skip


@pytest.fixture
def measured(project):
    """Writes French samples with the verdicts of their turns; gives French's figures."""

    def write_and_measure(*rows):
        profile = load_profile("sample")
        paths = profile.paths
        paths.world_dir.mkdir(parents=True)
        lines = [
            json.dumps({"context": context, "en": english, **row}, ensure_ascii=False)
            for (context, english), row in TRUTH.items()
        ]
        (paths.world_dir / "truth.jsonl").write_text("\n".join(lines), encoding="utf-8")
        samples = [to_row(each) for each, _ in rows]
        path = paths.translated("fr") / shard_name(0)
        write_shard(path, samples, TRANSLATED, {}, {})
        judged = [
            to_row(RefinedSample(each, ((), ()), verdicts, verdicts[1], True))
            for each, verdicts in rows
        ]
        write_shard(paths.refined("fr") / shard_name(0), judged, REFINED, {}, {})
        return measure(profile)

    return write_and_measure


PASS, REVIEW, REJECT = Verdict.PASS, Verdict.REVIEW, Verdict.REJECT
TRUE_QUESTION = "<image>\nOù est-ce ?"


def test_wrong_turns_are_counted_and_those_that_refine_flagged(measured):
    figures = measured(
        (sample(0, TRUE_QUESTION, "À gauche."), (PASS, REVIEW)),
        (sample(1, TRUE_QUESTION, "À droite."), (PASS, REJECT)),
        (sample(2, "Où est-ce ?", "À droite."), (Verdict.NOTE, REVIEW)),
    )["fr"]
    # wrong: two answers, and the question that lost its picture; flagged: the two answers
    assert (figures.turns, figures.wrong, figures.caught, figures.false_alarms) == (6, 3, 2, 1)


def test_chrf_is_sacrebleus_over_all_turns_with_its_signature(measured):
    figures = measured((sample(0, TRUE_QUESTION, "À droite."), (PASS, PASS)))["fr"]
    metric = CHRF()
    outputs, truths = [TRUE_QUESTION, "À droite."], [TRUE_QUESTION, "À gauche."]
    assert figures.chrf == metric.corpus_score(outputs, [truths]).score
    assert 0 < figures.chrf < 100
    assert figures.signature == str(metric.get_signature())


def test_a_perfect_run_scores_100(measured):
    figures = measured((sample(0, TRUE_QUESTION, "À gauche."), (PASS, PASS)))["fr"]
    assert (figures.wrong, figures.chrf) == (0, 100.0)


def test_two_ways_to_write_one_character_are_no_mistake(measured):
    decomposed = "A\u0300 gauche."
    figures = measured((sample(0, TRUE_QUESTION, decomposed), (PASS, PASS)))["fr"]
    assert figures.wrong == 0


@pytest.mark.parametrize("status", [TurnStatus.VERIFIED, TurnStatus.COPIED])
def test_what_no_engine_wrote_is_not_measured(measured, status):
    rows = [(sample(0, "x", "y", status), (REJECT, REJECT))]
    assert measured(*rows) == {}


def test_verified_turns_count_as_turns_but_not_in_chrf(measured):
    people = sample(0, "x", "y", TurnStatus.VERIFIED)
    engine = sample(1, TRUE_QUESTION, "À gauche.")
    figures = measured((people, (PASS, PASS)), (engine, (PASS, PASS)))["fr"]
    assert (figures.turns, figures.wrong, figures.chrf) == (4, 2, 100.0)


def test_what_failed_counts_as_wrong(measured):
    rows = [(sample(0, TRUE_QUESTION, "", TurnStatus.FAILED), (PASS, REJECT))]
    figures = measured(*rows)["fr"]
    assert (figures.turns, figures.wrong, figures.caught) == (2, 1, 1)


def test_a_turn_without_a_known_truth_is_not_measured(measured):
    rows = [(sample(0, TRUE_QUESTION, "À droite.", english="Right."), (PASS, REJECT))]
    figures = measured(*rows)["fr"]
    assert (figures.turns, figures.wrong) == (1, 0)


def test_only_languages_that_were_translated_have_figures(measured):
    assert list(measured((sample(0, TRUE_QUESTION, "À gauche."), (PASS, PASS)))) == ["fr"]


def test_without_a_world_there_is_nothing_to_measure(project):
    assert measure(load_profile("sample")) == {}
    assert measure(load_profile("palo")) == {}


def test_the_truth_carries_the_image_tag_where_the_english_does():
    found = true_turns(sample(0, "x", "y"), TRUTH, "fr")
    assert found == {0: TRUE_QUESTION, 1: "À gauche."}
