"""Scores of answers to a benchmark set: 100 x mean(model) / mean(reference), with intervals.

How far chance alone could have moved a score is told by percentile bootstraps (Efron 1979) over
questions: one is drawn with its model's and its reference's score, and in every language at once,
for it is the same picture and the same task.
"""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from rich.table import Table

from palo.console import NOTHING, percent, table
from palo.languages import LANGUAGES
from palo.settings import BenchRunSettings, Section
from train.evaluation.judge import Judged

VERSION = "1"  # raise it when the same scores give other figures
_PERCENTILES = (2.5, 97.5)
# BLEU counts words, which these two do not part by blanks
_BLEU_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab"}

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """One question in one language; `accepted` are all right answers, where they are known."""

    lang: str
    question_id: str
    category: str
    question: str
    image: Path
    image_digest: str
    context: str
    reference: str
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """An answer and its scores, 1 to 10, or 0 or 1 beside 1; None where there are none, and
    `judged` says why."""

    item: Item
    text: str
    in_language: bool
    model: float | None = None
    reference: float | None = None
    judged: Judged | None = None


@dataclass(frozen=True)
class Score:
    """0 to 100 and above; `low` and `high` are the 95% interval, `n` how many questions count."""

    value: float
    low: float
    high: float
    n: int


def score_of(outcomes: Sequence[Outcome]) -> float:
    """As published: the ratio of means, not the mean of ratios. All must have scores."""
    return (
        100 * sum(row.model or 0 for row in outcomes) / sum(row.reference or 0 for row in outcomes)
    )


def zeroed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """An answer in another language is worth nothing to who asked."""
    return [row if row.in_language else replace(row, model=0.0) for row in outcomes]


class Bootstrap:
    """The same draws of questions for everything that is scored with it."""

    def __init__(self, question_ids: Sequence[str], resamples: int, seed: int) -> None:
        ids = list(dict.fromkeys(question_ids))
        self._places = {question_id: place for place, question_id in enumerate(ids)}
        # RandomState: its streams never change (NEP 19)
        drawn = np.random.RandomState(seed).multinomial(
            len(ids), np.full(len(ids), 1 / len(ids)), size=resamples
        )
        self._drawn = drawn.astype(float)  # (resamples, questions): how often each was drawn

    def mean(self, by_language: Mapping[str, Sequence[Outcome]]) -> Score | None:
        """The mean of the languages' scores; None where one of them has none."""
        if not by_language or not all(by_language.values()):
            return None
        values = np.mean([self._ratios(rows) for rows in by_language.values()], axis=0)
        low, high = np.percentile(values[~np.isnan(values)], _PERCENTILES)
        value = float(np.mean([score_of(rows) for rows in by_language.values()]))
        return Score(value, float(low), float(high), sum(map(len, by_language.values())))

    def _ratios(self, outcomes: Sequence[Outcome]) -> npt.NDArray[np.float64]:
        """The score of each resample; NaN where it drew none of these questions."""
        sums = np.zeros((2, len(self._places)))
        for row in outcomes:
            sums[:, self._places[row.item.question_id]] += row.model or 0, row.reference or 0
        model, reference = sums @ self._drawn.T
        with np.errstate(invalid="ignore"):  # 0 / 0
            ratios: npt.NDArray[np.float64] = 100 * model / reference
        return ratios


