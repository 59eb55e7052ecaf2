"""The two passes with a scripted engine: what is sent, kept, committed and written."""

import sqlite3
from dataclasses import replace

import pytest

from palo.engines.stream import ScriptedEngine, scripted_result
from palo.errors import Locked, UserError
from palo.files import read_json, run_lock
from palo.memory import TranslationMemory, VerifiedEntry, VerifiedMemory
from palo.schemas import TurnStatus
from palo.settings import SourceSettings
from palo.shards import read_samples, read_translated, shard_paths
from translate.ingest import ingest
from translate.job import TranslationJob
from translate.run import translate_language

UNIQUE_SEGMENTS = 7 + 40 + 1 + 1  # seven first questions, the answers, "How many?", "Two."


def run(paths, job, engine=None, **options):
    engine = engine or ScriptedEngine()
    report = translate_language(job, paths, engine, **options)
    rows = [
        row for path in shard_paths(paths.translated(job.lang)) for row in read_translated(path)
    ]
    return report, rows, engine


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


def test_every_turn_is_translated_and_structure_is_as_it_was(paths, make_job):
    report, rows, _ = run(paths, make_job())
    sources = [one for path in shard_paths(paths.source_dir) for one in read_samples(path)]
    assert [row.sample_id for row in rows] == [one.sample_id for one in sources]
    for row, source in zip(rows, sources, strict=True):
        assert row.source == source.turns
        assert [turn.role for turn in row.target] == [turn.role for turn in source.turns]
        assert row.target[0].text.startswith("<image>\n")
        assert row.target[2].text.endswith("\n<image>")
        assert row.target[1].text.count(f"https://example.org/{row.image[:-4]}") == 1
        assert {meta.status for meta in row.meta} == {TurnStatus.TRANSLATED}
        assert {meta.signature for meta in row.meta} == {"scripted"}
    assert report.account.by_status == {"translated": 160}
    assert report.account.balanced


def test_requests_sent_are_the_unique_segments_exactly(paths, make_job):
    report, _, engine = run(paths, make_job())
    assert engine.sent == report.fill.sent == UNIQUE_SEGMENTS


def test_second_run_sends_and_writes_nothing(paths, make_job):
    run(paths, make_job())
    before = contents(paths.translated("fr"))
    report, _, engine = run(paths, make_job())
    assert (engine.sent, report.written) == (0, 0)
    assert contents(paths.translated("fr")) == before


def test_what_got_no_answer_is_asked_again_only_when_wanted(paths, make_job):
    def silent(request):
        result = scripted_result(request)
        if "star 3," in request.messages[-1].content:
            return replace(result, text="", finish_reason="error", error="400")
        if "star 4," in request.messages[-1].content:
            return replace(result, text="")  # answered, but badly
        return result

    failed = run(paths, make_job(), ScriptedEngine(script=silent))[0]
    assert failed.account.by_status["failed"] == 2
    report, _, engine = run(paths, make_job())
    assert (engine.sent, report.account.by_status["failed"]) == (0, 2)
    report, rows, engine = run(paths, make_job(), retry_errors=True)
    assert (engine.sent, report.account.by_status["failed"]) == (1, 1)
    assert rows[3].target[1].text.count("https://example.org/3") == 1
    assert report.account.balanced


def test_manifest_says_what_the_language_holds(paths, make_job):
    run(paths, make_job())
    manifest = read_json(paths.translated("fr") / "manifest.json")
    assert manifest["by_status"] == {"translated": 160}
    found = {key: manifest[key] for key in ("lang", "samples", "turns", "shards")}
    assert found == {"lang": "fr", "samples": 40, "turns": 160, "shards": 6}


def test_extended_source_sends_only_what_is_new(paths, make_job, tmp_path, write_source):
    run(paths, make_job())
    source = SourceSettings(path=write_source(tmp_path / "llava.json", 47), shard_rows=7)
    ingest(source, paths.source_dir)
    report, rows, engine = run(paths, make_job())
    assert engine.sent == 7
    assert len(rows) == 47
    assert report.account.shards == 7


