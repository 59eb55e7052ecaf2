"""Asks a trained scale the held-out questions in ten languages, with their images and without.

    palo evaluate --scale 7b

The second pass gives every question another sample's image: what stays right then was not seen.
"""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from palo.checks.language import LanguageId
from palo.console import Tick, note, progress
from palo.files import digest, file_digest, uptodate, write_json
from palo.paths import DataPaths
from palo.settings import AnswerEngine, Profile
from train.evaluation import answers
from train.evaluation.answers import Answered, Question
from train.evaluation.opening import Answering, open_answerer
from train.resources import require_for_evaluation
from train.run import RECORD
from train.scale import Scale

MAX_NEW_TOKENS = 64
EXAMPLES_PER_LANGUAGE = 12
VERSION = "2"  # raise it when the same checkpoint is measured otherwise

# settings that decide what is measured here; the others are of --bench
_DECIDE = {"questions_path", "images_dir", "batch_size"}

Answers = list[Answered]


def evaluate_scale(
    scale: Scale, profile: Profile, engine: AnswerEngine = AnswerEngine.TRANSFORMERS
) -> dict[str, Any]:
    """Measures the checkpoint unless that was done; the content of evaluation/<scale>.json.

    Raises MissingResource before anything heavy is loaded.
    """
    require_for_evaluation(scale, profile)
    paths, settings = DataPaths(profile.data_dir), profile.evaluate
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
    lines = settings.questions_path.read_text(encoding="utf-8").split("\n")
    rows = (json.loads(line) for line in lines if line)
    questions = answers.parse_questions(rows, settings.images_dir)
    shuffled = shuffled_images(questions, profile.train.seed)
    with (
        open_answerer(engine, scale, settings, MAX_NEW_TOKENS, checkpoint) as answerer,
        progress(
            f"evaluate {scale.name}", 2 * len(questions) * len(questions[0].questions)
        ) as tick,
    ):
        seen = _ask(answerer, questions, [one.image for one in questions], tick)
        unseen = _ask(answerer, questions, shuffled, tick)
    result = {"inputs": inputs, **report(scale.name, questions, seen, unseen, _judge(questions))}
    write_json(path, result)
    return result


def _judge(questions: Sequence[Question]) -> answers.Judge:
    return answers.make_judge(questions, detector())


def detector() -> answers.Judge:
    """Whether a text is in a language, by script and fastText."""
    language_id = LanguageId()

    def detect(text: str, lang: str) -> bool:
        return language_id.detect(text, lang).lang == lang

    return detect


def shuffled_images(questions: Sequence[Question], seed: int) -> list[Path]:
    """Every question gets the image of another sample, each image as often as before."""
    pictures = list(dict.fromkeys(one.image for one in questions))
    order = list(pictures)
    random.Random(seed).shuffle(order)
    other = dict(zip(order, order[1:] + order[:1], strict=True))
    return [other[one.image] for one in questions]


def _ask(
    answerer: Answering, questions: Sequence[Question], images: Sequence[Path], tick: Tick
) -> Answers:
    """Every question in every language, by language and then in the order given."""
    asked = [
        (question, lang, image)
        for lang in questions[0].questions
        for question, image in zip(questions, images, strict=True)
    ]
    pairs = [(question.questions[lang], image) for question, lang, image in asked]
    texts = answerer.answer(pairs, tick)
    return [
        Answered(question, lang, text)
        for (question, lang, _), text in zip(asked, texts, strict=True)
    ]


def report(
    scale: str,
    questions: Sequence[Question],
    seen: Answers,
    unseen: Answers,
    judge: answers.Judge,
) -> dict[str, Any]:
    """Everything that is measured, as it goes into evaluation/<scale>.json.

    A language's accuracies and chance are over the questions that take no reasoning; fidelity is
    over all. Where none takes reasoning its accuracy is None.
    """
    seeing = [one for one in questions if not one.reasoning]
    languages = {}
    for lang in seeing[0].questions:
        mine = [one for one in seen if one.lang == lang]
        plain, hard = _parted(mine)
        languages[str(lang)] = {
            "questions": len(plain),
            "accuracy": answers.accuracy(plain),
            "accuracy_shuffled": answers.accuracy(
                _parted([one for one in unseen if one.lang == lang])[0]
            ),
            "chance": answers.chance(seeing, lang),
            "reasoning": answers.accuracy(hard) if hard else None,
            "fidelity": answers.fidelity(mine, judge),
        }
    by_kind = {
        kind: {
            "questions": sum(one.question.kind == kind for one in seen),
            "accuracy": answers.accuracy([one for one in seen if one.question.kind == kind]),
            "accuracy_shuffled": answers.accuracy(
                [one for one in unseen if one.question.kind == kind]
            ),
        }
        for kind in dict.fromkeys(one.kind for one in questions)
    }
    keys = ("accuracy", "accuracy_shuffled", "chance", "reasoning", "fidelity")
    mean = {key: _mean([row[key] for row in languages.values()]) for key in keys}
    return {
        "scale": scale,
        "languages": languages,
        "by_kind": by_kind,
        "mean": {"questions": len(_parted(seen)[0]), **mean},
        "examples": list(_examples(seen)),
    }


def _mean(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None


def _parted(answered: Answers) -> tuple[Answers, Answers]:
    """The answers to plain questions, and those to questions that take reasoning."""
    parts: tuple[Answers, Answers] = ([], [])
    for one in answered:
        parts[one.question.reasoning].append(one)
    return parts


def _examples(seen: Answers) -> Iterator[dict[str, Any]]:
    """The first few answers a language, right and wrong as they come."""
    for lang in dict.fromkeys(one.lang for one in seen):
        for one in [one for one in seen if one.lang == lang][:EXAMPLES_PER_LANGUAGE]:
            yield {
                "image": str(one.question.image),
                "lang": str(lang),
                "kind": one.question.kind,
                "question": one.question.questions[lang],
                "expected": list(one.question.answers[lang]),
                "answer": one.text,
                "correct": one.correct,
            }
