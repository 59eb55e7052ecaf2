"""Asks a trained scale the held-out questions in ten languages, with their images and without.

    palo evaluate --scale 7b

The second pass gives every question another sample's image: what stays right then was not seen.
"""

import json
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from palo.checks.language import LanguageId
from palo.console import Tick, note, percent, progress, table
from palo.errors import UserError
from palo.files import digest, file_digest, uptodate, write_json
from palo.languages import LANGUAGES, info
from palo.settings import AnswerEngine, Profile
from train.run import RECORD
from train.scale import Scale, require_for_evaluation

if TYPE_CHECKING:
    from train.evaluation.answerers import Answerer

MAX_NEW_TOKENS = 64
EXAMPLES_PER_LANGUAGE = 12
VERSION = "2"  # raise it when the same checkpoint is measured otherwise

# settings that decide what is measured here; the others are of --bench
_DECIDE = {"questions_path", "images_dir", "batch_size"}
_SHARES = ("accuracy", "accuracy_shuffled", "chance", "reasoning", "fidelity")

LanguageJudge = Callable[[str, str], bool]  # (text, language): whether the text is in it


@dataclass(frozen=True)
class HeldOutQuestion:
    """`answers` has the accepted forms a language, the shortest first."""

    question_id: str
    image: Path
    kind: str
    questions: Mapping[str, str]
    answers: Mapping[str, tuple[str, ...]]
    reasoning: bool = False  # takes more than seeing one thing; measured apart


@dataclass(frozen=True)
class Answered:
    """What the model said to one question in one language."""

    question: HeldOutQuestion
    lang: str
    text: str

    @property
    def correct(self) -> bool:
        return is_right(self.text, self.question.answers[self.lang], self.lang)


def evaluate_scale(
    scale: Scale, profile: Profile, engine: AnswerEngine = AnswerEngine.TRANSFORMERS
) -> dict[str, Any]:
    """Measures the checkpoint unless that was done; the content of evaluation/<scale>.json.

    Raises MissingResource before anything heavy is loaded.
    """
    require_for_evaluation(scale, profile)
    paths, settings = profile.paths, profile.evaluate
    path, checkpoint = paths.evaluation(scale.name), paths.checkpoint(scale.name)
    record = checkpoint / RECORD
    inputs = digest(
        [
            VERSION,
            file_digest(record if record.is_file() else checkpoint / "config.json"),
            file_digest(settings.questions_path),
            settings.model_dump(mode="json", include=_DECIDE),
        ]
    )
    if made := uptodate(path, inputs):
        note(f"{path} is up to date")
        return made
    from train.evaluation.answerers import open_answerer

    lines = settings.questions_path.read_text(encoding="utf-8").split("\n")
    rows = (json.loads(line) for line in lines if line)
    questions = parse_questions(rows, settings.images_dir)
    total = 2 * len(questions) * len(questions[0].questions)
    with (
        open_answerer(engine, settings, MAX_NEW_TOKENS, checkpoint) as answerer,
        progress(f"evaluate {scale.name}", total) as tick,
    ):
        seen = _ask(answerer, questions, [question.image for question in questions], tick)
        shuffled = shuffled_images(questions, profile.train.seed)
        unseen = _ask(answerer, questions, shuffled, tick)
    judge = language_judge(answer_forms(questions))
    result = {"inputs": inputs, **report(scale.name, questions, seen, unseen, judge)}
    write_json(path, result)
    return result


def parse_questions(rows: Iterable[Mapping[str, Any]], images_dir: Path) -> list[HeldOutQuestion]:
    """Rows of the questions file, each in all languages of the table that the file has.

    Raises UserError for one that lacks a field or a language.
    """
    rows = list(rows)
    asked = {lang for row in rows for lang in row.get("questions", ())}
    # a language added to the table later need not be in a questions file
    langs = [str(lang) for lang in LANGUAGES if lang in asked]
    questions = []
    for number, row in enumerate(rows, start=1):
        try:
            answers = {lang: tuple(row["answers"][lang]) for lang in langs}
            texts = {lang: row["questions"][lang] for lang in langs}
            image, reasoning = images_dir / row["image"], bool(row.get("reasoning"))
            questions.append(
                HeldOutQuestion(row["id"], image, row["kind"], texts, answers, reasoning)
            )
        except (KeyError, TypeError) as error:
            raise UserError(f"Question {number} of the questions file lacks {error}.") from None
    if not questions:
        raise UserError("The questions file is empty.")
    if all(question.reasoning for question in questions):
        raise UserError(
            "Every question of the questions file takes `reasoning`: accuracy and chance are over "
            "those that don't. Set it only where more than seeing one thing is asked."
        )
    return questions


def shuffled_images(questions: Sequence[HeldOutQuestion], seed: int) -> list[Path]:
    """Every question gets the image of another sample, each image as often as before."""
    pictures = list(dict.fromkeys(question.image for question in questions))
    order = list(pictures)
    random.Random(seed).shuffle(order)
    other = dict(zip(order, order[1:] + order[:1], strict=True))
    return [other[question.image] for question in questions]


def _ask(
    answerer: "Answerer", questions: Sequence[HeldOutQuestion], images: Sequence[Path], tick: Tick
) -> list[Answered]:
    """Every question in every language, by language and then in the order given."""
    pairs = list(zip(questions, images, strict=True))
    asked = [(*pair, lang) for lang in questions[0].questions for pair in pairs]
    texts = answerer.answer([(row.questions[lang], image) for row, image, lang in asked], tick)
    return [
        Answered(question, lang, text)
        for (question, _, lang), text in zip(asked, texts, strict=True)
    ]


