"""Fine-tunes the translator on verified segments: the same prompt as in translation.

    palo translator train --lang all

Full weights, or LoRA where `finetune.lora_rank` is above 0. A part of the segments is held out
by key, never trained on, and translated before and after; the table shows both.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.console import Tick, note, progress
from palo.engines.open import open_engine
from palo.engines.stream import Message, Request, Sampling, Weights, load_model, load_tokenizer
from palo.errors import UserError
from palo.files import digest, read_json, uptodate, write_json
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.paths import DataPaths
from palo.settings import EngineKind, FinetuneSettings, TranslatorSettings
from palo.shards import shard_paths
from translate.glossary import load_glossary
from translate.pairs import Conversations, Pair, conversations_of, verified_pairs
from translate.scores import LanguageScores, Score, score, score_report
from translate.translator import Finetuned, activate, base_version, base_weights

_RECORD = "finetune.json"
_RULES = "1"  # raise when equal pairs and settings would give another model
MIN_PAIRS = 20

Pairs = Mapping[str, Sequence[Pair]]


@dataclass(frozen=True)
class Split:
    train: list[Pair]
    held_out: list[Pair]


def finetune(
    settings: TranslatorSettings, langs: Sequence[str], paths: DataPaths
) -> dict[str, LanguageScores]:
    """Trains one model for all `langs` (full weights) or an adapter for each (LoRA).

    Raises UserError where too little is verified.
    """
    splits = _splits(langs, settings, paths)
    apart = bool(settings.finetune.lora_rank)
    groups = [[lang] for lang in langs] if apart else [list(langs)]
    scores: dict[str, LanguageScores] = {}
    for group in groups:
        scores |= _finetune_group(settings, {lang: splits[lang] for lang in group})
    report_path = paths.translator_report
    merged = score_report(scores)
    if report_path.is_file():  # other languages' scores stay
        merged["languages"] = {**read_json(report_path)["languages"], **merged["languages"]}  # type: ignore[dict-item]
    write_json(report_path, merged)
    return scores


def _splits(
    langs: Sequence[str], settings: TranslatorSettings, paths: DataPaths
) -> dict[str, Split]:
    words: dict[str, list[VerifiedEntry]] = {}
    for lang in langs:
        with VerifiedMemory(paths.verified(lang)) as memory:
            words[lang] = memory.entries()
    ids = {entry.sample_id for entries in words.values() for entry in entries}
    conversations = conversations_of(shard_paths(paths.source_dir), ids) if ids else {}
    return {lang: _split(lang, words[lang], settings, conversations) for lang in langs}


def with_enough(langs: Sequence[str], paths: DataPaths) -> tuple[str, ...]:
    """The languages of which people have verified enough to be worth a look."""
    found = []
    for lang in langs:
        with VerifiedMemory.existing(paths.verified(lang)) as memory:
            if memory.count() >= MIN_PAIRS:
                found.append(lang)
    return tuple(found)


def _split(
    lang: str,
    words: Sequence[VerifiedEntry],
    settings: TranslatorSettings,
    conversations: Conversations,
) -> Split:
    glossary = load_glossary(settings.glossary_dir, lang)
    pairs = verified_pairs(lang, words, settings.context, conversations, glossary)
    if len(pairs) < MIN_PAIRS:
        raise UserError(
            f"Only {len(pairs)} verified segments in {lang}; a fine-tune needs {MIN_PAIRS}. "
            f"Review some first: `palo translator seed --lang {lang}`, edit the CSV it leads to, "
            "then `palo refine`."
        )
    return split(pairs, settings.finetune.held_out_share)


def split(pairs: Sequence[Pair], held_out_share: float) -> Split:
    """By the key of the English segment: equal English never stands on both sides."""
    limit = int(held_out_share * 2**32)
    held = [pair for pair in pairs if int.from_bytes(pair.key[:4], "big") < limit]
    rest = [pair for pair in pairs if int.from_bytes(pair.key[:4], "big") >= limit]
    return Split(rest, held)


def _finetune_group(
    settings: TranslatorSettings, splits: Mapping[str, Split]
) -> dict[str, LanguageScores]:
    name = "+".join(splits) if len(splits) < 9 else "all"
    folder = settings.finetuned_dir / name
    base = base_version(settings)
    row = Finetuned(name, settings.finetune.lora_rank > 0, base)
    inputs = {
        "base": base,
        "settings": digest([_RULES, settings.finetune.model_dump()]),
        "pairs": digest([[pair.prompt, pair.target] for pair in _all(splits)]),
    }
    record_path = folder / _RECORD
    if record := uptodate(record_path, inputs):
        note(f"{folder}: up to date")
        activate(settings, list(splits), row)
        return _scores(record["scores"])
    record_path.unlink(missing_ok=True)
    before = evaluate(settings, base_weights(settings), splits)
    train(settings, _all(splits, train_only=True), folder)
    trained = Weights(str(folder))
    if row.lora:
        trained = Weights(settings.model, settings.revision, folder)
    after = evaluate(settings, trained, splits)
    scores = {
        lang: LanguageScores(len(part.train), len(part.held_out), before[lang], after[lang])
        for lang, part in splits.items()
    }
    write_json(record_path, {"inputs": inputs, "scores": _plain(scores)})
    activate(settings, list(splits), row)
    return scores


def _all(splits: Mapping[str, Split], train_only: bool = False) -> list[Pair]:
    parts = ([*one.train, *([] if train_only else one.held_out)] for one in splits.values())
    return [pair for part in parts for pair in part]


def evaluate(
    settings: TranslatorSettings, weights: Weights, splits: Mapping[str, Split]
) -> dict[str, Score]:
    """Greedy translations of the held-out segments, scored against what people wrote."""
    pairs = [pair for part in splits.values() for pair in part.held_out]
    requests = [
        Request(str(at), (Message("user", pair.prompt),), Sampling(settings.max_tokens))
        for at, pair in enumerate(pairs)
    ]
    with open_engine(EngineKind.TRANSFORMERS, weights, settings) as engine:
        texts = {int(result.tag): result.text.strip() for result in engine.stream(requests)}
    scores, at = {}, 0
    for lang, part in splits.items():
        said = [texts[number] for number in range(at, at + len(part.held_out))]
        at += len(part.held_out)
        scores[lang] = score(lang, said, [pair.target for pair in part.held_out])
    return scores


def train(settings: TranslatorSettings, pairs: Sequence[Pair], folder: Path) -> None:
    """One supervised fine-tune with TRL; the loss is on the answers only."""
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    chosen = settings.finetune
    order = list(pairs)
    random.Random(chosen.seed).shuffle(order)
    rows = {
        "prompt": [[{"role": "user", "content": pair.prompt}] for pair in order],
        "completion": [[{"role": "assistant", "content": pair.target}] for pair in order],
    }
    disable_progress_bars()
    model = load_model(settings.model, settings.revision, settings.dtype)
    tokenizer = load_tokenizer(settings.model, settings.revision)
    trainer: Any = SFTTrainer(
        model=model,
        args=_arguments(chosen, settings, folder),
        train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
        peft_config=_lora(chosen),
    )
    trainer.remove_callback(PrinterCallback)  # prints dictionaries where there is no terminal
    with progress("fine-tune translator", None) as tick:
        trainer.add_callback(_ticking(tick))
        trainer.train()
    trainer.save_model(str(folder))
    tokenizer.save_pretrained(folder)


def _ticking(tick: Tick) -> Any:
    from transformers import TrainerCallback

    class Ticking(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
            tick(1, f"of {state.max_steps}")

    return Ticking()


def _arguments(chosen: FinetuneSettings, settings: TranslatorSettings, folder: Path) -> Any:
    import torch
    from trl.trainer.sft_config import SFTConfig

    gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(folder),
        num_train_epochs=chosen.epochs,
        per_device_train_batch_size=chosen.batch_size,
        learning_rate=chosen.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        max_length=settings.max_model_tokens,
        completion_only_loss=True,
        train_sampling_strategy="group_by_length",
        save_strategy="no",
        report_to="none",
        logging_strategy="no",
        disable_tqdm=True,
        seed=chosen.seed,
        use_cpu=not gpu,
        bf16=gpu and settings.dtype == "bfloat16",
        gradient_checkpointing=gpu,
        dataloader_pin_memory=gpu,
    )


def _lora(chosen: FinetuneSettings) -> Any:
    if not chosen.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=chosen.lora_rank,
        lora_alpha=chosen.lora_alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _plain(scores: Mapping[str, LanguageScores]) -> dict[str, Any]:
    from dataclasses import asdict

    return {lang: asdict(found) for lang, found in scores.items()}


def _scores(plain: Mapping[str, Any]) -> dict[str, LanguageScores]:
    return {
        lang: LanguageScores(
            row["pairs"], row["held_out"], Score(**row["before"]), Score(**row["after"])
        )
        for lang, row in plain.items()
    }
