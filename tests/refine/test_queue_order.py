"""Which turns go to reviewers first."""

from dataclasses import replace

QUESTION = ("<image>\nWhat colour is the circle?", "<image>\nدائرہ کس رنگ کا ہے؟")


def left_in_english(run, name, english, logprob=-0.1):
    metas = (run.meta(), replace(run.meta(), mean_logprob=logprob))
    return run.conversation(name, "ur", QUESTION, (english, english), metas=metas)


def test_one_row_stands_for_its_copies_and_goes_before_rare_ones(run):
    run.settings = {"max_review_rows": 2}
    run.translated(
        left_in_english(run, "rare", "Four birds sit on the roof."),
        *(left_in_english(run, f"copy{at}", "Two dogs lie on the grass.") for at in range(3)),
        left_in_english(run, "other", "A cat sits on the chair."),
    )
    run.refine()
    first, second = run.rows()
    assert (first["id"], second["id"]) == ("t1.copy0", "t1.rare")
    assert first["reasons"].endswith("; 3 turns read like this one: all_copies yes mends them all")
    assert "read like" not in second["reasons"]


def test_copies_wait_until_all_others_are_out(run):
    run.translated(
        *(left_in_english(run, f"copy{at}", "Two dogs lie on the grass.") for at in range(2)),
        left_in_english(run, "other", "A cat sits on the chair."),
    )
    run.refine()
    assert [row["id"] for row in run.rows()] == ["t1.copy0", "t1.other", "t1.copy1"]


def test_what_is_doubtful_goes_before_what_is_surely_wrong(run):
    doubtful = run.conversation(
        "doubt", "ur", QUESTION, ("The circle is red and round.", "دائرہ سرخ اور گول ہے It is red.")
    )
    run.translated(left_in_english(run, "wrong", "A cat sits on the chair."), doubtful)
    run.refine()
    assert [row["id"] for row in run.rows()] == ["t1.doubt", "t1.wrong"]


def test_of_equals_the_one_that_the_translator_was_least_sure_of_is_first(run):
    run.translated(
        left_in_english(run, "sure", "A cat sits on the chair.", logprob=-0.1),
        left_in_english(run, "unsure", "A dog sits on the chair.", logprob=-2.5),
    )
    run.refine()
    assert [row["id"] for row in run.rows()] == ["t1.unsure", "t1.sure"]


def test_an_open_row_keeps_its_copies_back(run):
    run.settings = {"max_review_rows": 1}
    run.translated(left_in_english(run, "copy0", "Two dogs lie on the grass."))
    run.refine()
    run.settings = {"max_review_rows": 2}
    run.translated(
        left_in_english(run, "copy0", "Two dogs lie on the grass."),
        left_in_english(run, "copy1", "Two dogs lie on the grass."),
        left_in_english(run, "other", "A cat sits on the chair."),
    )
    queue = run.refine().queue
    assert [row["id"] for row in run.rows("batch-0002.csv")] == ["t1.other"]
    assert (queue.waiting, queue.later) == (2, 1)
