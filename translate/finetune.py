"""Fine-tunes the translator on verified segments: the same prompt as in translation.

    palo translator train --lang all

Full weights, or LoRA where `finetune.lora_rank` is above 0. A part of the segments is held out
by key, never trained on, and translated before and after; the table shows both.

`<finetuned_dir>/active.json` says, per language, which folder holds what was made last, and from
which base; weights from another base are not used.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from rich.table import Table

from palo.checks.likeness import corpus_scores
from palo.console import note, progress, table
from palo.engines.open import open_engine, signature
from palo.engines.stream import Message, Request, Sampling, Weights, load_model
from palo.errors import UserError
from palo.files import digest, read_json, uptodate, write_json
from palo.languages import info
from palo.memory import VerifiedEntry, VerifiedMemory, segment_key
from palo.paths import DataPaths
from palo.schemas import Turn
from palo.settings import Context, EngineKind, TranslatorSettings
from palo.shards import read_samples, shard_paths
from palo.tokenizer import load_tokenizer
from translate.job import NO_GLOSSARY, Glossary, Term, load_glossary, load_prompt
from translate.segments import NOTHING, Before, Segment, cut, segment

_ACTIVE = "active.json"
_RECORD = "finetune.json"
_RULES = "1"  # raise when equal pairs and settings would give another model
MIN_PAIRS = 20


@dataclass(frozen=True)
class TrainingPair:
    """One segment and what the model should say for it, protected spans as placeholders."""

    lang: str
    text: str
    before: Before
    terms: tuple[Term, ...]
    target: str

    @property
    def prompt(self) -> str:
        shown = self.before.shown or self.before.english
        return load_prompt(self.lang).render(self.text, shown, self.terms)

    @property
    def key(self) -> bytes:
        """The same for equal English with equal context, in whatever language."""
        return segment_key(self.text, self.before.english)


def make_pair(
    lang: str, segment: Segment, target: str, glossary: Glossary = NO_GLOSSARY
) -> TrainingPair | None:
    """None where there is nothing to translate or the target lost a protected span."""
    masked = segment.mask(target)
    if segment.copied or not masked:
        return None
    return TrainingPair(lang, segment.text, segment.before, glossary.found_in(segment.text), masked)


def verified_pairs(
    lang: str,
    entries: Sequence[VerifiedEntry],
    context: Context,
    conversations: Mapping[str, Sequence[Turn]],
    glossary: Glossary = NO_GLOSSARY,
) -> list[TrainingPair]:
    """The verified turns of one language in the memory's order, each as it would be translated;
    where the source no longer has the turn, after its question. `conversations` are the source's
    turns by sample id. A segment that was verified in several turns comes as often: what the source
    says often is worth more practice."""
    texts = {(entry.sample_id, entry.turn): entry.text for entry in entries}
    pairs = []
    for entry in entries:
        turns = conversations.get(entry.sample_id, ())
        if entry.turn < len(turns) and turns[entry.turn].text == entry.source:
            said = [texts.get((entry.sample_id, index)) for index in range(entry.turn)]
            cut_out = segment(turns, entry.turn, context, said)
        else:
            before = NOTHING if context is Context.NONE else Before(entry.context)
            cut_out = cut(entry.source, before)
        if pair := make_pair(lang, cut_out, entry.text, glossary):
            pairs.append(pair)
    return pairs


@dataclass(frozen=True)
class Finetuned:
    """One language's row of active.json; `folder` is relative to it."""

    folder: str
    lora: bool
    base: str  # signature of the base model at training time

    def weights(self, settings: TranslatorSettings) -> Weights:
        folder = settings.finetuned_dir / self.folder
        base = base_weights(settings)
        return replace(base, adapter_dir=folder) if self.lora else Weights(str(folder))


def base_weights(settings: TranslatorSettings) -> Weights:
    return Weights(settings.model, settings.revision)


def weights_for(settings: TranslatorSettings, lang: str) -> Weights:
    """The fine-tuned ones, else the base. Raises MissingResource where the base is not here."""
    row = _active(settings).get(lang)
    is_current = row is not None and row.base == _base_version(settings)
    return row.weights(settings) if row and is_current else base_weights(settings)


def _base_version(settings: TranslatorSettings) -> str:
    """Names the base's weights. Raises MissingResource where they are not here."""
    base = signature(base_weights(settings), settings)
    return f"{base.model} {base.weights}"


