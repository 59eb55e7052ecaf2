"""How far reviewers agree beyond chance: Cohen's kappa for two, Krippendorff's alpha for more."""

from collections import Counter
from collections.abc import Mapping, Sequence

Ratings = Mapping[str, str]  # of one turn: reviewer -> label


def agreement(turns: Sequence[Ratings]) -> float | None:
    """None where no turn was judged by two reviewers, or where all labels are the same."""
    shared = [turn for turn in turns if len(turn) > 1]
    reviewers = sorted({name for turn in shared for name in turn})
    if len(reviewers) == 2:
        first, second = reviewers
        return cohen_kappa([(turn[first], turn[second]) for turn in shared])
    return krippendorff_alpha([list(turn.values()) for turn in shared])


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen 1960. None where chance alone explains full agreement, or without pairs."""
    if not pairs:
        return None
    total = len(pairs)
    observed = sum(first == second for first, second in pairs) / total
    firsts, seconds = (Counter(labels) for labels in zip(*pairs, strict=True))
    expected = sum(firsts[label] * seconds[label] for label in firsts) / total**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Nominal alpha over units of any number of labels (Krippendorff 2011); None as for kappa."""
    paired = [Counter(labels) for labels in units if len(labels) > 1]
    totals: Counter[str] = sum(paired, Counter())
    total = totals.total()
    expected = total**2 - sum(count**2 for count in totals.values())
    if not expected:
        return None
    differing = 0.0
    for unit in paired:
        size = unit.total()
        differing += (size**2 - sum(count**2 for count in unit.values())) / (size - 1)
    return 1 - (total - 1) * differing / expected
