"""Measures a trained scale on a LLaVA-Bench-style set in every language that the set is in.

    palo evaluate --scale 13b --bench data/palo/bench

Answers and judgements are stored as they come and found again by content, so a run that was killed
goes on, and what has not changed is not asked for again.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from palo.benchmark_set import BenchmarkSet, Line, read_set, set_languages
from palo.console import note, progress
from palo.engines.open import has_gpu
from palo.engines.stream import weights_digest
from palo.errors import UserError
from palo.files import digest, run_lock, write_json
from palo.settings import AnswerEngine, AnswerJudgeSettings, EvaluateSettings, Profile
from train.data.images import UnreadableImage, stored
from train.evaluation.held_out import MAX_NEW_TOKENS, is_right, language_judge
from train.evaluation.judge import Case, Judge, Judged, Store
from train.evaluation.scores import Item, Outcome, summary
from train.resources import require_for_evaluation
from train.scale import Scale

VERSION = "1"  # raise it when the same checkpoint answers the same question otherwise
# Field of a reference answer that most sets lack. true: nothing but this text is right; a list:
# all texts that are. Where it is there, nobody needs to be asked whether an answer is right.
EXACT = "exact"

_Scores = tuple[float | None, float | None, Judged | None]  # model, reference, and the judge's word


def evaluate_set(
    scale: Scale, profile: Profile, root: Path, engine: AnswerEngine, with_judge: bool = True
) -> dict[str, Any]:
    """The content of evaluation/<scale>/bench-<digest>.json, which it writes.

    `with_judge` False: answers, their language and text metrics alone. Raises UserError for what
    is wrong with the set or the judge, MissingResource before anything heavy is loaded.
    """
    settings, paths = profile.evaluate, profile.paths
    checkpoint_dir = paths.checkpoint(scale.name)
    items = read_items(root, settings.bench.reference)
    exact = any(item.accepted for item in items)
    require_for_evaluation(scale, profile, held_out=False, judge=with_judge and not exact)
    checkpoint = weights_digest(checkpoint_dir)
    folder = paths.evaluation(scale.name).with_suffix("")
    with run_lock(folder, f"evaluate {scale.name}"):
        texts = _answers(scale, settings, items, engine, folder, checkpoint, checkpoint_dir)
        known: dict[str, list[str]] = {}  # what the set itself says in a language is in it
        for item in items:
            known.setdefault(item.lang, []).extend((item.reference, *item.accepted))
        is_in = language_judge(known)
        scores: list[_Scores] = [(None, None, None)] * len(items)
        signature, failures = "none", list[str]()
        if exact:
            # 1 or 0 beside a reference that is always right; nothing without accepted forms
            signature = EXACT
            for place, (item, text) in enumerate(zip(items, texts, strict=True)):
                if item.accepted:
                    right = float(is_right(text, item.accepted, item.lang))
                    scores[place] = (right, 1.0, None)
        elif with_judge:
            assert settings.judge is not None
            scores, signature, failures = _judge(settings.judge, items, texts, checkpoint, folder)
        outcomes = [
            Outcome(item, text, bool(text.strip()) and is_in(text, item.lang), *some)
            for item, text, some in zip(items, texts, scores, strict=True)
        ]
        signature += f"|bench:{set_digest(items)}"
        result = summary(scale.name, outcomes, signature, settings.bench)
        result |= {"checkpoint": checkpoint, "engine": str(engine), "failures": failures}
        path = folder / f"bench-{digest([checkpoint, result['signature']])[:8]}.json"
        write_json(path, result)
        note(f"Scores, answers and judgements: {path}")
    return result


def read_items(root: Path, reference: str | None) -> list[Item]:
    """By language, then in the order of the files.

    Raises UserError for a folder that is no such set, and for a picture that is not there.
    """
    if not root.is_dir():
        raise UserError(f"No folder {root}. Give --bench the folder of a LLaVA-Bench-style set.")
    langs = set_languages(root)
    if not langs:
        raise UserError(
            f"{root} holds no LLaVA-Bench-style set: no questions.jsonl there, nor in a folder "
            "of a language below it, such as en/ or ur/."
        )
    digests: dict[Path, str] = {}
    return [item for lang in langs for item in _items(read_set(root, lang), reference, digests)]


def set_digest(items: Sequence[Item]) -> str:
    """8 hex digits over all that is asked and shown."""
    parts = [
        [value for name, value in sorted(vars(item).items()) if name != "image"] for item in items
    ]
    return digest(sorted(parts))[:8]


def _items(
    benchmark: BenchmarkSet, reference: str | None, digests: dict[Path, str]
) -> Iterator[Item]:
    references = benchmark.reference(reference)
    for question in benchmark.questions:
        image = benchmark.images_dir / question.image
        if image not in digests:
            digests[image] = _image_digest(image, question, benchmark)
        answer = references[question.question_id]
        yield Item(
            benchmark.lang,
            str(question.question_id),
            question.category,
            question.text,
            image,
            digests[image],
            benchmark.caption(question.image),
            answer.text,
            _accepted(answer, benchmark),
        )


def _accepted(answer: Line, benchmark: BenchmarkSet) -> tuple[str, ...]:
    exact = answer.fields.get(EXACT, False)
    if isinstance(exact, bool):
        return (answer.text,) if exact else ()
    if not (exact and isinstance(exact, list) and all(isinstance(text, str) for text in exact)):
        raise UserError(
            f"Answer to question {answer.question_id} in {benchmark.folder}: field '{EXACT}' is "
            f"{str(exact)[:40]!r}; it must be true or a list of texts."
        )
    return tuple(exact)


def _image_digest(path: Path, question: Line, benchmark: BenchmarkSet) -> str:
    try:
        if path.is_file():
            content = path.read_bytes()
        elif (member := stored(path)) is not None:
            content = member.read()
        else:
            raise UnreadableImage(f"no image {path}")
    except UnreadableImage as error:
        raise UserError(
            f"Question {question.question_id} in {benchmark.folder}: {error}. Put the pictures of "
            f"the set into {benchmark.images_dir}."
        ) from None
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def answer_key(item: Item, checkpoint: str, decoding: Mapping[str, object]) -> str:
    """Model, decoding, words and picture decide an answer; no name and no place."""
    return digest([checkpoint, decoding, item.question, item.image_digest])


def _answers(
    scale: Scale,
    settings: EvaluateSettings,
    items: Sequence[Item],
    engine: AnswerEngine,
    folder: Path,
    checkpoint: str,
    checkpoint_dir: Path,
) -> list[str]:
    """An answer for each item; only what is not stored yet is asked, each question once."""
    short = all(item.accepted for item in items)
    max_new_tokens = MAX_NEW_TOKENS if short else settings.bench.max_new_tokens
    decoding = {
        "version": VERSION,
        "greedy": True,
        "max_new_tokens": max_new_tokens,
        "dtype": "bfloat16" if has_gpu() else "float32",
    }
    keys = [answer_key(item, checkpoint, decoding) for item in items]
    with (
        Store(folder / "answers.jsonl") as store,
        progress(f"{scale.name} answers", len(items)) as tick,
    ):
        waiting = {key: row for key, row in zip(keys, items, strict=True) if not store.rows(key)}
        left = list(waiting.items())
        tick(len(items) - len(left))
        if left:
            from train.evaluation.answerers import open_answerer

            asked = [(item.question, item.image) for _, item in left]
            long_answers = settings.model_copy(update={"batch_size": settings.bench.batch_size})
            opened = open_answerer(engine, long_answers, max_new_tokens, checkpoint_dir)
            try:
                with opened as answerer:
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


def _judge(
    settings: AnswerJudgeSettings,
    items: Sequence[Item],
    texts: Sequence[str],
    checkpoint: str,
    folder: Path,
) -> tuple[list[_Scores], str, list[str]]:
    """What the judge says of each, its signature, and what got no reply."""
    cases = [
        Case(checkpoint, row.question_id, row.lang, row.question, row.context, row.reference, text)
        for row, text in zip(items, texts, strict=True)
    ]
    with Store(folder / "judgements.jsonl") as store:
        judge = Judge(settings, store)
        with progress("judgements", judge.sittings_of(cases)) as tick:
            judge.ask(cases, tick)
        every = [judge.judged(case) for case in cases]
        judges = [name for judged in every if judged for name in judged.judges]
        scores: list[_Scores] = [
            (row.model, row.reference, row) if row else (None, None, None) for row in every
        ]
        return scores, judge.signature(judges), judge.failures