def _active(settings: TranslatorSettings) -> dict[str, Finetuned]:
    rows = read_json(settings.finetuned_dir / _ACTIVE, {})
    return {lang: Finetuned(**row) for lang, row in rows.items()}


class Split(NamedTuple):
    train: list[TrainingPair]
    held_out: list[TrainingPair]


class LanguageScores(TypedDict):
    """`corpus_scores` before and after the fine-tune, on the same held-out pairs."""

    pairs: int  # trained on
    held_out: int
    before: dict[str, Any]
    after: dict[str, Any]


def score_report(scores: Mapping[str, LanguageScores]) -> dict[str, Any]:
    """What goes into the translator's report file."""
    languages = {}
    for lang, row in scores.items():
        both = {"before": row["before"], "after": row["after"]}
        figures = {f"{of}_{when}": both[when][of] for of in ("chrf", "bleu") for when in both}
        languages[lang] = {"pairs": row["pairs"], "held_out": row["held_out"], **figures}
    return {
        "languages": languages,
        "chrf_signature": next(iter(scores.values()))["after"]["chrf_signature"],
        "bleu_signatures": {lang: row["after"]["bleu_signature"] for lang, row in scores.items()},
    }


def score_table(scores: Mapping[str, LanguageScores]) -> Table:
    report, rows = score_report(scores), []
    for lang, figures in report["languages"].items():
        pairs, held_out, *of_lang = figures.values()
        rows.append((info(lang).name, str(pairs), str(held_out), *(f"{n:.1f}" for n in of_lang)))
    bleu_signature = next(iter(report["bleu_signatures"].values()))
    return table(
        "language",
        *("trained on", "held out", "chrF++ before", "after", "BLEU before", "after"),
        rows=rows,
        title="Fine-tune of the translator, held-out verified segments",
        caption=f"chrF++ {report['chrf_signature']}\nBLEU {bleu_signature}",
    )


def finetune(
    settings: TranslatorSettings, langs: Sequence[str], paths: DataPaths
) -> dict[str, LanguageScores]:
    """One model for all `langs`, or an adapter each (LoRA). UserError: too little is verified."""
    splits = _splits(langs, settings, paths)
    groups = [[lang] for lang in langs] if settings.finetune.lora_rank else [list(langs)]
    scores: dict[str, LanguageScores] = {}
    for group in groups:
        scores |= _finetune_group(settings, {lang: splits[lang] for lang in group})
    merged = score_report(scores)
    before = read_json(paths.translator_report, {"languages": {}})  # other languages' scores stay
    merged["languages"] = before["languages"] | merged["languages"]
    write_json(paths.translator_report, merged)
    return scores


def with_enough(langs: Sequence[str], paths: DataPaths) -> tuple[str, ...]:
    """The languages of which people have verified enough to be worth a look."""

    def is_enough(lang: str) -> bool:
        with VerifiedMemory.existing(paths.verified(lang)) as memory:
            return memory.count() >= MIN_PAIRS

    return tuple(filter(is_enough, langs))


def _splits(
    langs: Sequence[str], settings: TranslatorSettings, paths: DataPaths
) -> dict[str, Split]:
    verified: dict[str, list[VerifiedEntry]] = {}
    for lang in langs:
        with VerifiedMemory(paths.verified(lang)) as memory:
            verified[lang] = memory.entries()
    ids = {entry.sample_id for entries in verified.values() for entry in entries}
    conversations = {
        sample.sample_id: sample.turns
        for path in (shard_paths(paths.source_dir) if ids else ())
        for sample in read_samples(path)
        if sample.sample_id in ids
    }
    splits = {}
    for lang, entries in verified.items():
        glossary = load_glossary(settings.glossary_dir, lang)
        pairs = verified_pairs(lang, entries, settings.context, conversations, glossary)
        if len(pairs) < MIN_PAIRS:
            raise UserError(
                f"Only {len(pairs)} verified segments in {lang}; a fine-tune needs {MIN_PAIRS}. "
                f"Review some first: `palo translator seed --lang {lang}`, edit the CSV it leads "
                "to, then `palo refine`."
            )
        splits[lang] = split(pairs, settings.finetune.held_out_share)
    return splits


def split(pairs: Sequence[TrainingPair], held_out_share: float) -> Split:
    """By the key of the English segment: equal English never stands on both sides. Of few segments,
    none of which the share meets, one is held out all the same."""
    limit = int(held_out_share * 2**32)
    keys = {pair.key for pair in pairs}
    held = {key for key in keys if int.from_bytes(key[:4], "big") < limit} or {min(keys)}
    parts = Split([], [])
    for pair in pairs:
        (parts.held_out if pair.key in held else parts.train).append(pair)
    return parts


