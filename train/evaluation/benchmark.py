"""Measures a trained scale on a LLaVA-Bench-style set in every language that the set is in.

    palo evaluate --scale 13b --bench data/palo/bench

Answers and judgements are stored as they come and found again by content, so a run that was killed
goes on, and what has not changed is not asked for again.

A score is 100 x mean(model) / mean(reference). How far chance alone could have moved it is told by
percentile bootstraps (Efron 1979) over questions: one is drawn with its model's and its
reference's score, and in every language at once, for it is the same picture and the same task.
"""

import functools
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from palo.benchmark_set import BenchmarkSet, Line, read_set, set_languages
from palo.checks.likeness import corpus_scores
from palo.console import NOTHING, note, percent, progress, table
from palo.engines.open import has_gpu
from palo.engines.stream import weights_digest
from palo.errors import UserError
from palo.files import digest, read_yaml, run_lock, write_json
from palo.languages import LANGUAGES
from palo.settings import AnswerEngine, BenchRunSettings, Profile, Section
from train.data.images import UnreadableImage, opened
from train.evaluation.held_out import MAX_NEW_TOKENS, is_right, language_judge
from train.evaluation.judge import Item, Judge, Outcome, Store
from train.scale import Scale, require_for_evaluation

ANSWERS_VERSION = "1"  # raise it when the same checkpoint answers the same question otherwise
SCORES_VERSION = "1"  # raise it when the same scores give other figures
# Field of a reference answer that most sets lack. true: nothing but this text is right; a list:
# all texts that are. Where it is there, nobody needs to be asked whether an answer is right.
EXACT = "exact"

_PERCENTILES = (2.5, 97.5)

Figures = Mapping[str, Any]


def evaluate_set(
    scale: Scale, profile: Profile, root: Path, engine: AnswerEngine, with_judge: bool = True
) -> dict[str, Any]:
    """The content of evaluation/<scale>/bench-<digest>.json, which it writes.

    `with_judge` False: answers, their language and text metrics alone. Raises UserError for what
    is wrong with the set or the judge, MissingResource before anything heavy is loaded.
    """
    settings, paths = profile.evaluate, profile.paths
    items = read_items(root, settings.bench.reference)
    exact = any(item.accepted for item in items)
    require_for_evaluation(scale, profile, held_out=False, judge=with_judge and not exact)
    checkpoint = weights_digest(paths.checkpoint(scale.name))
    folder = paths.evaluation(scale.name).with_suffix("")
    with run_lock(folder, f"evaluate {scale.name}"):
        texts = _answers(scale, profile, items, engine, checkpoint)
        is_in = language_judge(items)
        outcomes, failures = list[Outcome](), list[str]()
        signature = EXACT if exact else "none"
        for item, text in zip(items, texts, strict=True):
            # 1 or 0 beside a reference that is always right; nothing without accepted forms
            right = (float(is_right(text, item.accepted, item.lang)), 1.0) if item.accepted else ()
            outcomes.append(Outcome(item, text, is_in(text, item.lang), *right))
        if with_judge and not exact:
            assert settings.judge is not None
            with Store(folder / "judgements.jsonl") as store:
                judge = Judge(settings.judge, store, checkpoint)
                outcomes = judge.judge(outcomes)
            judges = [name for row in outcomes for name in row.judges]
            signature, failures = judge.signature(judges), list(judge.failures.values())
        signature += f"|bench:{set_digest(items)}"
        result = summary(scale.name, outcomes, signature, settings.bench)
        result |= {"checkpoint": checkpoint, "engine": str(engine), "failures": failures}
        path = folder / f"bench-{digest([checkpoint, result['signature']])[:8]}.json"
        write_json(path, result)
        note(f"Scores, answers and judgements: {path}")
    return result


def read_items(root: Path, reference: str | None) -> list[Item]:
    """By language, then in the files' order. Raises UserError for what is wrong with the set."""
    if not root.is_dir():
        raise UserError(f"No folder {root}. Give --bench the folder of a LLaVA-Bench-style set.")
    langs = set_languages(root)
    if not langs:
        raise UserError(
            f"{root} holds no LLaVA-Bench-style set: no questions.jsonl there, nor in a folder "
            "of a language below it, such as en/ or ur/."
        )
    items, digests = list[Item](), dict[Path, str]()
    for benchmark in (read_set(root, lang) for lang in langs):
        references = benchmark.reference(reference)
        for question in benchmark.questions:
            image, answer = benchmark.images_dir / question.image, references[question.question_id]
            if image not in digests:
                digests[image] = _image_digest(image, question, benchmark)
            exact = answer.fields.get(EXACT, False)
            if isinstance(exact, bool):
                exact = [answer.text] if exact else []
            elif not (exact and isinstance(exact, list) and all(isinstance(x, str) for x in exact)):
                raise UserError(
                    f"Answer to question {answer.question_id} in {benchmark.folder}: field "
                    f"'{EXACT}' is {str(exact)[:40]!r}; it must be true or a list of texts."
                )
            items.append(
                Item(
                    *(benchmark.lang, str(question.question_id), question.category, question.text),
                    *(image, digests[image], benchmark.caption(question.image), answer.text),
                    tuple(exact),
                )
            )
    return items