def test_other_shard_size_sends_nothing_and_leaves_no_stale_shard(paths, make_job, tmp_path):
    run(paths, make_job())
    ingest(SourceSettings(path=tmp_path / "llava.json", shard_rows=25), paths.source_dir)
    report, rows, engine = run(paths, make_job())
    assert (engine.sent, report.written, len(rows)) == (0, 2, 40)
    assert len(shard_paths(paths.translated("fr"))) == 2


def test_another_signature_translates_again(paths, make_job):
    run(paths, make_job())
    _, rows, engine = run(paths, make_job(signature="other"))
    assert engine.sent == UNIQUE_SEGMENTS
    assert {meta.signature for row in rows for meta in row.meta} == {"other"}


def test_verified_turn_wins_and_rewrites_only_its_shard(paths, make_job):
    _, rows, _ = run(paths, make_job())
    last = rows[-1]
    entry = VerifiedEntry(
        last.source[1].text, "What is in part 4 of the picture?", "Vu.", last.sample_id, 1, False,
        "ana", "b1", "2026-01-01",
    )  # fmt: skip
    with VerifiedMemory(paths.verified("fr")) as verified:
        verified.put([entry])
    report, again, _ = run(paths, make_job())
    assert report.written == 1
    assert report.account.by_status == {"translated": 159, "verified": 1}
    assert again[-1].target[1].text == "Vu."
    assert again[-1].meta[1].status is TurnStatus.VERIFIED
    assert again[-1].meta[1].signature == "ana"


def test_a_word_for_all_copies_reaches_every_copy_with_its_own_image_tag(paths, make_job):
    _, rows, _ = run(paths, make_job())
    entry = VerifiedEntry(
        rows[0].source[2].text, "", "Combien ?", rows[0].sample_id, 2, True, "ana", "b1", "2026"
    )
    with VerifiedMemory(paths.verified("fr")) as verified:
        verified.put([entry])
    report, again, _ = run(paths, make_job())
    assert {row.target[2].text for row in again} == {"Combien ?\n<image>"}
    assert report.account.by_status == {"translated": 120, "verified": 40}


def test_what_is_verified_already_is_not_sent(paths, make_job):
    (first, *_) = read_samples(shard_paths(paths.source_dir)[0])
    entry = VerifiedEntry(
        first.turns[3].text, "How many?", "Deux.", first.sample_id, 3, True, "ana", "b1", "2026"
    )
    with VerifiedMemory(paths.verified("fr")) as verified:
        verified.put([entry])
    _, rows, engine = run(paths, make_job())
    assert engine.sent == UNIQUE_SEGMENTS - 1
    assert {row.target[3].text for row in rows} == {"Deux."}


def flaky(bad_attempts, bad_text=""):
    """Fails the first attempts at "Two."."""
    seen = []

    def script(request):
        result = scripted_result(request)
        if request.messages[0].content.endswith("\nText: Two."):
            seen.append(request.sampling)
            if len(seen) <= bad_attempts:
                return replace(result, text=bad_text)
        return result

    return ScriptedEngine(script=script), seen


def test_bad_answer_is_tried_again_with_other_sampling(paths, make_job):
    engine, seen = flaky(1)
    report, rows, _ = run(paths, make_job(), engine)
    assert [one.temperature for one in seen] == [0.0, 0.7]
    assert rows[0].meta[3].attempts == 2
    assert rows[0].meta[3].status is TurnStatus.TRANSLATED
    assert (report.fill.sent, report.fill.retried) == (UNIQUE_SEGMENTS, 1)


def test_a_retry_says_what_was_wrong_with_the_answer_before(paths, make_job):
    asked = []

    def script(request):
        result = scripted_result(request)
        if not request.messages[0].content.endswith("\nText: Two."):
            return result
        asked.append(request.messages[0].content)
        return replace(result, text=("", "Sure, here is it: 2", "Deux.")[len(asked) - 1])

    job = make_job()
    run(paths, job, ScriptedEngine(script=script))
    notes = job.prompt.notes
    told = [[wrong for wrong, note in notes.items() if note in prompt] for prompt in asked]
    assert told == [[], ["empty"], ["preamble"]]


