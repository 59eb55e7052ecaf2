"""Measures a trained scale on a LLaVA-Bench-style set in every language that the set is in.

    palo evaluate --scale 13b --bench data/palo/bench

Answers and judgements are stored as they come and found again by content, so a run that was killed
goes on, and what has not changed is not asked for again.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from palo.console import note, progress
from palo.engines.stream import weights_digest
from palo.errors import MissingResource, UserError
from palo.files import digest, run_lock, write_json
from palo.paths import DataPaths
from palo.settings import AnswerEngine, EvaluateSettings, Profile
from train.data.image_store import UnreadableImage
from train.evaluation.answers import is_right, language_judge
from train.evaluation.bench.items import Item, read_items, set_digest
from train.evaluation.bench.judge import Case, Judge
from train.evaluation.bench.store import Store
from train.evaluation.bench.summary import Outcome, summary
from train.evaluation.evaluate import MAX_NEW_TOKENS, detector
from train.evaluation.opening import open_answerer
from train.resources import has_gpu
from train.scale import Scale

VERSION = "1"  # raise it when the same checkpoint answers the same question otherwise
_EXACT = "exact"


def evaluate_bench(
    scale: Scale, profile: Profile, root: Path, engine: AnswerEngine, with_judge: bool = True
) -> dict[str, Any]:
    """The content of evaluation/<scale>/bench-<digest>.json, which it writes.

    `with_judge` False: answers, their language and text metrics alone. Raises UserError for what
    is wrong with the set or the judge, MissingResource before anything heavy is loaded.
    """
    settings, paths = profile.evaluate, DataPaths(profile.data_dir)
    checkpoint_dir = paths.checkpoint(scale.name)
    items = read_items(root, settings.bench.reference)
    exact = any(one.accepted for one in items)
    _require(scale, profile, checkpoint_dir, needs_judge=with_judge and not exact)
    checkpoint = weights_digest(checkpoint_dir)
    folder = paths.evaluation(scale.name).with_suffix("")
    with run_lock(folder, f"evaluate {scale.name}"), Store(folder / "answers.jsonl") as store:
        texts = _answer(scale, settings, items, engine, store, checkpoint, checkpoint_dir)
        if exact or not with_judge:
            signature = _EXACT if exact else "none"
            outcomes = [_exact(one, text) for one, text in zip(items, texts, strict=True)]
            failures: list[str] = []
        else:
            outcomes, signature, failures = _judge(settings, items, texts, checkpoint, folder)
        signature += f"|bench:{set_digest(items)}"
        result = summary(scale.name, outcomes, _in_language(items), signature, settings.bench)
        result |= {"checkpoint": checkpoint, "engine": str(engine), "failures": failures}
        path = folder / f"bench-{digest([checkpoint, result['signature']])[:8]}.json"
        write_json(path, result)
        note(f"Scores, answers and judgements: {path}")
    return result


def _require(scale: Scale, profile: Profile, checkpoint_dir: Path, needs_judge: bool) -> None:
    missing = []
    if not scale.is_standin and not has_gpu():
        missing.append(f"an NVIDIA GPU for {scale.name}: run on a machine that has one")
    if not (checkpoint_dir / "config.json").is_file():
        missing.append(f"a checkpoint ({checkpoint_dir}): palo train --scale {scale.name}")
    if needs_judge and profile.evaluate.judge is None:
        missing.append(
            "a judge: set `evaluate: {judge: {model: NAME, server: {base_url: URL}}}` of the "
            "profile in pipelines.yaml, or give --no-judge"
        )
    if missing:
        lines = "".join(f"\n  - {line}" for line in missing)
        raise MissingResource(
            f"Cannot evaluate {scale.name} on profile {profile.name}. Missing:{lines}"
        )


def _answer(
    scale: Scale,
    settings: EvaluateSettings,
    items: Sequence[Item],
    engine: AnswerEngine,
    store: Store,
    checkpoint: str,
    checkpoint_dir: Path,
) -> list[str]:
    """An answer for each item; only what is not stored yet is asked, each question once."""
    short = all(one.accepted for one in items)
    max_new_tokens = MAX_NEW_TOKENS if short else settings.bench.max_new_tokens
    decoding: dict[str, object] = {
        "version": VERSION,
        "greedy": True,
        "max_new_tokens": max_new_tokens,
        "dtype": "bfloat16" if has_gpu() else "float32",
    }
    keys = [one.key(checkpoint, decoding) for one in items]
    left = {key: one for key, one in zip(keys, items, strict=True) if not store.rows(key)}
    with progress(f"{scale.name} answers", len(items)) as tick:
        tick(len(items) - len(left))
        if left:
            _ask(scale, settings, left, engine, store, checkpoint_dir, max_new_tokens, tick)
    return [str(store.rows(key)[0]["answer"]) for key in keys]


def _ask(
    scale: Scale,
    settings: EvaluateSettings,
    left: dict[str, Item],
    engine: AnswerEngine,
    store: Store,
    checkpoint_dir: Path,
    max_new_tokens: int,
    tick: Callable[[int], None],
) -> None:
    order = list(left.items())
    asked = [(item.question, item.image) for _, item in order]
    long_answers = settings.model_copy(update={"batch_size": settings.bench.batch_size})
    opened = open_answerer(engine, scale, long_answers, max_new_tokens, checkpoint_dir)
    try:
        with opened as answerer:
            for place, text in answerer.stream(asked):
                key, item = order[place]
                row = {"question": item.question_id, "lang": item.lang, "engine": str(engine)}
                store.add(key, row | {"answer": text})
                tick(1)
    except UnreadableImage as error:
        raise UserError(f"{error}. Mend or replace it; what was answered is kept.") from None


def _exact(item: Item, text: str) -> Outcome:
    """1 or 0 beside a reference that is always right; nothing without accepted forms."""
    if not item.accepted:
        return Outcome(item, text)
    right = is_right(text, item.accepted, item.lang)
    return Outcome(item, text, model=float(right), reference=1.0)


def _judge(
    settings: EvaluateSettings,
    items: Sequence[Item],
    texts: Sequence[str],
    checkpoint: str,
    folder: Path,
) -> tuple[list[Outcome], str, list[str]]:
    """What the judge says of each, its signature, and what got no reply."""
    assert settings.judge is not None
    cases = [
        Case(
            checkpoint,
            one.question_id,
            one.lang,
            one.question,
            one.context,
            one.reference,
            text,
        )
        for one, text in zip(items, texts, strict=True)
    ]
    with Store(folder / "judgements.jsonl") as store:
        judge = Judge(settings.judge, store)
        with progress("judgements", judge.sittings_of(cases)) as tick:
            judge.ask(cases, tick)
        outcomes = []
        for item, text, case in zip(items, texts, cases, strict=True):
            found = judge.judged(case)
            model, reference = (found.model, found.reference) if found else (None, None)
            outcomes.append(Outcome(item, text, model, reference, found))
        judges = [name for one in outcomes if one.judged for name in one.judged.judges]
        return outcomes, judge.signature(judges), judge.failures


def _in_language(items: Sequence[Item]) -> Callable[[str, str], bool]:
    """Whether an answer is in a language; what the set itself says in it counts as being so."""
    forms: dict[str, list[str]] = {}
    for one in items:
        forms.setdefault(one.lang, []).extend((one.reference, *one.accepted))
    return language_judge(forms, detector())