def set_digest(items: Sequence[Item]) -> str:
    """8 hex digits over all that is asked and shown."""
    shown = sorted(vars(items[0]).keys() - {"image", "reasoning"})
    return digest(sorted([getattr(item, name) for name in shown] for item in items))[:8]


def _image_digest(path: Path, question: Line, benchmark: BenchmarkSet) -> str:
    try:
        with opened(path) as file:
            return hashlib.blake2b(file.read(), digest_size=16).hexdigest()
    except (UnreadableImage, OSError) as error:
        raise UserError(
            f"Question {question.question_id} in {benchmark.folder}: {error}. Put the pictures of "
            f"the set into {benchmark.images_dir}."
        ) from None


def answer_key(item: Item, checkpoint: str, decoding: Mapping[str, object]) -> str:
    """Model, decoding, words and picture decide an answer; no name and no place."""
    return digest([checkpoint, decoding, item.question, item.image_digest])


def _answers(
    scale: Scale, profile: Profile, items: Sequence[Item], engine: AnswerEngine, checkpoint: str
) -> list[str]:
    """An answer for each item; only what is not stored yet is asked, each question once."""
    settings, paths = profile.evaluate, profile.paths
    short = all(item.accepted for item in items)
    max_new_tokens = MAX_NEW_TOKENS if short else settings.bench.max_new_tokens
    decoding = {
        "version": ANSWERS_VERSION,
        "greedy": True,
        "max_new_tokens": max_new_tokens,
        "dtype": "bfloat16" if has_gpu() else "float32",
    }
    keys = [answer_key(item, checkpoint, decoding) for item in items]
    with (
        Store(paths.evaluation(scale.name).with_suffix("") / "answers.jsonl") as store,
        progress(f"{scale.name} answers", len(items)) as tick,
    ):
        waiting = {key: row for key, row in zip(keys, items, strict=True) if not store.rows(key)}
        left = list(waiting.items())
        tick(len(items) - len(left))
        if left:
            from train.evaluation.answerers import open_answerer

            asked = [(item.question, item.image) for _, item in left]
            long_answers = settings.model_copy(update={"batch_size": settings.bench.batch_size})
            model_dir = paths.checkpoint(scale.name)
            try:
                with open_answerer(engine, long_answers, max_new_tokens, model_dir) as answerer:
                    for place, text in answerer.stream(asked):
                        key, item = left[place]
                        row = {"question": item.question_id, "lang": item.lang}
                        store.add(key, row | {"engine": str(engine), "answer": text})
                        tick(1)
            except UnreadableImage as error:
                raise UserError(
                    f"{error}. Mend or replace it; what was answered is kept."
                ) from None
        return [str(store.rows(key)[0]["answer"]) for key in keys]


@dataclass(frozen=True)
class Score:
    """0 to 100 and above; `low` and `high` are the 95% interval, `n` how many questions count."""

    value: float
    low: float
    high: float
    n: int


def score_of(rows: Sequence[Outcome]) -> float:
    """As published: the ratio of means, not the mean of ratios. All must have scores."""
    return 100 * sum(row.model or 0 for row in rows) / sum(row.reference or 0 for row in rows)


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

    def mean(self, scores: Mapping[str, float], group: Group) -> float:
        wanted = self.languages(group)
        return sum(scores[lang] for lang in wanted) / len(wanted)


@functools.cache
def published() -> Published:
    return Published.model_validate(read_yaml(__file__, "published.yaml"))


