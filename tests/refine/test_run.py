"""One language's refine run: reviews in, shards judged, batches out, and nothing twice."""

from dataclasses import replace

import pytest

from palo.errors import Locked, UserError
from palo.files import read_json, run_lock
from palo.memory import VerifiedMemory
from palo.schemas import TurnStatus, Verdict


def test_every_sample_is_kept_on_disk_with_its_verdict_and_selection(run):
    run.translated(run.good, run.left, run.lost)
    run.refine()
    refined = run.refined()
    assert {key: (one.verdict, one.kept) for key, one in refined.items()} == {
        "good": (Verdict.PASS, True),
        "left": (Verdict.REJECT, False),
        "lost": (Verdict.REJECT, False),
    }
    assert [found.filter for found in refined["lost"].findings[0]] == ["structure"]


def test_the_manifest_counts_samples_verdicts_and_reasons(run):
    run.translated(run.good, run.lost)
    run.refine()
    assert read_json(run.paths.refined("ur") / "manifest.json") == {
        "lang": "ur",
        "samples": 2,
        "turns": 4,
        "kept": 1,
        "flagged": 1,
        "reviewed": 0,
        "by_verdict": {"pass": 3, "note": 0, "review": 0, "reject": 1},
        "by_reason": {"structure": 1},
    }


def test_the_queue_holds_the_flagged_turns_with_context_and_reasons_in_words(run):
    run.translated(run.good, run.left, run.lost)
    run.refine()
    left, lost = run.rows()
    assert (left["id"], left["previous"]) == ("t1.left", "What colour is the circle?")
    assert left["image"] == "images/a.jpg"
    assert "0% of the letters are of the language's script" in left["reasons"]
    assert (lost["id"], lost["english"]) == ("t0.lost", "How many stars are there?")


def test_a_second_run_changes_no_byte(run):
    run.translated(run.good, run.left)
    run.translated(run.lost, index=1)
    first = run.refine()
    before = run.files()
    second = run.refine(now="2027-01-01")
    assert (first.shards_done, second.shards_done, second.shards_current) == (2, 0, 2)
    assert run.files() == before


def test_shards_come_out_the_same_from_scratch(run):
    run.translated(run.good, run.left, run.lost)
    run.refine()
    path = run.paths.refined("ur") / "part-00000.parquet"
    before = path.read_bytes()
    path.unlink()
    run.refine()
    assert path.read_bytes() == before


def test_changed_settings_judge_anew(run):
    run.translated(run.good, run.left)
    run.refine()
    run.settings = {"policy": "whole"}
    assert run.refine().shards_done == 1
    assert run.refined()["left"].kept


def test_a_lost_image_tag_is_never_kept_whatever_the_policy(run):
    run.translated(run.lost)
    run.settings = {"policy": "whole"}
    run.refine()
    assert not run.refined()["lost"].kept


def test_the_cut_policy_keeps_the_rounds_before_the_first_bad_one(run):
    first = (run.good_question, ("The circle is red.", "دائرہ سرخ ہے۔"))
    second = (("How many are there?", "کتنے ہیں؟"), ("Two.", "Two."))
    run.translated(run.conversation("long", "ur", *first, *second), run.left)
    run.settings = {"policy": "cut"}
    run.refine()
    refined = run.refined()
    assert refined["long"].kept and not refined["left"].kept
    assert run.profile.refine.kept_turns(refined["long"].turn_verdicts) == 2


def test_turns_that_do_not_match_are_rejected_with_the_reason(run):
    run.translated(replace(run.good, target=run.good.target[:1]), run.left)
    run.refine()
    refined = run.refined()["good"]
    assert (refined.verdict, refined.kept) == (Verdict.REJECT, False)
    assert refined.findings[0][0].reason == "1 target turns for 2 source turns"


def test_a_correction_beats_the_machine(run):
    run.translated(run.good, run.left)
    run.refine()
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔", "reviewer": "Ana"}})
    assert run.refine().intake.taken == 1
    refined = run.refined()["left"]
    assert refined.sample.target[1].text == "دو۔"
    assert refined.sample.meta[1].status is TurnStatus.VERIFIED
    assert [found.filter for found in refined.findings[1]] == ["verified"]
    assert refined.findings[1][0].reason == "verified by Ana in batch-0001"
    assert refined.kept
    with VerifiedMemory(run.paths.verified("ur")) as memory:
        (entry,) = memory.entries()
    assert (entry.source, entry.context, entry.text) == (
        "Two.",
        "What colour is the circle?",
        "دو۔",
    )


def test_taking_in_the_same_file_twice_changes_nothing(run):
    run.translated(run.good, run.left)
    run.refine()
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔"}})
    run.refine()
    before = run.files()
    again = run.refine(now="2027-01-01")
    assert (again.intake.taken, again.intake.known) == (0, 1)
    assert run.files() == before
    with VerifiedMemory(run.paths.verified("ur")) as memory:
        assert [entry.created for entry in memory.entries()] == ["2026-01-01"]


