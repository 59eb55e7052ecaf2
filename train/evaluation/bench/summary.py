"""Figures out of scored answers: by language, category and group of languages."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from palo.languages import LANGUAGES
from palo.settings import BenchRunSettings
from train.evaluation.bench.items import Item
from train.evaluation.bench.judge import Judged
from train.evaluation.bench.published import Group, published
from train.evaluation.bench.scores import Bootstrap, Pair, Score, zeroed
from train.evaluation.bench.text_metrics import text_metrics

VERSION = "1"  # raise it when the same scores give other figures

ByLanguage = Mapping[str, Sequence[Pair]]


@dataclass(frozen=True)
class Outcome:
    """An answer and its scores; None where there are none, and `judged` says why."""

    item: Item
    text: str
    model: float | None = None
    reference: float | None = None
    judged: Judged | None = None


def summary(
    scale: str,
    outcomes: Sequence[Outcome],
    in_language: Callable[[str, str], bool],
    signature: str,
    settings: BenchRunSettings,
) -> dict[str, Any]:
    """What goes into evaluation/<scale>/bench-<digest>.json; every score with its signature."""
    kept = [bool(one.text.strip()) and in_language(one.text, one.item.lang) for one in outcomes]
    signature = f"{signature}|bootstrap:{settings.resamples}/{settings.seed}|version:{VERSION}"
    draws = Bootstrap([one.item.question_id for one in outcomes], settings.resamples, settings.seed)
    langs = [str(lang) for lang in LANGUAGES if any(one.item.lang == lang for one in outcomes)]
    pairs = {lang: _pairs(outcomes, kept, lang) for lang in langs}
    table = _Table(draws, signature)
    languages = {}
    for lang in langs:
        both = zip(outcomes, kept, strict=True)
        mine = [(one, good) for one, good in both if one.item.lang == lang]
        languages[lang] = _language(lang, mine, pairs[lang], table)
    categories = list(dict.fromkeys(one.item.category for one in outcomes))
    return {
        "scale": scale,
        "signature": signature,
        "judged": any(one.judged for one in outcomes),
        "languages": languages,
        "groups": {str(group): _group(group, pairs, kept, outcomes, table) for group in Group},
        "categories": {
            name: {
                str(group): table.of(
                    _within(_only(pairs, name), group), _count(outcomes, name, group)
                )
                for group in Group
            }
            for name in categories
        },
        "first_place_lead": _first_place_lead(outcomes),
        "published": published().model_dump(mode="json"),
        "answers": [_answer(one, good) for one, good in zip(outcomes, kept, strict=True)],
    }


class _Table:
    """Scores as they go into the file."""

    def __init__(self, draws: Bootstrap, signature: str) -> None:
        self._draws, self._signature = draws, signature

    def of(self, pairs: ByLanguage | None, asked: int) -> dict[str, Any] | None:
        """None where nothing, or not every language, has a score; `asked` are all questions."""
        score: Score | None = self._draws.mean(pairs) if pairs else None
        if score is None:
            return None
        return asdict(score) | {"signature": f"{self._signature}|n:{score.n}/{asked}"}


def _language(
    lang: str, mine: Sequence[tuple[Outcome, bool]], pairs: Sequence[Pair], table: _Table
) -> dict[str, Any]:
    outcomes = [one for one, _ in mine]
    faults = Counter(str(fault) for one in outcomes if one.judged for fault in one.judged.faults)
    categories = list(dict.fromkeys(one.item.category for one in outcomes))
    texts = [one.text for one in outcomes]
    return {
        "questions": len(mine),
        "score": table.of({lang: pairs}, len(mine)),
        "score_wrong_language_zero": table.of({lang: zeroed(pairs)}, len(mine)),
        "fidelity": sum(good for _, good in mine) / len(mine),
        "unparsed": sum(bool(one.judged and one.judged.faults) for one in outcomes),
        "faults": dict(faults),
        "categories": {
            name: table.of(_only({lang: pairs}, name), _count(outcomes, name))
            for name in categories
        },
        "text": asdict(text_metrics(lang, texts, [one.item.reference for one in outcomes])),
    }


def _group(
    group: Group,
    pairs: ByLanguage,
    kept: Sequence[bool],
    outcomes: Sequence[Outcome],
    table: _Table,
) -> dict[str, Any]:
    """Means of the languages' figures."""
    wanted = published().languages(group)
    mine = [good for one, good in zip(outcomes, kept, strict=True) if one.item.lang in wanted]
    within = _within(pairs, group)
    worth = {lang: zeroed(some) for lang, some in within.items()} if within else None
    return {
        "questions": len(mine),
        "score": table.of(within, len(mine)),
        "score_wrong_language_zero": table.of(worth, len(mine)),
        "fidelity": sum(mine) / len(mine) if mine else None,
    }


def _within(pairs: ByLanguage, group: Group) -> ByLanguage | None:
    """None where a language of the group is missing; `all` are those of the set."""
    if group is Group.ALL:
        return pairs
    wanted = published().languages(group)
    return {lang: pairs[lang] for lang in wanted} if {*wanted} <= pairs.keys() else None


def _only(pairs: ByLanguage, category: str) -> ByLanguage:
    return {lang: [one for one in some if one.category == category] for lang, some in pairs.items()}


def _count(outcomes: Sequence[Outcome], category: str, group: Group = Group.ALL) -> int:
    wanted = published().languages(group)
    return sum(one.item.category == category and one.item.lang in wanted for one in outcomes)


def _pairs(outcomes: Sequence[Outcome], kept: Sequence[bool], lang: str) -> list[Pair]:
    return [
        Pair(one.item.question_id, one.item.category, one.model, one.reference, good)
        for one, good in zip(outcomes, kept, strict=True)
        if one.item.lang == lang and one.model is not None and one.reference is not None
    ]


def _answer(one: Outcome, in_language: bool) -> dict[str, Any]:
    item, judged = one.item, one.judged
    row: dict[str, Any] = {
        "question_id": item.question_id,
        "lang": item.lang,
        "category": item.category,
        "question": item.question,
        "reference": item.reference,
        "answer": one.text,
        "in_language": in_language,
        "model_score": one.model,
        "reference_score": one.reference,
    }
    if item.accepted:
        row["accepted"] = list(item.accepted)
    if judged:
        row |= {"judge_said": judged.said, "attempts": judged.attempts}
        row["faults"] = [str(fault) for fault in judged.faults]
    return row


def _first_place_lead(outcomes: Sequence[Outcome]) -> float | None:
    """What standing first was worth to an answer, on average; None where one order was judged."""
    leads = [one.judged.first_lead for one in outcomes if one.judged]
    known = [lead for lead in leads if lead is not None]
    return sum(known) / len(known) if known else None