def text_metrics(lang: str, answers: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """chrF++ and BLEU by sacrebleu, 0 to 100, over all answers of a language (Popović 2017;
    Papineni 2002), with their signatures.

    An open question has many good answers: these say how like the reference's a text is, no more.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    metrics = {
        "chrf": CHRF(word_order=2),
        "bleu": BLEU(tokenize=_BLEU_TOKENIZERS.get(lang, "13a")),
    }
    row: dict[str, Any] = {}
    for name, metric in metrics.items():
        row[name] = round(metric.corpus_score(list(answers), [list(references)]).score, 2)
        row[f"{name}_signature"] = str(metric.get_signature())
    return row


class Group(StrEnum):
    """Whose scores a mean is over."""

    HIGH = "high-resource"
    LOW = "low-resource"
    ALL = "all"


class Published(Section):
    """Scores by model and language, 0 to 100; `fidelity` are shares in percent."""

    source: str
    high_resource: tuple[str, ...]
    low_resource: tuple[str, ...]
    models: dict[str, dict[str, float]]
    averages: dict[str, float]
    fidelity: dict[str, dict[str, float]]

    def languages(self, group: Group) -> tuple[str, ...]:
        """Those of a group, in the table's order."""
        groups = {Group.HIGH: self.high_resource, Group.LOW: self.low_resource}
        return groups.get(group, tuple(LANGUAGES))

    def mean(self, scores: Mapping[str, float], group: Group) -> float | None:
        """The mean over a group's languages, None where not all of them are there."""
        wanted = self.languages(group)
        if not all(lang in scores for lang in wanted):
            return None
        return sum(scores[lang] for lang in wanted) / len(wanted)


@functools.cache
def published() -> Published:
    text = Path(__file__).with_name("published.yaml").read_text(encoding="utf-8")
    return Published.model_validate(yaml.safe_load(text))


def summary(
    scale: str, outcomes: Sequence[Outcome], signature: str, settings: BenchRunSettings
) -> dict[str, Any]:
    """What goes into evaluation/<scale>/bench-<digest>.json; every score with its signature."""
    signature = f"{signature}|bootstrap:{settings.resamples}/{settings.seed}|version:{VERSION}"
    ids = [row.item.question_id for row in outcomes]
    draws = Bootstrap(ids, settings.resamples, settings.seed)
    langs = [str(lang) for lang in LANGUAGES if any(row.item.lang == lang for row in outcomes)]

    def score(
        rows: Sequence[Outcome], langs: Sequence[str], zero: bool = False
    ) -> dict[str, Any] | None:
        """The mean of the languages; None where not every one has a score."""
        by_language: dict[str, list[Outcome]] = {lang: [] for lang in langs}
        for row in rows:
            if row.model is not None and row.reference is not None:
                by_language[row.item.lang].append(row)
        if zero:
            by_language = {lang: zeroed(some) for lang, some in by_language.items()}
        mean = draws.mean(by_language)
        if mean is None:
            return None
        return asdict(mean) | {"signature": f"{signature}|n:{mean.n}/{len(rows)}"}

    def figures(rows: Sequence[Outcome], langs: Sequence[str]) -> dict[str, Any]:
        return {
            "questions": len(rows),
            "score": score(rows, langs),
            "score_wrong_language_zero": score(rows, langs, zero=True),
            "fidelity": sum(row.in_language for row in rows) / len(rows) if rows else None,
        }

    languages = {}
    for lang in langs:
        mine = [row for row in outcomes if row.item.lang == lang]
        faults = [row.judged.faults for row in mine if row.judged and row.judged.faults]
        languages[lang] = figures(mine, [lang]) | {
            "unparsed": len(faults),
            "faults": Counter(str(fault) for some in faults for fault in some),
            "categories": {name: score(rows, [lang]) for name, rows in _by_category(mine).items()},
            "text": text_metrics(
                lang, [row.text for row in mine], [row.item.reference for row in mine]
            ),
        }
    groups = {group: published().languages(group) for group in Group} | {Group.ALL: tuple(langs)}
    leads = [row.judged.first_lead for row in outcomes if row.judged]
    known_leads = [lead for lead in leads if lead is not None]
    return {
        "scale": scale,
        "signature": signature,
        "judged": any(row.judged for row in outcomes),
        "languages": languages,
        "groups": {
            str(group): figures(_within(outcomes, some), some) for group, some in groups.items()
        },
        "categories": {
            name: {str(group): score(_within(rows, some), some) for group, some in groups.items()}
            for name, rows in _by_category(outcomes).items()
        },
        # what standing first was worth to an answer; None where one order was judged
        "first_place_lead": sum(known_leads) / len(known_leads) if known_leads else None,
        "published": published().model_dump(mode="json"),
        "answers": [_answer(row) for row in outcomes],
    }


def _within(outcomes: Sequence[Outcome], langs: Sequence[str]) -> list[Outcome]:
    return [row for row in outcomes if row.item.lang in langs]


def _by_category(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    rows: dict[str, list[Outcome]] = {}
    for row in outcomes:
        rows.setdefault(row.item.category, []).append(row)
    return rows


def _answer(outcome: Outcome) -> dict[str, Any]:
    item, judged = outcome.item, outcome.judged
    row: dict[str, Any] = {
        "question_id": item.question_id,
        "lang": item.lang,
        "category": item.category,
        "question": item.question,
        "reference": item.reference,
        "answer": outcome.text,
        "in_language": outcome.in_language,
        "model_score": outcome.model,
        "reference_score": outcome.reference,
    }
    if item.accepted:
        row["accepted"] = list(item.accepted)
    if judged:
        row |= {"judge_said": judged.said, "attempts": judged.attempts}
        row["faults"] = [str(fault) for fault in judged.faults]
    return row


_MEANS = {Group.HIGH: "mean high", Group.LOW: "mean low", Group.ALL: "mean"}


def tables(result: Figures) -> Iterator[Table]:
    """Each fits 80 columns: by language, by category, beside published figures."""
    yield _language_table(result)
    yield _category_table(result)
    if result["judged"]:
        yield _published_table(result)


def notes(result: Figures) -> Iterator[str]:
    """What a reader of the tables must know."""
    languages = result["languages"].values()
    if unparsed := sum(row["unparsed"] for row in languages):
        faults = sum((Counter(row["faults"]) for row in languages), Counter[str]())
        why = "; ".join(f"{count} x {fault}" for fault, count in sorted(faults.items()))
        yield f"Not scored, for no reply of the judge could be read: {unparsed} ({why})."
    exact = [bool(row.get("accepted")) for row in result["answers"]]
    if any(exact) and not all(exact):
        yield f"Without an exact answer, so compared as texts alone: {exact.count(False)}."
    if failures := result["failures"]:
        yield (
            f"Not scored, for the judge's server gave no reply: {len(failures)} "
            f"(first: {failures[0]}). The same command asks for them again."
        )
    if (lead := result["first_place_lead"]) is not None:
        yield f"Standing first was worth {lead:+.2f} points to an answer; both orders are averaged."
    if result["judged"]:
        for model, shares in published().fidelity.items():
            told = ", ".join(f"{lang} {share:.1f}%" for lang, share in shares.items())
            yield f"Published for {model}, answers in the right language: {told} (Centurio)."
    yield f"Signature: {result['signature']}"
    for name, key in (("chrF++", "chrf_signature"), ("BLEU", "bleu_signature")):
        by_signature: dict[str, list[str]] = {}
        for lang, row in result["languages"].items():
            by_signature.setdefault(row["text"][key], []).append(lang)
        for signature, langs in by_signature.items():
            yield f"{name} of {' '.join(langs)}: {signature}"


def _language_table(result: Figures) -> Table:
    """A row a language and a group; intervals are 95%."""
    formula = "100 x mean(model) / mean(reference)" if result["judged"] else "score"
    columns = ("scored", "score", "95%", "wrong\nlang. 0", "right\nlang.", "chrF++", "BLEU")
    rows: list[Sequence[str]] = []
    for lang, row in result["languages"].items():
        text = row["text"]
        rows.append((lang, *_scored(row), f"{text['chrf']:.1f}", f"{text['bleu']:.1f}"))
    rows.append(())
    for group, label in _MEANS.items():
        row = result["groups"][group]
        if row["score"]:
            rows.append((label, *_scored(row), "", ""))
    return table("language", *columns, rows=rows, title=f"{result['scale']}: {formula}")


def _scored(row: Figures) -> tuple[str, ...]:
    score, zeroed = row["score"], row["score_wrong_language_zero"]
    counted = f"{score['n'] if score else 0}/{row['questions']}"
    return counted, _value(score), _interval(score), _value(zeroed), percent(row["fidelity"])


def _category_table(result: Figures) -> Table:
    """A row a category: means of the languages."""
    rows = []
    for name, row in result["categories"].items():
        score, high, low = (row[group] for group in (Group.ALL, Group.HIGH, Group.LOW))
        rows.append((name, _value(score), _interval(score), _value(high), _value(low)))
    columns = (Group.ALL, "95%", Group.HIGH, Group.LOW)
    return table("category", *columns, rows=rows, title="By category")


def _published_table(result: Figures) -> Table:
    """Means as published where they were; the groups' follow from the rows."""
    known = published()
    rows: list[Sequence[str]] = []
    for lang, row in result["languages"].items():
        theirs = (f"{scores[lang]:.1f}" for scores in known.models.values())
        rows.append((lang, _value(row["score"]), *theirs))
    rows.append(())
    for group, label in _MEANS.items():
        means = {model: known.mean(scores, group) for model, scores in known.models.items()}
        if group is Group.ALL:
            means |= known.averages
        whole = {*known.languages(group)} <= result["languages"].keys()
        ours = _value(result["groups"][group]["score"]) if whole else NOTHING
        rows.append((label, ours, *(f"{mean:.1f}" for mean in means.values())))
    return table(
        "language",
        *(f"this {result['scale']}", *known.models),
        rows=rows,
        title=f"Beside {known.source}",
        caption="Other judges, other scores.",
    )


def _value(score: Figures | None) -> str:
    return NOTHING if score is None else f"{score['value']:.1f}"


def _interval(score: Figures | None) -> str:
    return NOTHING if score is None else f"{score['low']:.1f}-{score['high']:.1f}"
