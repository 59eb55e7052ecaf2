"""A bench folder as a source, and its translation as a set of another language."""

import json
from dataclasses import replace

import pytest

from palo.benchmark_set import read_set
from palo.engines.stream import ScriptedEngine, scripted_result
from palo.errors import NotWhole, UserError
from palo.files import read_json
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.paths import DataPaths
from palo.schemas import Finding, RefinedSample, TurnStatus, Verdict
from palo.settings import SourceSettings
from palo.shards import read_translated, shard_paths
from translate.benchmark_set import (
    MANIFEST,
    assemble,
    conversations,
    require_complete,
    write_built,
    write_source,
)
from translate.ingest import ingest
from translate.run import translate_language

QUESTIONS = [
    {"question_id": 4, "image": "1.jpg", "text": "What is this?", "category": "conv"},
    {"question_id": 2, "image": "1.jpg", "text": "Describe it.", "category": "detail", "x": 1},
    {"question_id": "b", "image": "2.jpg", "text": "What is this?", "category": "conv"},
]
ANSWERS = [
    {"question_id": 4, "prompt": "What is this?", "model_id": "gpt-4", "text": "A star."},
    {"question_id": 2, "model_id": "gpt-4", "text": "See https://example.org/1 for stars."},
    {"question_id": "b", "prompt": "What is this?", "model_id": "gpt-4", "text": "A moon."},
]
CONTEXT = [
    {"id": "1", "image": "1.jpg", "caption": "A star over a hill."},
    {"id": "2", "image": "2.jpg", "caption": ["A moon over a lake.", "It is night."]},
    {"id": "1", "image": "1.jpg", "caption": "A star over a hill."},
]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "bench"
    folder.mkdir()
    write_lines(folder / "questions.jsonl", QUESTIONS)
    write_lines(folder / "answers_gpt4.jsonl", ANSWERS)
    write_lines(folder / "context.jsonl", CONTEXT)
    return folder


@pytest.fixture
def english(root):
    return read_set(root, "en")


@pytest.fixture
def data(tmp_path):
    return DataPaths(tmp_path / "data")


def french(request):
    """Every text comes back with its digest's number between French words."""
    numbers = scripted_result(request).text
    return replace(scripted_result(request), text=f"le mot {numbers}")


def translated(english, data, make_job, script=french):
    """Refined rows of a run in which every filter is content, and the engine that was asked."""
    path = data.root / "bench-source.json"
    write_source(english, path)
    ingest(SourceSettings(path=path), data.source_dir)
    engine = ScriptedEngine(script=script)
    translate_language(make_job(), data, engine)
    samples = [
        one for shard in shard_paths(data.translated("fr")) for one in read_translated(shard)
    ]
    return [content(one) for one in samples], engine


def content(sample):
    turns = len(sample.source)
    verdicts = (Verdict.PASS,) * turns
    return RefinedSample(sample, ((),) * turns, verdicts, Verdict.PASS, True)


def judged(rows, source_id, turn, verdict, reason=""):
    """The rows with another verdict on one turn."""
    finding = Finding("reviewer", None, verdict, reason)

    def change(one):
        if one.sample.source_id != source_id:
            return one
        verdicts = tuple(verdict if at == turn else old for at, old in enumerate(one.turn_verdicts))
        findings = tuple((finding,) if at == turn else () for at in range(len(one.findings)))
        return replace(one, turn_verdicts=verdicts, findings=findings)

    return [change(one) for one in rows]


def test_an_answer_stands_after_its_question_and_a_caption_on_its_own(english):
    assert [
        (one["id"], one["image"], *(turn["value"] for turn in one["conversations"]))
        for one in conversations(english)
    ] == [
        ("q4-answers_gpt4", "1.jpg", "What is this?", "A star."),
        ("q2-answers_gpt4", "1.jpg", "Describe it.", "See https://example.org/1 for stars."),
        ("qb-answers_gpt4", "2.jpg", "What is this?", "A moon."),
        ("caption-1.jpg", "1.jpg", "<image>", "A star over a hill."),
        ("caption-2.jpg", "2.jpg", "<image>", "A moon over a lake."),
        ("caption-2.jpg-2", "2.jpg", "<image>", "It is night."),
    ]


def test_parts_that_can_not_be_told_apart_are_refused(root):
    write_lines(root / "context.jsonl", [*CONTEXT, {"image": "2.jpg-2", "caption": "Another."}])
    with pytest.raises(UserError, match=r"two parts are both called 'caption-2\.jpg-2'"):
        conversations(read_set(root, "en"))