def test_a_changed_glossary_asks_again_only_for_what_holds_its_terms(paths, make_job, tmp_path):
    def job(*terms):
        path = tmp_path / "terms" / "fr.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["english,translation", *terms]), encoding="utf-8")
        settings = make_job(glossary_dir=path.parent).settings
        return TranslationJob.of("fr", "scripted", settings)

    _, rows, _ = run(paths, make_job())
    _, same, engine = run(paths, job("cat,chat"))
    assert (engine.sent, same) == (0, rows)
    assert run(paths, job("picture,image"))[2].sent == 7
    assert run(paths, job("picture,photo", "cat,chat"))[2].sent == 7


def test_after_the_last_attempt_the_best_one_is_kept_and_marked(paths, make_job):
    engine, seen = flaky(99, "Non non non non non")
    report, rows, _ = run(paths, make_job(), engine)
    assert len(seen) == len({one.seed for one in seen}) == 3
    assert {row.target[3].text for row in rows} == {"Non non non non non"}
    assert rows[0].meta[3].status is TurnStatus.FAILED
    assert rows[0].meta[3].problem == "repetition loop"
    assert report.account.by_status == {"translated": 120, "failed": 40}
    assert report.account.problems == {"repetition loop": 40}


def test_an_engines_error_is_that_rows_failure_and_not_tried_again(paths, make_job):
    def script(request):
        result = scripted_result(request)
        if request.messages[0].content.endswith("\nText: Two."):
            return replace(result, text="", finish_reason="error", error="the prompt is too long")
        return result

    report, rows, engine = run(paths, make_job(), ScriptedEngine(script=script))
    assert engine.sent == UNIQUE_SEGMENTS
    assert rows[0].meta[3].problem == "engine error: the prompt is too long"
    assert rows[0].target[3].text == ""
    assert report.account.by_status["failed"] == 40


def test_ctrl_c_keeps_what_arrived_and_the_next_run_sends_the_rest(paths, make_job):
    def interrupted(request):
        if engine.sent == 30:
            raise KeyboardInterrupt
        return scripted_result(request)

    engine = ScriptedEngine(script=interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(paths, make_job(), engine)
    with TranslationMemory(paths.memory("fr")) as memory:
        assert memory.count() == 29
    _, rows, again = run(paths, make_job())
    assert again.sent == UNIQUE_SEGMENTS - 29
    assert len(rows) == 40


def test_a_second_process_on_the_same_language_is_told_who_is_at_work(paths, make_job):
    with (
        run_lock(paths.memory_dir / "fr", "translation into fr"),
        pytest.raises(Locked, match="translation into fr"),
    ):
        run(paths, make_job())
    assert run(paths, make_job("ru"))[0].account.balanced


def test_full_disk_is_said_plainly_and_the_run_goes_on_later(paths, make_job, monkeypatch):
    real = sqlite3.connect

    def small_disk(*args, **kwargs):
        connection = real(*args, **kwargs)
        # SQLite's own limit gives the very error of a full disk
        connection.execute("PRAGMA max_page_count = 4")
        return connection

    monkeypatch.setattr("palo.memory.sqlite3.connect", small_disk)
    with pytest.raises(UserError, match="disk is full"):
        run(paths, make_job())
    monkeypatch.undo()
    report, rows, _ = run(paths, make_job())
    assert len(rows) == 40
    assert report.account.balanced


def test_segments_are_counted_in_the_line_a_person_reads(paths, make_job):
    report, _, _ = run(paths, make_job())
    assert report.line == (
        "fr: 40 samples, 160 turns = 0 verified + 160 translated + 0 copied + 0 failed; "
        "49 segments sent, 0 retries, 6 of 6 shards written"
    )
