"""Before and after are told of the same turns, whatever was reviewed of each translator."""

from dataclasses import replace

import pytest

from refine.report import (
    JudgedRow,
    RoundKind,
    TranslatorReview,
    before_after,
    collect,
    lines,
    score,
)

RIGHT, WRONG = JudgedRow(False, "سرخ ہے۔", "سرخ ہے۔"), JudgedRow(True, "نیلا", "سرخ ہے۔")


def review(name, share=None, **rows):
    """`rows`: by kind, how many turns were right and how many wrong."""
    scores = {
        RoundKind(kind): score([RIGHT] * right + [WRONG] * wrong)
        for kind, (right, wrong) in rows.items()
    }
    return TranslatorReview(name, share, scores)


def test_flagged_and_passed_turns_stand_for_all_by_their_shares():
    found = review("a", 0.2, flagged=(1, 3), audit=(9, 1)).quality(of_all=True)
    assert found.edit_rate == pytest.approx(0.2 * 0.75 + 0.8 * 0.1)
    assert 0 < found.chrf < 100


def test_a_seed_stands_for_all_and_flagged_turns_alone_do_not():
    assert review("a", seed=(1, 1), flagged=(0, 4)).quality(of_all=True).edit_rate == 0.5
    assert review("a", 0.2, flagged=(0, 4)).quality(of_all=True) is None
    assert review("a", 0.2, audit=(4, 0)).quality(of_all=True) is None
    assert review("a", 0.0, audit=(3, 1)).quality(of_all=True).edit_rate == 0.25


def test_only_turns_of_one_kind_are_compared():
    seeded, weighed = review("a", seed=(1, 1)), review("b", 0.5, flagged=(1, 1), audit=(2, 0))
    told = before_after([seeded, weighed])
    assert (told.of_all, told.before.edit_rate, told.after.edit_rate) == (True, 0.5, 0.25)
    told = before_after([review("a", flagged=(0, 2)), weighed])
    assert (told.of_all, told.before.edit_rate, told.after.edit_rate) == (False, 1.0, 0.5)
    told = before_after([seeded, review("b", 0.5, flagged=(1, 1))])
    assert (told.of_all, told.before.edit_rate, told.after) == (True, 0.5, None)
    assert before_after([]) is None


def later(run, *samples):
    """The same turns as another translator writes them."""
    metas = [replace(run.meta(), signature="tuned")] * 2
    return [replace(one, meta=tuple(metas)) for one in samples]


def test_a_whole_loop_shows_both_translators_with_intervals(run):
    run.settings = {"audit_rows": 4, "acceptance": {"rows": 4, "max_errors": 0}}
    answer = ("The circle is red.", "دائرہ سرخ ہے۔")
    good = [run.conversation(f"c{at}", "ur", run.good_question, answer) for at in range(4)]
    run.translated(*good, run.left)
    run.refine(now="2026-01-01")
    run.edit({"t1.left": {"verdict": "fix", "correction": "دو۔"}})
    first, *rest = [one["id"] for one in run.rows("batch-0002.csv")]
    text = "دائرہ کون سے رنگ کا ہے؟" if first.startswith("t0") else "دائرہ بالکل سرخ ہے۔"
    right = {key: {"verdict": "accept"} for key in rest}
    run.edit({first: {"verdict": "fix", "correction": text}, **right}, "batch-0002.csv")
    run.refine(now="2026-01-02")
    more = [run.conversation(f"d{at}", "ur", run.good_question, answer) for at in range(4)]
    bad = run.conversation("bad", "ur", run.good_question, ("Red.", "Red."))
    run.translated(*later(run, *more, bad))
    run.refine(now="2026-01-03")
    assert {row["reasons"] for row in run.rows("batch-0004.csv")} == {""}
    run.edit({"t1.bad": {"verdict": "fix", "correction": "سرخ۔"}}, "batch-0003.csv")
    run.edit(
        {one["id"]: {"verdict": "accept"} for one in run.rows("batch-0004.csv")}, "batch-0004.csv"
    )
    run.refine(now="2026-01-04")
    found = collect(run.profile, "ur")
    assert [one.kind for one in found.rounds] == ["flagged", "audit"] * 2
    assert [one.translator for one in found.translators] == ["scripted sig", "scripted tuned"]
    told = found.before_after
    assert told.of_all
    assert told.before.edit_rate == pytest.approx(0.1 * 1 + 0.9 * 0.25)
    assert told.after.edit_rate == pytest.approx(0.1)
    assert [(one.num_errors, one.num_rows, one.acceptance) for one in found.audits] == [
        (1, 4, "failed"),
        (0, 4, "met"),
    ]
    assert lines(found) == [
        ("before", "", "10.0%", "32.5%", f"{told.before.chrf:.1f}", "1/4 (4.6-69.9%)", ""),
        ("after", "100.0%", "0.0%", "10.0%", f"{told.after.chrf:.1f}", "0/4 (0.0-49.0%)", "met"),
    ]