def test_the_set_comes_back_with_ids_order_and_other_fields_as_they_were(
    english, data, make_job, tmp_path
):
    rows, engine = translated(english, data, make_job)
    assert engine.sent == 2 + 3 + 3  # "What is this?" once, though it stands in two conversations
    built = assemble(english, "fr", rows)
    write_built(built, tmp_path / "bench" / "fr", allow_missing=False)
    assert built.folder == tmp_path / "bench" / "fr" and built.missing == {}
    bench = read_set(tmp_path / "bench", "fr")
    assert [json.loads(str(one)) for one in bench.questions] == [
        {**row, "text": bench.questions[at].text} for at, row in enumerate(QUESTIONS)
    ]
    assert [one.text for one in bench.questions][::2] == [bench.questions[0].text] * 2
    for at, one in enumerate(bench.reference().values()):
        prompt = {"prompt": bench.questions[at].text} if "prompt" in ANSWERS[at] else {}
        assert json.loads(str(one)) == {**ANSWERS[at], **prompt, "text": one.text}
    assert "https://example.org/1" in bench.reference()[2].text
    assert [one.image for one in bench.captions] == ["1.jpg", "2.jpg", "1.jpg"]
    assert bench.captions[0].captions == bench.captions[2].captions
    assert bench.captions[1].fields["caption"] == [*bench.captions[1].captions]
    said = [one.text for one in (*bench.questions, *bench.reference().values())]
    said += [text for one in bench.captions for text in one.captions]
    assert all(text.startswith("le mot ") for text in said)


def test_a_run_that_is_resumed_sends_nothing_again_and_builds_the_same(english, data, make_job):
    rows, _ = translated(english, data, make_job)
    again, engine = translated(english, data, make_job)
    assert engine.sent == 0
    assert assemble(english, "fr", again).translated.file_texts() == (
        assemble(english, "fr", rows).translated.file_texts()
    )


def test_a_verified_word_beats_the_engines(english, data, make_job):
    translated(english, data, make_job)
    with VerifiedMemory(data.verified("fr")) as verified:
        place = ("q4-answers_gpt4", 1, True)
        text = ("A star.", "What is this?", "Une étoile.")
        verified.put([VerifiedEntry(*text, *place, "amna", "batch-0001", "t")])
    rows, engine = translated(english, data, make_job)
    built = assemble(english, "fr", rows)
    assert engine.sent == 0
    assert built.translated.reference()[4].text == "Une étoile."
    assert built.by_status == {"verified": 1, "translated": 8}


def test_a_question_goes_by_the_conversation_in_which_a_person_gave_their_word(
    root, data, make_job
):
    write_lines(root / "answers_bard.jsonl", ANSWERS)
    english = read_set(root, "en")
    rows, _ = translated(english, data, make_job)

    def verified(one):
        if one.sample.source_id != "q4-answers_gpt4":
            return one
        sample = one.sample
        target = (replace(sample.target[0], text="Qu'est-ce ?"), sample.target[1])
        meta = (replace(sample.meta[0], status=TurnStatus.VERIFIED), sample.meta[1])
        return replace(one, sample=replace(sample, target=target, meta=meta))

    built = assemble(english, "fr", map(verified, rows))
    assert built.translated.questions[0].text == "Qu'est-ce ?"
    assert {given[0].prompt for given in built.translated.answers.values()} == {"Qu'est-ce ?"}
    assert built.by_status == {"verified": 1, "translated": 2 + 6 + 3}


def refuses(word):
    """An engine that answers one text with nothing, whatever it is asked for."""
    return lambda request: replace(
        french(request), text="" if word in request.messages[-1].content else french(request).text
    )


def test_what_failed_or_was_rejected_is_named_and_never_left_in_english(
    english, data, make_job, root
):
    rows, _ = translated(english, data, make_job, refuses("moon over"))
    rows = judged(rows, "q2-answers_gpt4", 1, Verdict.REJECT, "rejected by amna in batch-0001")
    built = assemble(english, "fr", rows)
    assert [f"{part}: {why}" for part, why in built.missing.items()] == [
        "caption of 2.jpg: failed: empty",
        "question 2, answers_gpt4: rejected by amna in batch-0001",
    ]
    assert [one.question_id for one in built.left_out] == [2, "b"]
    write_built(built, root / "fr", allow_missing=False)
    assert built.folder is None and not (root / "fr").exists()
    with pytest.raises(NotWhole) as raised:
        require_complete([built])
    assert raised.value.exit_code == 3
    assert str(raised.value).splitlines()[1:4] == [
        "- fr: question 2, b",
        "    caption of 2.jpg: failed: empty",
        "    question 2, answers_gpt4: rejected by amna in batch-0001",
    ]


