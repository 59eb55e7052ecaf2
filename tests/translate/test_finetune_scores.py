import sacrebleu

from palo.checks.likeness import corpus_scores
from translate.finetune import score_report, score_table


def test_scores_are_sacrebleus_own_with_its_signatures():
    said, wanted = ["le petit chat", "un chien noir"], ["le petit chat", "le chien noir"]
    found = corpus_scores("fr", said, wanted)
    assert found["chrf"] == round(sacrebleu.corpus_chrf(said, [wanted], word_order=2).score, 2)
    assert found["bleu"] == round(sacrebleu.corpus_bleu(said, [wanted]).score, 2)
    assert "nw:2" in found["chrf_signature"]
    assert "tok:13a" in found["bleu_signature"]


def test_chinese_and_japanese_are_cut_by_tokenizers_of_their_own():
    assert "tok:zh" in corpus_scores("zh", ["小红圆"], ["小红圆"])["bleu_signature"]
    assert (
        "tok:ja-mecab" in corpus_scores("ja", ["小さな円です"], ["小さな円です"])["bleu_signature"]
    )
    # cut into characters, four of six in a row are right; as one word nothing would be
    assert corpus_scores("zh", ["一个小红圆。"], ["一个小红星。"])["bleu"] > 30


def test_report_and_table_hold_before_and_after():
    before, after = (
        corpus_scores("fr", ["x"], ["le chat noir"]),
        corpus_scores("fr", ["le chat"], ["le chat noir"]),
    )
    scores = {"fr": {"pairs": 90, "held_out": 10, "before": before, "after": after}}
    report = score_report(scores)
    assert report["languages"]["fr"] == {
        "pairs": 90,
        "held_out": 10,
        "chrf_before": before["chrf"],
        "chrf_after": after["chrf"],
        "bleu_before": before["bleu"],
        "bleu_after": after["bleu"],
    }
    assert report["chrf_signature"] == after["chrf_signature"]
    assert score_table(scores).row_count == 1
