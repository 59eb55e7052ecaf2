import pytest
import sacrebleu

from palo.checks.likeness import corpus_scores

SAID = ["A red circle is on the left.", "Two blue squares.", ""]
WANTED = ["A red circle stands on the left.", "There are two blue squares.", "Nothing."]


def test_they_are_sacrebleu_s_own_figures_with_its_signatures():
    found = corpus_scores("en", SAID, WANTED)
    assert found["chrf"] == round(sacrebleu.corpus_chrf(SAID, [WANTED], word_order=2).score, 2)
    assert found["bleu"] == round(sacrebleu.corpus_bleu(SAID, [WANTED]).score, 2)
    version = sacrebleu.__version__
    assert found["chrf_signature"] == (
        f"nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:{version}"
    )
    assert found["bleu_signature"] == (
        f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}"
    )


@pytest.mark.parametrize(
    ("lang", "tokenizer", "said", "wanted"),
    [
        ("zh", "zh", "左边有一个红色的圆形物体。", "左边有一个红色的圆形。"),
        ("ja", "ja-mecab", "左に赤い丸が一つあります。", "左に赤い円が一つあります。"),
    ],
)
def test_words_without_blanks_are_cut_by_a_tokenizer_of_the_language(lang, tokenizer, said, wanted):
    found = corpus_scores(lang, [said], [wanted])
    assert f"|tok:{tokenizer}" in found["bleu_signature"]
    assert found["bleu"] > corpus_scores("en", [said], [wanted])["bleu"]
