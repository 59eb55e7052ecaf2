"""Asks a trained scale the held-out questions in ten languages, with their images and without.

    palo evaluate --scale 7b

The second pass gives every question another sample's image: what stays right then was not seen.
"""

import json
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from palo.checks.language import LanguageId
from palo.console import note, percent, progress, table
from palo.errors import UserError
from palo.files import digest, file_digest, uptodate, write_json
from palo.languages import LANGUAGES, info
from palo.settings import AnswerEngine, Profile
from train.evaluation.judge import Item, Outcome
from train.run import RECORD
from train.scale import Scale, require_for_evaluation

MAX_NEW_TOKENS = 64
EXAMPLES_PER_LANGUAGE = 12
VERSION = "2"  # raise it when the same checkpoint is measured otherwise

# settings that decide what is measured here; the others are of --bench
_DECIDE = {"questions_path", "images_dir", "batch_size"}
_SHARES = ("accuracy", "accuracy_shuffled", "chance", "reasoning", "fidelity")

LanguageJudge = Callable[[str, str], bool]  # (text, language): whether the text is in it


def evaluate_scale(
    scale: Scale, profile: Profile, engine: AnswerEngine = AnswerEngine.TRANSFORMERS
) -> dict[str, Any]:
    """Measures the checkpoint unless that was done; the content of evaluation/<scale>.json."""
    require_for_evaluation(scale, profile)
    paths, settings = profile.paths, profile.evaluate
    path, checkpoint = paths.evaluation(scale.name), paths.checkpoint(scale.name)
    record = checkpoint / RECORD
    model = file_digest(record if record.is_file() else checkpoint / "config.json")
    decided = settings.model_dump(mode="json", include=_DECIDE)
    inputs = digest([VERSION, model, file_digest(settings.questions_path), decided])
    if made := uptodate(path, inputs):
        note(f"{path} is up to date")
        return made
    from train.evaluation.answerers import open_answerer

    lines = settings.questions_path.read_text(encoding="utf-8").split("\n")
    rows = (json.loads(line) for line in lines if line)
    items = parse_questions(rows, settings.images_dir)
    is_in = language_judge(items)
    with (
        open_answerer(engine, settings, MAX_NEW_TOKENS, checkpoint) as answerer,
        progress(f"evaluate {scale.name}", 2 * len(items)) as tick,
    ):

        def ask(images: Iterable[Path]) -> list[Outcome]:
            asked = [(item.question, image) for item, image in zip(items, images, strict=True)]
            texts = zip(items, answerer.answer(asked, tick), strict=True)
            return [Outcome(item, text, is_in(text, item.lang)) for item, text in texts]

        seen = ask(item.image for item in items)
        unseen = ask(shuffled_images(items, profile.train.seed))
    result = {"inputs": inputs, **report(scale.name, seen, unseen)}
    write_json(path, result)
    return result


def parse_questions(rows: Iterable[Mapping[str, Any]], images_dir: Path) -> list[Item]:
    """Rows of the questions file: by language, then as they come. Raises UserError for a lack."""
    rows = list(rows)
    asked = {lang for row in rows for lang in row.get("questions", ())}
    # a language added to the table later need not be in a questions file
    items: dict[str, list[Item]] = {str(lang): [] for lang in LANGUAGES if lang in asked}
    for number, row in enumerate(rows, start=1):
        try:
            image, reasoning = images_dir / row["image"], bool(row.get("reasoning"))
            for lang, some in items.items():
                shortest, *others = row["answers"][lang]
                item = Item(
                    lang, row["id"], row["kind"], row["questions"][lang], image, image_digest="",
                    context="", reference=shortest, accepted=(shortest, *others),
                    reasoning=reasoning,
                )  # fmt: skip
                some.append(item)
        except (KeyError, TypeError) as error:
            raise UserError(f"Question {number} of the questions file lacks {error}.") from None
        except ValueError:
            raise UserError(f"Question {number} of the questions file lacks an answer.") from None
    questions = [item for some in items.values() for item in some]
    if not questions:
        raise UserError("The questions file is empty.")
    if all(question.reasoning for question in questions):
        raise UserError(
            "Every question of the questions file takes `reasoning`: accuracy and chance are over "
            "those that don't. Set it only where more than seeing one thing is asked."
        )
    return questions