def test_an_accepted_turn_gets_its_image_tag_back(run):
    run.translated(run.lost)
    run.refine()
    run.edit({"t0.lost": {"verdict": "accept"}})
    run.refine()
    refined = run.refined()["lost"]
    assert refined.sample.target[0].text == "<image>\nکتنے ستارے ہیں؟"
    assert refined.kept


def test_a_correction_spreads_to_copies_only_where_the_reviewer_says_so(run):
    copy = run.conversation("copy", "ur", run.good_question, ("Two.", "Two."))
    run.translated(run.left, copy)
    run.refine()
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔"}})
    run.refine()
    assert run.refined()["copy"].sample.target[1].text == "Two."
    run.edit({"t1.left": {"all_copies": "yes"}})
    run.refine()
    assert run.refined()["copy"].sample.target[1].text == "دو۔"


def test_a_rejected_turn_stays_rejected_until_its_text_changes(run):
    run.translated(run.left)
    run.refine()
    run.edit({"t1.left": {"verdict": "reject", "note": "English", "reviewer": "Ana"}})
    run.refine()
    found = run.refined()["left"].findings[1][0]
    assert (found.filter, found.reason) == (
        "reviewer",
        "rejected by Ana in batch-0001: English",
    )
    run.translated(run.conversation("left", "ur", run.good_question, ("Two.", "دو۔")))
    run.refine()
    assert run.refined()["left"].verdict is Verdict.PASS


def test_a_batch_that_exists_is_never_touched_and_its_rows_go_out_once(run):
    run.translated(run.left)
    run.refine()
    before = run.csv_path().read_bytes()
    run.translated(run.lost, index=1)
    summary = run.refine()
    assert run.csv_path().read_bytes() == before
    assert [path.name for path in summary.queue.files] == ["batch-0002.csv"]
    assert [row["id"] for row in run.rows("batch-0002.csv")] == ["t0.lost"]
    assert summary.queue.waiting == 2


def test_a_turn_with_a_new_translation_goes_out_again(run):
    run.translated(run.left)
    run.refine()
    run.translated(run.conversation("left", "ur", run.good_question, ("Two.", "Deux.")))
    assert [path.name for path in run.refine().queue.files] == ["batch-0002.csv"]


def test_at_most_so_many_rows_wait_at_once(run):
    run.settings = {"max_review_rows": 1}
    run.translated(run.left, run.lost)
    first = run.refine().queue
    assert (first.waiting, first.later) == (1, 1)
    assert run.refine().queue.files == ()
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔"}})
    assert [path.name for path in run.refine().queue.files] == ["batch-0002.csv"]


def test_a_batch_that_a_crash_kept_out_of_the_ledger_is_still_known(run):
    run.translated(run.left)
    run.refine()
    (run.paths.review("ur") / "exported.json").unlink()
    assert run.refine().queue.files == ()


def test_the_seed_goes_out_whole_and_its_edits_are_taken_by_any_run(run):
    run.seed(run.good, run.left)
    summary = run.refine(seed=True)
    assert [path.name for path in summary.queue.files] == ["seed-0001.csv"]
    ids = [row["id"] for row in run.rows("seed-0001.csv")]
    assert ids == ["t0.good", "t1.good", "t0.left", "t1.left"]
    changes = {key: {"verdict": "accept"} for key in ids[:3]}
    run.edit(changes | {"t1.left": {"verdict": "fix", "correction": "دو۔"}}, "seed-0001.csv")
    assert run.refine().intake.taken == 4
    run.translated(run.left)
    run.refine()
    assert run.refined()["left"].sample.target[1].text == "دو۔"
    assert run.refine(seed=True).queue.files == ()


def test_shards_of_a_smaller_source_leave_no_old_ones_behind(run):
    run.translated(run.good)
    run.translated(run.left, index=1)
    run.refine()
    (run.paths.translated("ur") / "part-00001.parquet").unlink()
    summary = run.refine()
    assert summary.manifest["samples"] == 1
    assert sorted(run.refined()) == ["good"]


def test_a_second_process_on_the_same_language_is_told_who_is_at_work(run):
    run.translated(run.good)
    with run_lock(run.paths.refined("ur"), "palo refine ur"), pytest.raises(Locked):
        run.refine()


def test_a_damaged_memory_is_told_before_anything_is_written(run):
    run.translated(run.good, run.left)
    run.refine()
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔"}})
    path = run.paths.verified("ur")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    before = run.files()
    with pytest.raises(UserError, match=r"ur\.verified\.sqlite is damaged.*palo memory salvage"):
        run.refine()
    assert run.files() == before