def test_questions_are_left_out_only_when_asked_for_and_the_manifest_says_which(
    english, data, make_job, root
):
    rows, _ = translated(english, data, make_job, refuses("moon over"))
    built = assemble(english, "fr", rows)
    write_built(built, root / "fr", allow_missing=True)
    require_complete([built])
    bench = read_set(root, "fr")
    assert [one.question_id for one in bench.questions] == [4, 2]
    assert list(bench.reference()) == [4, 2]
    assert {one.image for one in bench.captions} == {"1.jpg"}
    manifest = read_json(root / "fr" / MANIFEST)
    assert manifest["left_out"] == ["b"]
    assert manifest["missing"] == [{"part": "caption of 2.jpg", "why": "failed: empty"}]
    assert built.summary.endswith("; left out: question b")


def test_a_set_of_which_nothing_is_left_is_not_written(english, data, make_job, root):
    rows, _ = translated(english, data, make_job, refuses(""))
    built = assemble(english, "fr", rows)
    write_built(built, root / "fr", allow_missing=True)
    with pytest.raises(NotWhole, match="question 4, 2, b"):
        require_complete([built])


def test_the_manifest_says_what_the_set_was_made_from_by_whom_and_what_people_saw(
    english, data, make_job, root
):
    rows, _ = translated(english, data, make_job)
    rows = judged(rows, "q4-answers_gpt4", 1, Verdict.REVIEW)
    write_built(assemble(english, "fr", rows), root / "fr", allow_missing=False)
    manifest = read_json(root / "fr" / MANIFEST)
    assert sorted(manifest["made_from"]) == [
        "answers_gpt4.jsonl",
        "context.jsonl",
        "questions.jsonl",
    ]
    assert sorted(manifest["files"]) == sorted(manifest["made_from"])
    assert manifest["translators"] == {"scripted": 9}
    assert manifest["turns"] == {"translated": 9}
    assert manifest["review"] == {"turns": 9, "verified": 0, "waiting": 1}
    assert manifest["counts"] == {"answers": {"answers_gpt4": 3}, "captions": 2, "questions": 3}


def test_files_that_no_build_wrote_or_that_were_edited_are_never_replaced(
    english, data, make_job, root
):
    rows, _ = translated(english, data, make_job)
    built = assemble(english, "fr", rows)
    folder = root / "fr"
    folder.mkdir()
    (folder / "question.jsonl").write_text("a person's")
    with pytest.raises(UserError, match=r"question\.jsonl was not built here"):
        write_built(built, folder, allow_missing=False)
    (folder / "question.jsonl").unlink()
    write_built(built, folder, allow_missing=False)
    path = folder / "context.jsonl"
    edited = path.read_text(encoding="utf-8").replace("le mot", "un mot", 1)
    path.write_text(edited, encoding="utf-8")
    with pytest.raises(UserError, match=r"context\.jsonl was edited since it was built"):
        write_built(built, folder, allow_missing=False)
    assert path.read_text(encoding="utf-8") == edited


def test_a_build_that_was_cut_short_between_two_files_is_done_again(english, data, make_job, root):
    rows, _ = translated(english, data, make_job)
    folder = root / "fr"
    write_built(assemble(english, "fr", rows), folder, allow_missing=False)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / MANIFEST).unlink()
    (folder / "context.jsonl").unlink()
    write_built(assemble(english, "fr", rows), folder, allow_missing=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_a_reference_that_english_has_no_more_goes_with_the_next_build(
    english, data, make_job, root
):
    write_lines(root / "answers_bard.jsonl", ANSWERS)
    both = read_set(root, "en")
    rows, _ = translated(both, data, make_job)
    write_built(assemble(both, "fr", rows), root / "fr", allow_missing=False)
    assert (root / "fr" / "answers_bard.jsonl").is_file()
    write_built(assemble(english, "fr", rows), root / "fr", allow_missing=False)
    assert not (root / "fr" / "answers_bard.jsonl").exists()