def shuffled_images(items: Sequence[Item], seed: int) -> list[Path]:
    """Every question gets the image of another sample, each image as often as before."""
    order = list(dict.fromkeys(item.image for item in items))
    random.Random(seed).shuffle(order)
    other = dict(zip(order, order[1:] + order[:1], strict=True))
    return [other[item.image] for item in items]


def normalise(text: str, lang: str) -> str:
    """NFC, no blanks around, inner blanks single, no final mark."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return plain.rstrip(info(lang).final_marks + ".").rstrip()


def is_right(text: str, accepted: Iterable[str], lang: str) -> bool:
    """Whether the text is exactly one of the accepted forms, once both are normalised."""
    return normalise(text, lang) in {normalise(form, lang) for form in accepted}


def accuracy(answered: Sequence[Outcome]) -> float:
    right = (is_right(row.text, row.item.accepted, row.item.lang) for row in answered)
    return sum(right) / len(answered)


def chance(items: Iterable[Item]) -> float:
    """What always giving the commonest answer of a kind would get right: measured, not assumed."""
    by_kind: dict[str, Counter[str]] = {}
    for item in items:
        shortest = normalise(item.reference, item.lang)
        by_kind.setdefault(item.category, Counter())[shortest] += 1
    commonest = sum(max(counts.values()) for counts in by_kind.values())
    return commonest / sum(counts.total() for counts in by_kind.values())


def language_judge(items: Iterable[Item], detect: LanguageJudge | None = None) -> LanguageJudge:
    """Judges the language of answers, most of which are too short for language ID.

    All that the items themselves say in a language is in it ("No." is both English and Spanish),
    silence is in none. Any other must be recognised by `detect`: by default script, then fastText.
    """
    known = {
        (normalise(form, item.lang), item.lang)
        for item in items
        for form in (item.reference, *item.accepted)
    }
    language_id = LanguageId()

    def judge(text: str, lang: str) -> bool:
        if not text.strip() or (normalise(text, lang), lang) in known:
            return bool(text.strip())
        return detect(text, lang) if detect else language_id.detect(text, lang).lang == lang

    return judge


def report(scale: str, seen: Sequence[Outcome], unseen: Sequence[Outcome]) -> dict[str, Any]:
    """Everything that is measured, as it goes into evaluation/<scale>.json.

    A language's accuracies and chance are over the questions that take no reasoning; fidelity is
    over all. Where none takes reasoning its accuracy is None.
    """

    def shares(pairs: Iterable[tuple[Outcome, Outcome]]) -> dict[str, Any]:
        mine, others = zip(*pairs, strict=True)
        right = {"accuracy": accuracy(mine), "accuracy_shuffled": accuracy(others)}
        return {"questions": len(mine), **right}

    both = list(zip(seen, unseen, strict=True))  # of one question in one language
    languages: dict[str, dict[str, Any]] = {}
    for lang in dict.fromkeys(row.item.lang for row in seen):
        mine = [pair for pair in both if pair[0].item.lang == lang]
        plain = [pair for pair in mine if not pair[0].item.reasoning]
        hard = [row for row, _ in mine if row.item.reasoning]
        languages[lang] = shares(plain) | {
            "chance": chance(row.item for row, _ in plain),
            "reasoning": accuracy(hard) if hard else None,
            "fidelity": sum(row.in_language for row, _ in mine) / len(mine),
        }
    by_kind = {
        kind: shares(pair for pair in both if pair[0].item.category == kind)
        for kind in dict.fromkeys(row.item.category for row in seen)
    }
    mean: dict[str, Any] = {"questions": sum(not row.item.reasoning for row in seen)}
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
                "image": str(row.item.image),
                "lang": row.item.lang,
                "kind": row.item.category,
                "question": row.item.question,
                "expected": list(row.item.accepted),
                "answer": row.text,
                "correct": is_right(row.text, row.item.accepted, row.item.lang),
            }
            for lang in languages
            for row in [row for row in seen if row.item.lang == lang][:EXAMPLES_PER_LANGUAGE]
        ],  # the first few answers a language, right and wrong as they come
    }


def tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """A row a language, then a row a kind of question, all languages together."""
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