def _finetune_group(
    settings: TranslatorSettings, splits: Mapping[str, Split]
) -> dict[str, LanguageScores]:
    name = "+".join(splits) if len(splits) < 9 else "all"
    folder = settings.finetuned_dir / name
    row = Finetuned(name, settings.finetune.lora_rank > 0, _base_version(settings))
    practised = [pair for part in splits.values() for pair in part.train]
    pairs = [pair for part in splits.values() for pair in (*part.train, *part.held_out)]
    inputs = {
        "base": row.base,
        "settings": digest([_RULES, settings.finetune.model_dump()]),
        "pairs": digest([[pair.prompt, pair.target] for pair in pairs]),
    }
    record_path = folder / _RECORD
    if record := uptodate(record_path, inputs):
        note(f"{folder}: up to date")
        scores: dict[str, LanguageScores] = record["scores"]
    else:
        record_path.unlink(missing_ok=True)
        before = evaluate(settings, base_weights(settings), splits)
        train(settings, practised, folder)
        after = evaluate(settings, row.weights(settings), splits)
        scores = {
            lang: LanguageScores(
                pairs=len(part.train),
                held_out=len(part.held_out),
                before=before[lang],
                after=after[lang],
            )
            for lang, part in splits.items()
        }
        write_json(record_path, {"inputs": inputs, "scores": scores})
    active = _active(settings) | dict.fromkeys(splits, row)  # from now on it translates these
    rows = {lang: asdict(finetuned) for lang, finetuned in active.items()}
    write_json(settings.finetuned_dir / _ACTIVE, rows)
    return scores


def evaluate(
    settings: TranslatorSettings, weights: Weights, splits: Mapping[str, Split]
) -> dict[str, dict[str, Any]]:
    """`corpus_scores` of the held-out segments, translated greedily, against what people wrote."""
    requests = [
        Request(f"{lang} {at}", (Message("user", pair.prompt),), Sampling(settings.max_tokens))
        for lang, part in splits.items()
        for at, pair in enumerate(part.held_out)
    ]
    with open_engine(EngineKind.TRANSFORMERS, weights, settings) as engine:
        texts = {result.tag: result.text.strip() for result in engine.stream(requests)}
    scores = {}
    for lang, part in splits.items():
        said = [texts[f"{lang} {at}"] for at in range(len(part.held_out))]
        scores[lang] = corpus_scores(lang, said, [pair.target for pair in part.held_out])
    return scores


def train(settings: TranslatorSettings, pairs: Sequence[TrainingPair], folder: Path) -> None:
    """One supervised fine-tune with TRL; the loss is on the answers only."""
    from datasets import Dataset, disable_progress_bars
    from peft import LoraConfig
    from transformers import PrinterCallback, TrainerCallback
    from trl.trainer.sft_trainer import SFTTrainer

    chosen = settings.finetune
    order = list(pairs)
    random.Random(chosen.seed).shuffle(order)
    rows = {
        "prompt": [[{"role": "user", "content": pair.prompt}] for pair in order],
        "completion": [[{"role": "assistant", "content": pair.target}] for pair in order],
    }
    lora = None
    if chosen.lora_rank:
        lora = LoraConfig(
            r=chosen.lora_rank,
            lora_alpha=chosen.lora_alpha,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
    disable_progress_bars()
    tokenizer = load_tokenizer(settings.model, settings.revision)
    trainer: Any = SFTTrainer(
        model=load_model(settings.model, settings.revision, settings.dtype),
        args=_arguments(settings, folder),
        train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
        peft_config=lora,
    )
    trainer.remove_callback(PrinterCallback)  # prints dictionaries where there is no terminal
    with progress("fine-tune translator", None) as tick:

        class Ticking(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
                tick(1, f"of {state.max_steps}")

        trainer.add_callback(Ticking())
        trainer.train()
    trainer.save_model(str(folder))
    tokenizer.save_pretrained(folder)


def _arguments(settings: TranslatorSettings, folder: Path) -> Any:
    import torch
    from trl.trainer.sft_config import SFTConfig

    chosen, gpu = settings.finetune, torch.cuda.is_available()
    arguments = SFTConfig(
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
    arguments._n_gpu = min(1, arguments.n_gpu)  # one GPU of several: trl refuses DataParallel
    return arguments
