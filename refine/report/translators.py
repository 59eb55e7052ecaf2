"""Each translator as reviewers saw it, so that before and after are told of the same turns.

Flagged turns are worse than the others, and audited ones, which passed, are better: neither stands
for all. A seed does; else the two together, each with its share of the machine's turns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from palo.paths import DataPaths
from refine.history import State
from refine.queue import load_ledger
from refine.report.rounds import Judged, Kind, Round, Score, score


@dataclass(frozen=True)
class Quality:
    """`edit_rate`: share of turns that a person would change; `chrf`: 0 to 100, against theirs."""

    edit_rate: float
    chrf: float | None


@dataclass(frozen=True)
class TranslatorReview:
    """What people said of one translator's turns; `flagged_share` is of them, when first judged."""

    translator: str
    flagged_share: float | None
    scores: Mapping[Kind, Score]

    def quality(self, of_all: bool) -> Quality | None:
        """Of all its turns, or of the flagged ones alone; None where that was not reviewed."""
        flagged, passed = self.scores.get(Kind.FLAGGED), self.scores.get(Kind.AUDIT)
        if not of_all:
            return Quality(flagged.edit_rate, flagged.chrf) if flagged else None
        if seed := self.scores.get(Kind.SEED):
            return Quality(seed.edit_rate, seed.chrf)
        share = self.flagged_share
        if passed is None or share is None or (flagged is None and share > 0):
            return None
        if flagged is None:
            return Quality(passed.edit_rate, passed.chrf)
        rate = share * flagged.edit_rate + (1 - share) * passed.edit_rate
        if flagged.chrf is None or passed.chrf is None:
            return Quality(rate, None)
        return Quality(rate, share * flagged.chrf + (1 - share) * passed.chrf)

    def as_json(self) -> dict[str, Any]:
        return {
            "translator": self.translator,
            "flagged_share": self.flagged_share,
            "scores": {str(kind): asdict(one) for kind, one in self.scores.items()},
        }


@dataclass(frozen=True)
class BeforeAfter:
    """The first translator and the last; `after` is None where there has been but one."""

    of_all: bool
    before: Quality
    after: Quality | None


def translators(
    paths: DataPaths, lang: str, found: Sequence[Round], history: Sequence[State]
) -> list[TranslatorReview]:
    """Those whose turns were reviewed, in the order in which their turns first went out."""
    since: dict[str, str] = {}
    for one in sorted(load_ledger(paths.review(lang)).values(), key=lambda one: one.at):
        if one.translator:
            since.setdefault(one.translator, one.at)
    reviews = []
    for name, at in since.items():
        own = [one for one in found if one.translator == name]
        if own:
            reviews.append(TranslatorReview(name, _flagged_share(history, at), _scores(own)))
    return reviews


def before_after(reviews: Sequence[TranslatorReview]) -> BeforeAfter | None:
    """Of all turns where both translators can be told so, else of the flagged ones."""
    if not reviews:
        return None
    first, last = reviews[0], reviews[-1]
    found = None
    for of_all in (True, False):
        before = first.quality(of_all)
        after = last.quality(of_all) if last is not first else None
        if before and after:
            return BeforeAfter(of_all, before, after)
        found = found or (BeforeAfter(of_all, before, None) if before else None)
    return found


def _scores(own: Iterable[Round]) -> dict[Kind, Score]:
    """By kind of turns; of copies of one file, each turn counts once."""
    rows: dict[Kind, dict[str, Judged]] = {}
    for one in own:
        rows.setdefault(one.kind, {}).update(one.rows)
    return {kind: score(found.values()) for kind, found in rows.items()}


def _flagged_share(history: Sequence[State], at: str) -> float | None:
    """As it was found by the run that sent the first turns out."""
    known = [one for one in history if one.at <= at]
    return known[-1].machine_share if known else None
