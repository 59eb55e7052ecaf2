"""chrF++ and BLEU of answers against reference answers, by sacrebleu and with its signatures.

An open question has many good answers: these say how like the reference's a text is, no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# BLEU counts words, which these two do not part by blanks
_BLEU_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab"}


@dataclass(frozen=True)
class TextMetrics:
    """0 to 100, over all answers of a language (Popović 2017; Papineni 2002)."""

    chrf: float
    bleu: float
    chrf_signature: str
    bleu_signature: str


def text_metrics(lang: str, answers: Sequence[str], references: Sequence[str]) -> TextMetrics:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    chrf = CHRF(word_order=2)
    bleu = BLEU(tokenize=_BLEU_TOKENIZERS.get(lang, "13a"))
    said, wanted = list(answers), [list(references)]
    chrf_score, bleu_score = chrf.corpus_score(said, wanted), bleu.corpus_score(said, wanted)
    signatures = str(chrf.get_signature()), str(bleu.get_signature())
    return TextMetrics(round(chrf_score.score, 2), round(bleu_score.score, 2), *signatures)
