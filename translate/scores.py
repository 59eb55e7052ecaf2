"""chrF++ and BLEU of translations against references, with sacrebleu's signatures.

BLEU counts words, so Chinese and Japanese are cut by sacrebleu's own tokenizers for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from palo.languages import info

_BLEU_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab"}


@dataclass(frozen=True)
class Score:
    chrf: float
    bleu: float
    chrf_signature: str
    bleu_signature: str


@dataclass(frozen=True)
class LanguageScores:
    """Before and after the fine-tune, on the same held-out pairs."""

    pairs: int  # trained on
    held_out: int
    before: Score
    after: Score


def score(lang: str, hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    """Corpus scores, 0 to 100 (Popović 2017, chrF++; Papineni 2002, BLEU)."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    chrf = CHRF(word_order=2)
    bleu = BLEU(tokenize=_BLEU_TOKENIZERS.get(lang, "13a"))
    chrf_score = chrf.corpus_score(list(hypotheses), [list(references)]).score
    bleu_score = bleu.corpus_score(list(hypotheses), [list(references)]).score
    return Score(
        round(chrf_score, 2),
        round(bleu_score, 2),
        str(chrf.get_signature()),
        str(bleu.get_signature()),
    )


def score_report(scores: Mapping[str, LanguageScores]) -> dict[str, object]:
    """What goes into the translator's report file."""
    first = next(iter(scores.values()))
    return {
        "languages": {
            lang: {
                "pairs": found.pairs,
                "held_out": found.held_out,
                "chrf_before": found.before.chrf,
                "chrf_after": found.after.chrf,
                "bleu_before": found.before.bleu,
                "bleu_after": found.after.bleu,
            }
            for lang, found in scores.items()
        },
        "chrf_signature": first.after.chrf_signature,
        "bleu_signatures": {lang: found.after.bleu_signature for lang, found in scores.items()},
    }


def score_table(scores: Mapping[str, LanguageScores]) -> Table:
    first = next(iter(scores.values()))
    table = Table(
        title="Fine-tune of the translator, held-out verified segments",
        caption=f"chrF++ {first.after.chrf_signature}\nBLEU {first.after.bleu_signature}",
    )
    table.add_column("language")
    for column in ("trained on", "held out", "chrF++ before", "after", "BLEU before", "after"):
        table.add_column(column, justify="right")
    for lang, found in scores.items():
        before, after = found.before, found.after
        numbers = (before.chrf, after.chrf, before.bleu, after.bleu)
        table.add_row(
            info(lang).name,
            str(found.pairs),
            str(found.held_out),
            *(f"{number:.1f}" for number in numbers),
        )
    return table
