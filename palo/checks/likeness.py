"""How like references texts are: chrF++ and BLEU by sacrebleu, 0 to 100, with their signatures."""

from collections.abc import Sequence
from typing import Any

# BLEU counts words, which these two do not part by blanks
_BLEU_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab"}


def corpus_scores(lang: str, texts: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """`chrf` and `bleu` over all texts together (Popović 2017; Papineni 2002), each with its
    `_signature`. An open question has many good answers: these say how like, no more."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    bleu = BLEU(tokenize=_BLEU_TOKENIZERS.get(lang, "13a"))
    row: dict[str, Any] = {}
    for name, metric in (("chrf", CHRF(word_order=2)), ("bleu", bleu)):
        row[name] = round(metric.corpus_score(list(texts), [list(references)]).score, 2)
        row[f"{name}_signature"] = str(metric.get_signature())
    return row