def normalise(text: str, lang: str) -> str:
    """NFC, no blanks around, inner blanks single, no final mark."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return plain.rstrip(info(lang).final_marks + ".").rstrip()


def is_right(text: str, accepted: Iterable[str], lang: str) -> bool:
    """Whether the text is exactly one of the accepted forms, once both are normalised."""
    return normalise(text, lang) in {normalise(form, lang) for form in accepted}


def accuracy(answered: Sequence[Answered]) -> float:
    return sum(row.correct for row in answered) / len(answered)


def chance(questions: Sequence[HeldOutQuestion], lang: str) -> float:
    """What always giving the commonest answer of a kind would get right: measured, not assumed."""
    by_kind: dict[str, Counter[str]] = {}
    for question in questions:
        shortest = normalise(question.answers[lang][0], lang)
        by_kind.setdefault(question.kind, Counter())[shortest] += 1
    return sum(max(counts.values()) for counts in by_kind.values()) / len(questions)


def answer_forms(questions: Sequence[HeldOutQuestion]) -> dict[str, list[str]]:
    """All accepted answers, by language."""
    langs = questions[0].answers
    return {lang: [form for row in questions for form in row.answers[lang]] for lang in langs}


def language_judge(
    forms: Mapping[str, Iterable[str]], detect: LanguageJudge | None = None
) -> LanguageJudge:
    """Judges the language of answers, most of which are too short for language ID.

    `forms` are texts that are known to be in a language, by language ("No." is both English and
    Spanish). Any other must be recognised by `detect`: by default script, then fastText.
    """
    known = {lang: {normalise(form, lang) for form in some} for lang, some in forms.items()}
    language_id = LanguageId()

    def judge(text: str, lang: str) -> bool:
        if normalise(text, lang) in known[lang]:
            return True
        return detect(text, lang) if detect else language_id.detect(text, lang).lang == lang

    return judge


def fidelity(answered: Sequence[Answered], judge: LanguageJudge) -> float:
    """Share of answers in the language of their question; silence is in no language."""
    good = sum(bool(row.text.strip()) and judge(row.text, row.lang) for row in answered)
    return good / len(answered)


def report(
    scale: str,
    questions: Sequence[HeldOutQuestion],
    seen: Sequence[Answered],
    unseen: Sequence[Answered],
    judge: LanguageJudge,
) -> dict[str, Any]:
    """Everything that is measured, as it goes into evaluation/<scale>.json.

    A language's accuracies and chance are over the questions that take no reasoning; fidelity is
    over all. Where none takes reasoning its accuracy is None.
    """
    plain = [question for question in questions if not question.reasoning]

    def shares(pairs: Iterable[tuple[Answered, Answered]]) -> dict[str, Any]:
        mine, others = zip(*pairs, strict=True)
        right = {"accuracy": accuracy(mine), "accuracy_shuffled": accuracy(others)}
        return {"questions": len(mine), **right}

    both = list(zip(seen, unseen, strict=True))  # of one question in one language
    languages: dict[str, dict[str, Any]] = {}
    for lang in map(str, plain[0].questions):
        mine = [row for row in seen if row.lang == lang]
        hard = [row for row in mine if row.question.reasoning]
        rest = (pair for pair in both if pair[0].lang == lang and not pair[0].question.reasoning)
        languages[lang] = shares(rest) | {
            "chance": chance(plain, lang),
            "reasoning": accuracy(hard) if hard else None,
            "fidelity": fidelity(mine, judge),
        }
    by_kind = {
        kind: shares(pair for pair in both if pair[0].question.kind == kind)
        for kind in dict.fromkeys(question.kind for question in questions)
    }
    mean: dict[str, Any] = {"questions": sum(not row.question.reasoning for row in seen)}
    for key in _SHARES:
        known = [row[key] for row in languages.values() if row[key] is not None]
        mean[key] = sum(known) / len(known) if known else None
    return {
        "scale": scale,
        "languages": languages,
        "by_kind": by_kind,
        "mean": mean,
        "examples": [
            {
                "image": str(row.question.image),
                "lang": str(lang),
                "kind": row.question.kind,
                "question": row.question.questions[lang],
                "expected": list(row.question.answers[lang]),
                "answer": row.text,
                "correct": row.correct,
            }
            for lang in dict.fromkeys(row.lang for row in seen)
            for row in [row for row in seen if row.lang == lang][:EXAMPLES_PER_LANGUAGE]
        ],  # the first few answers a language, right and wrong as they come
    }


def tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """A row a language: how often right, the same with images shuffled, chance, fidelity; then a
    row a kind of question, all languages together."""
    names = ("questions", "right", "images shuffled", "chance", "reasoning", "right language")
    by_lang = {**result["languages"], "mean": result["mean"]}
    for first, title, rows, shares in (
        ("language", "Held-out questions", by_lang, _SHARES),
        ("kind", "By kind of question", result["by_kind"], _SHARES[:2]),
    ):
        yield table(
            first,
            *names[: 1 + len(shares)],
            rows=(
                (name, str(row["questions"]), *(percent(row[key]) for key in shares))
                for name, row in rows.items()
            ),
            title=f"{title}, {result['scale']}",
        )