def summary(
    scale: str, outcomes: Sequence[Outcome], signature: str, settings: BenchRunSettings
) -> dict[str, Any]:
    """What goes into evaluation/<scale>/bench-<digest>.json; every score with its signature."""
    signature += f"|bootstrap:{settings.resamples}/{settings.seed}|version:{SCORES_VERSION}"
    ids = [row.item.question_id for row in outcomes]
    draws = Bootstrap(ids, settings.resamples, settings.seed)
    langs = [str(lang) for lang in LANGUAGES if any(row.item.lang == lang for row in outcomes)]

    def within(rows: Iterable[Outcome], langs: Sequence[str]) -> list[Outcome]:
        return [row for row in rows if row.item.lang in langs]

    def score(rows: Iterable[Outcome], langs: Sequence[str], zero: bool = False) -> Figures | None:
        """Of all languages; None where a score is missing. `zero`: answers in others get 0."""
        asked = within(rows, langs)
        scored = [row for row in asked if row.model is not None and row.reference is not None]
        if zero:
            scored = [row if row.in_language else replace(row, model=0.0) for row in scored]
        mean = draws.mean({lang: within(scored, [lang]) for lang in langs})
        if mean is None:
            return None
        return asdict(mean) | {"signature": f"{signature}|n:{mean.n}/{len(asked)}"}

    def figures(langs: Sequence[str]) -> dict[str, Any]:
        rows = within(outcomes, langs)
        return {
            "questions": len(rows),
            "score": score(rows, langs),
            "score_wrong_language_zero": score(rows, langs, zero=True),
            "fidelity": sum(row.in_language for row in rows) / len(rows) if rows else None,
        }

    def by_category(rows: Sequence[Outcome]) -> dict[str, list[Outcome]]:
        names = dict.fromkeys(row.item.category for row in rows)
        return {name: [row for row in rows if row.item.category == name] for name in names}

    languages = {}
    for lang in langs:
        mine = within(outcomes, [lang])
        texts, faults = [row.text for row in mine], [row.faults for row in mine if row.faults]
        languages[lang] = figures([lang]) | {
            "unparsed": len(faults),
            "faults": Counter(str(fault) for some in faults for fault in some),
            "categories": {name: score(rows, [lang]) for name, rows in by_category(mine).items()},
            "text": corpus_scores(lang, texts, [row.item.reference for row in mine]),
        }
    groups = {group: published().languages(group) for group in Group} | {Group.ALL: tuple(langs)}
    leads = [row.first_lead for row in outcomes if row.first_lead is not None]
    return {
        "scale": scale,
        "signature": signature,
        "judged": any(row.attempts for row in outcomes),
        "languages": languages,
        "groups": {str(group): figures(some) for group, some in groups.items()},
        "categories": {
            name: {str(group): score(rows, some) for group, some in groups.items()}
            for name, rows in by_category(outcomes).items()
        },
        # what standing first was worth to an answer; None where one order was judged
        "first_place_lead": sum(leads) / len(leads) if leads else None,
        "published": published().model_dump(mode="json"),
        "answers": [_answer(row) for row in outcomes],
    }


def _answer(outcome: Outcome) -> dict[str, Any]:
    item = outcome.item
    shown = ("question_id", "lang", "category", "question", "reference")
    row: dict[str, Any] = {
        **{name: getattr(item, name) for name in shown},
        "answer": outcome.text,
        "in_language": outcome.in_language,
        "model_score": outcome.model,
        "reference_score": outcome.reference,
    }
    if item.accepted:
        row["accepted"] = list(item.accepted)
    if outcome.attempts:
        row |= {"judge_said": outcome.said, "attempts": outcome.attempts}
        row["faults"] = [str(fault) for fault in outcome.faults]
    return row


_MEANS = {Group.HIGH: "mean high", Group.LOW: "mean low", Group.ALL: "mean"}


def tables(result: Figures) -> Iterator[Table]:
    """Each fits 80 columns: by language, by category, beside published figures."""
    yield _language_table(result)
    shown = table("category", Group.ALL, "95%", Group.HIGH, Group.LOW, title="By category")
    for name, row in result["categories"].items():
        score, high, low = (row[group] for group in (Group.ALL, Group.HIGH, Group.LOW))
        shown.add_row(name, _value(score), _interval(score), _value(high), _value(low))
    yield shown
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

    def row(name: str, figures: Figures, *texts: str) -> tuple[str, ...]:
        score, zeroed = figures["score"], figures["score_wrong_language_zero"]
        counted = f"{score['n'] if score else 0}/{figures['questions']}"
        scores = (_value(score), _interval(score), _value(zeroed), percent(figures["fidelity"]))
        return (name, counted, *scores, *texts)

    rows = [
        row(lang, figures, f"{figures['text']['chrf']:.1f}", f"{figures['text']['bleu']:.1f}")
        for lang, figures in result["languages"].items()
    ]
    groups = ((label, result["groups"][group]) for group, label in _MEANS.items())
    means = [row(label, figures, "", "") for label, figures in groups if figures["score"]]
    formula = "100 x mean(model) / mean(reference)" if result["judged"] else "score"
    columns = ("scored", "score", "95%", "wrong\nlang. 0", "right\nlang.", "chrF++", "BLEU")
    title = f"{result['scale']}: {formula}"
    return table("language", *columns, rows=[*rows, (), *means], title=title)


def _published_table(result: Figures) -> Table:
    """Means as published where they were; the groups' follow from the rows."""
    known = published()
    title, caption = f"Beside {known.source}", "Other judges, other scores."
    columns = (f"this {result['scale']}", *known.models)
    shown = table("language", *columns, title=title, caption=caption)
    for lang, row in result["languages"].items():
        theirs = (f"{scores[lang]:.1f}" for scores in known.models.values())
        shown.add_row(lang, _value(row["score"]), *theirs)
    shown.add_section()
    for group, label in _MEANS.items():
        means = known.averages  # of all ten, whatever languages this house has beside them
        if group is not Group.ALL:
            means = {model: known.mean(scores, group) for model, scores in known.models.items()}
        whole = {*known.languages(group)} <= result["languages"].keys()
        ours = _value(result["groups"][group]["score"]) if whole else NOTHING
        shown.add_row(label, ours, *(f"{mean:.1f}" for mean in means.values()))
    return shown


def _value(score: Figures | None) -> str:
    return NOTHING if score is None else f"{score['value']:.1f}"


def _interval(score: Figures | None) -> str:
    return NOTHING if score is None else f"{score['low']:.1f}-{score['high']:.1f}"
