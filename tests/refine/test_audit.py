"""The blind audit: what is drawn, what it says, what it counts."""

from collections import Counter

import pytest

from palo.console import wilson
from palo.settings import AcceptancePlan
from refine.queue import draw
from refine.report import Acceptance, audits
from refine.review_file import ReviewRow


def row(key):
    return ReviewRow(key, "ur", "", "", "english", "translation", "")


@pytest.mark.parametrize(
    ("errors", "rows", "low", "high"),
    [(0, 300, 0.0, 0.0126), (6, 300, 0.0092, 0.0429), (0, 0, 0.0, 1.0), (5, 5, 0.5655, 1.0)],
)
def test_wilsons_interval(errors, rows, low, high):
    assert wilson(errors, rows) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_each_stratum_has_its_share_and_the_draw_is_the_same_in_any_order():
    turns = [("short", row(f"t0.s{at}")) for at in range(300)]
    turns += [("long", row(f"t1.l{at}")) for at in range(100)]
    drawn = draw(iter(turns), 40, set())
    assert Counter(one.id[3] for one in drawn) == {"s": 30, "l": 10}
    assert drawn == draw(iter(turns[::-1]), 40, set())
    assert drawn[0].id not in {one.id for one in draw(iter(turns), 40, {drawn[0].id})}


def test_fewer_turns_than_wanted_all_go():
    assert len(draw(iter([("a", row("t0.x")), ("b", row("t0.y"))]), 132, set())) == 2


def passed(run, count):
    answer = ("The circle is red.", "دائرہ سرخ ہے۔")
    return [run.conversation(f"c{at}", "ur", run.good_question, answer) for at in range(count)]


def test_an_audit_batch_looks_like_any_other_and_is_drawn_once_a_translator(run):
    run.settings = {"audit_rows": 6}
    run.translated(*passed(run, 10), run.left)
    summary = run.refine()
    assert [path.name for path in summary.queue.files] == ["batch-0001.csv", "batch-0002.csv"]
    rows = run.rows("batch-0002.csv")
    assert len(rows) == 6
    assert {one["reasons"] for one in rows} == {""}
    assert "t1.left" not in {one["id"] for one in rows}
    assert run.refine().queue.files == ()


def test_what_reviewers_say_of_it_is_the_audited_error_rate(run):
    run.settings = {"audit_rows": 6}
    run.translated(*passed(run, 10))
    run.refine()
    assert audits(run.paths, "ur", AcceptancePlan(rows=6, max_errors=1)) == []
    wrong, *good = [one["id"] for one in run.rows()]
    fixed = {"verdict": "fix", "correction": "دائرہ بالکل سرخ ہے۔"}
    if wrong.startswith("t0"):
        fixed["correction"] = "دائرہ کون سے رنگ کا ہے؟"
    run.edit({wrong: fixed, **{key: {"verdict": "accept"} for key in good}})
    run.refine(now="2026-01-02")
    (found,) = audits(run.paths, "ur", AcceptancePlan(rows=6, max_errors=1))
    assert (found.num_rows, found.num_errors) == (6, 1)
    assert found.high == pytest.approx(0.5635, abs=1e-4)
    assert found.acceptance is Acceptance.MET
    (found,) = audits(run.paths, "ur", AcceptancePlan(rows=6, max_errors=0))
    assert found.acceptance is Acceptance.FAILED


def test_without_rows_to_audit_nothing_is_drawn(run):
    run.translated(*passed(run, 3))
    assert run.refine().queue.files == ()
    assert audits(run.paths, "ur", AcceptancePlan()) == []
