"""Targets that different sources share are found over all shards, and nothing else moves."""

import pytest

import refine.run
from palo.schemas import Verdict
from palo.shards import shard_paths
from refine.signatures import normalised, signatures

SAME = "یہ تصویر میں ایک خوبصورت باغ نظر آ رہا ہے جس میں بہت سے پھول ہیں۔"
DOG = "A brown dog lies beside the old wooden bench."
MEN = "Two men carry a heavy table through that door."
OTHER = "دو آدمی ایک بھاری میز کو اس دروازے سے اٹھا کر لے جا رہے ہیں اور تھک گئے ہیں۔"


def answers(run, name, english, urdu):
    return run.conversation(name, "ur", run.good_question, (english, urdu))


def duplicates(run):
    return {
        key: [found.reason for found in one.findings[1] if found.filter == "duplicate"]
        for key, one in run.refined().items()
    }


def digests(run):
    return {path.name: path.stat().st_mtime_ns for path in shard_paths(run.paths.refined("ur"))}


def test_one_target_of_two_sources_in_two_shards_is_found_in_both(run):
    run.translated(answers(run, "dog", DOG, SAME))
    run.translated(answers(run, "men", MEN, SAME), index=1)
    run.refine()
    assert duplicates(run) == {
        "dog": ["also the translation of 'Two men carry a heavy table through tha…'"],
        "men": ["also the translation of 'A brown dog lies beside the old wooden …'"],
    }
    assert run.refined()["dog"].turn_verdicts[1].severity >= Verdict.REVIEW.severity


def test_a_prompt_that_repeats_and_a_short_answer_are_legitimate(run):
    run.translated(answers(run, "a", DOG, SAME), answers(run, "b", DOG, SAME))
    run.translated(answers(run, "c", "Two.", "دو۔"), answers(run, "d", "A pair.", "دو۔"), index=1)
    run.refine()
    assert duplicates(run) == {"a": [], "b": [], "c": [], "d": []}


def test_only_shards_that_meet_the_same_target_are_written_again(run):
    run.translated(answers(run, "dog", DOG, SAME))
    run.translated(answers(run, "men", MEN, OTHER), index=1)
    run.refine()
    before = digests(run)
    run.translated(answers(run, "copy", "Is the sky blue over that sea?", SAME), index=2)
    summary = run.refine()
    assert (summary.shards_done, summary.shards_current) == (2, 1)
    after = digests(run)
    assert after["part-00000.parquet"] != before["part-00000.parquet"]
    assert after["part-00001.parquet"] == before["part-00001.parquet"]
    (run.paths.translated("ur") / "part-00002.parquet").unlink()
    assert run.refine().shards_done == 1
    assert duplicates(run) == {"dog": [], "men": []}


def test_the_order_of_the_shards_changes_no_verdict(run):
    run.translated(answers(run, "dog", DOG, SAME))
    run.translated(answers(run, "men", MEN, SAME), index=1)
    run.refine()
    first = duplicates(run)
    run.translated(answers(run, "men", MEN, SAME))
    run.translated(answers(run, "dog", DOG, SAME), index=1)
    run.refine()
    assert duplicates(run) == first


def test_processes_write_the_very_bytes_that_one_writes(run, monkeypatch):
    for index in range(4):
        run.translated(
            answers(run, f"dog{index}", DOG, SAME), answers(run, f"men{index}", MEN, SAME),
            index=index,
        )  # fmt: skip
    run.refine()
    before = run.files()
    for path in shard_paths(run.paths.refined("ur")):
        path.unlink()
    monkeypatch.setattr(refine.run, "_SAMPLES_FOR_PROCESSES", 1)
    run.settings = {"processes": 2}
    assert run.refine().shards_done == 4
    assert run.files() == before


@pytest.mark.parametrize("lang", ["ur", "zh"])
def test_texts_that_differ_in_a_word_share_a_band_and_others_share_none(lang):
    words = [f"wort{chr(97 + n)}{n * n}" for n in range(60)]
    long, near = " ".join(words), " ".join([*words[:-1], "ende"])
    assert set(signatures(long, lang)) & set(signatures(near, lang))
    assert not set(signatures(long, lang)) & set(signatures(long[::-1], lang))


def test_vowel_signs_are_part_of_a_text_and_marks_are_not():
    assert normalised("की") != normalised("का")
    assert normalised("Ａ, b!") == normalised("a b")
