"""What each round of review said of the translator: edit rate, and chrF against corrections.

A round is a review file, in the order of their numbers: the seed's first, then the batches. Each
holds what the translator of its day wrote, so the first and the last tell before from after.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from palo.paths import DataPaths
from refine.decisions import ReviewVerdict
from refine.queue import BATCH, SEED
from refine.review_files import read_returned, returned_files


@dataclass(frozen=True)
class Round:
    """`edit_rate`: share of decided rows that were corrected or rejected; chrF from 0 to 100."""

    name: str
    decided: int
    edited: int
    edit_rate: float
    chrf: float | None
    signature: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def rounds(paths: DataPaths, lang: str) -> list[Round]:
    """Every file of the language with at least one decision."""
    if not paths.review(lang).is_dir():
        return []
    files = [path for path in returned_files(paths.review(lang)) if _order(path)]
    found = [_round(path) for path in sorted(files, key=lambda path: _order(path) or (0, 0))]
    return [one for one in found if one is not None]


def _order(path: Path) -> tuple[int, int] | None:
    match = re.match(rf"({SEED}|{BATCH})-(\d+)", path.stem)
    return (match.group(1) != SEED, int(match.group(2))) if match else None


def _round(path: Path) -> Round | None:
    texts: list[tuple[str, str]] = []
    decided = edited = 0
    for read in read_returned(path).rows:
        verdict = read.row.verdict.strip().lower()
        if verdict not in list(ReviewVerdict):
            continue
        decided += 1
        edited += verdict != ReviewVerdict.ACCEPT
        if verdict == ReviewVerdict.ACCEPT:
            texts.append((read.row.translation, read.row.translation))
        elif read.row.correction.strip():
            texts.append((read.row.translation, read.row.correction))
    if not decided:
        return None
    chrf, signature = _chrf(texts) if texts else (None, "")
    return Round(path.stem, decided, edited, edited / decided, chrf, signature)


def _chrf(texts: list[tuple[str, str]]) -> tuple[float, str]:
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    machine, human = map(list, zip(*texts, strict=True))
    score = metric.corpus_score(machine, [human]).score
    return score, str(metric.get_signature())
