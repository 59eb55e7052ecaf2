"""Fine-tunes the translator on verified segments: the same prompt as in translation.

    palo translator train --lang all

Full weights, or LoRA where `finetune.lora_rank` is above 0: an adapter a language, trained side by
side where there are several GPUs. A part of the segments is held out by key, never trained on, and
translated before and after; the table shows both.

`<finetuned_dir>/active.json` says, per language, which folder holds what translates it, and from
which base; weights from another base are not used. What is trained lies in `<name>.trial` until it
is scored. Where it scores below the base it stays there and is not used; its record says so, and
each step of a stopped run that was done.
"""

import gc
import math
import multiprocessing
import os
import random
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

from rich.table import Table

from palo.checks.likeness import corpus_scores
from palo.console import note, progress, table
from palo.engines.limits import answer_limit
from palo.engines.open import engines_for, signature
from palo.engines.stream import Message, Request, Sampling, Weights, load_model
from palo.errors import UserError
from palo.files import digest, read_json, uptodate, write_json
from palo.hub import damage
from palo.languages import info
from palo.memory import VerifiedEntry, VerifiedMemory, segment_key
from palo.paths import DataPaths
from palo.schemas import Turn
from palo.settings import Context, EngineKind, TranslatorSettings
from palo.shards import read_samples, shard_paths
from palo.tokenizer import load_tokenizer
from palo.tracking import require_trackers, tracked
from palo.workers import begin
from translate.job import NO_GLOSSARY, Glossary, Term, load_glossary, load_prompt
from translate.segments import NOTHING, Before, Segment, cut, segment

_ACTIVE = "active.json"
_RECORD = "finetune.json"
_RULES = "1"  # raise when equal pairs and settings would give another model
_TRIAL = ".trial"
_LOG_EVERY_STEPS = 10
_NOT_THE_MODEL = {"device_batch_size", "trackers", "max_chrf_loss"}  # settings that don't change it
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


class Refused(UserError):
    """A fine-tune scored below what it started from; it is not used."""

    exit_code = 3


class Outcome(NamedTuple):
    scores: dict[str, LanguageScores]  # of what is used, and of what was refused for its scores
    refused: list[str]  # a sentence each

    def require_accepted(self, settings: TranslatorSettings) -> None:
        if self.refused:
            raise Refused(
                "The fine-tune is refused, what translated before goes on translating:\n- "
                + "\n- ".join(self.refused)
                + f"\nIts weights lie in {settings.finetuned_dir}/<name>{_TRIAL}. Verify more "
                "segments, or lower finetune.learning_rate or finetune.epochs, and run it again. "
                "finetune.max_chrf_loss says how many points may be lost."
            )


class _Record(TypedDict):
    """Of a trial: what was done of it. Once it is accepted, inputs and scores."""

    inputs: dict[str, str]
    before: dict[str, dict[str, Any]]  # `corpus_scores` by language
    loss: float | None  # mean of the training; None: it is not finite, so nothing was saved
    scores: NotRequired[dict[str, LanguageScores]]


@dataclass(frozen=True)
class _Group:
    """Languages that get weights together: all of them, or with LoRA each its own."""

    splits: Mapping[str, Split]
    finetuned: Finetuned
    inputs: dict[str, str]  # decide what training gives
    folder: Path  # of what is used

    @property
    def trial(self) -> Path:
        return self.folder.with_name(self.folder.name + _TRIAL)

    def in_use(self) -> dict[str, LanguageScores] | None:
        """The scores of what was made from these very inputs and accepted."""
        record = uptodate(self.folder / _RECORD, self.inputs)
        return record["scores"] if record and damage(self.folder) is None else None

    def tried(self) -> _Record | None:
        record: Any = uptodate(self.trial / _RECORD, self.inputs)
        has_weights = record is not None and record.get("loss", 0.0) is not None
        is_lost = has_weights and damage(self.trial)
        return None if is_lost else record

    def keep(self, record: _Record) -> None:
        write_json(self.trial / _RECORD, record)

    def scored(self, record: _Record, after: Mapping[str, dict[str, Any]]) -> None:
        scores = {
            lang: LanguageScores(
                pairs=len(part.train),
                held_out=len(part.held_out),
                before=record["before"][lang],
                after=after[lang],
            )
            for lang, part in self.splits.items()
        }
        self.keep({**record, "scores": scores})

    def refusal(self, record: _Record, max_chrf_loss: float) -> str:
        """Why the trial is not used; "" where it is."""
        if "scores" not in record:
            return f"{self.folder.name}: the training loss is not finite"
        fallen = [
            f"{lang} from {row['before']['chrf']:.2f} to {row['after']['chrf']:.2f} "
            f"({row['held_out']} segments)"
            for lang, row in record["scores"].items()
            if row["after"]["chrf"] < row["before"]["chrf"] - max_chrf_loss
        ]
        of_all = f" (trained together with {', '.join(self.splits)})" * (len(self.splits) > 1)
        return f"held-out chrF++ fell: {', '.join(fallen)}{of_all}" if fallen else ""

    def accept(self, record: _Record) -> None:
        """Puts the trial in the place of what is used."""
        done = {"inputs": self.inputs, "scores": record["scores"]}  # lies in the weights' digest
        write_json(self.trial / _RECORD, done)
        old = self.folder.with_name(f"{self.folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(old)
        self.trial.rename(self.folder)
        shutil.rmtree(old, ignore_errors=True)


def finetune(
    settings: TranslatorSettings,
    langs: Sequence[str],
    paths: DataPaths,
    devices: Sequence[str] | None = None,
) -> Outcome:
    """Trains one model for all `langs` (full weights) or an adapter for each (LoRA), these side by
    side on `devices` (None: the GPUs that there are); uses those that score no worse than the base.
    Raises UserError where too little is verified."""
    require_trackers(settings.finetune.trackers, "translator.finetune.trackers")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            "`palo translator train` uses the GPUs that it sees by itself, a language on each: "
            "run it without torchrun."
        )
    groups = _groups(settings, _splits(langs, settings, paths))
    left = [group for group in groups if group.in_use() is None]
    _train_all(settings, [group for group in left if group.tried() is None], devices)
    _score_all(settings, left)
    outcome = Outcome({}, [])
    used: dict[str, LanguageScores] = {}
    for group in groups:
        if (scores := group.in_use()) is not None:
            note(f"{group.folder}: up to date")
        else:
            record = group.tried()
            assert record is not None
            scores = record.get("scores", {})
            if why := group.refusal(record, settings.finetune.max_chrf_loss):
                outcome.refused.append(why)
            else:
                group.accept(record)
        outcome.scores.update(scores)
        if group.in_use() is None:
            continue
        used |= scores
        active = _active(settings) | dict.fromkeys(group.splits, group.finetuned)
        rows = {lang: asdict(finetuned) for lang, finetuned in active.items()}
        write_json(settings.finetuned_dir / _ACTIVE, rows)  # from now on it translates these
    if used:
        merged = score_report(used)
        before = read_json(paths.translator_report, {"languages": {}})  # others' scores stay
        merged["languages"] = before["languages"] | merged["languages"]
        write_json(paths.translator_report, merged)
    return outcome


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
        if len({pair.key for pair in pairs}) == 1:
            raise UserError(
                f"The {len(pairs)} verified segments in {lang} are all of the same English, "
                f"'{pairs[0].text}': a part of them must be held out, and equal English is not "
                "parted. Review others."
            )
        splits[lang] = split(pairs, settings.finetune.held_out_share)
    return splits


def split(pairs: Sequence[TrainingPair], held_out_share: float) -> Split:
    """By the key of the English segment: equal English never stands on both sides. Of few segments,
    of which the share meets none or all, one is held out all the same, or trained on; there must be
    two of different keys."""
    limit = int(held_out_share * 2**32)
    keys = {pair.key for pair in pairs}
    held = {key for key in keys if int.from_bytes(key[:4], "big") < limit} or {min(keys)}
    if held == keys:
        held.remove(max(keys))
    parts = Split([], [])
    for pair in pairs:
        (parts.held_out if pair.key in held else parts.train).append(pair)
    return parts


def _groups(settings: TranslatorSettings, splits: Mapping[str, Split]) -> list[_Group]:
    chosen, base = settings.finetune, _base_version(settings)
    parts = [[lang] for lang in splits] if chosen.lora_rank else [list(splits)]
    groups = []
    for langs in parts:
        name = "+".join(langs) if len(langs) < 9 else "all"
        pairs = [pair for lang in langs for part in splits[lang] for pair in part]
        inputs = {
            "base": base,
            "settings": digest([_RULES, chosen.model_dump(exclude=_NOT_THE_MODEL)]),
            "pairs": digest([[pair.prompt, pair.target] for pair in pairs]),
        }
        finetuned = Finetuned(name, chosen.lora_rank > 0, base)
        of_group = {lang: splits[lang] for lang in langs}
        groups.append(_Group(of_group, finetuned, inputs, settings.finetuned_dir / name))
    return groups


def _train_all(
    settings: TranslatorSettings, groups: Sequence[_Group], devices: Sequence[str] | None
) -> None:
    """Each group's trial, after its languages were scored without it. Several devices, in a process
    each, are dealt the groups in turn."""
    if not groups:
        return
    splits = {lang: part for group in groups for lang, part in group.splits.items()}
    [before] = evaluate(settings, [(base_weights(settings), splits)])
    devices = (_devices() if devices is None else devices)[: len(groups)]
    if len(devices) < 2:
        _train_share(settings, groups, before)
        return
    context = multiprocessing.get_context("spawn")
    shares = [groups[at :: len(devices)] for at in range(len(devices))]
    children = [
        context.Process(target=_train_on, args=(device, settings, share, before))
        for device, share in zip(devices, shares, strict=True)
    ]
    try:
        for child in children:
            child.start()
        for child in children:
            child.join()
    finally:
        for child in filter(lambda child: child.pid, children):
            child.terminate()
            child.join()
    if ended := [
        f"{', '.join(group.folder.name for group in share)} on GPU {device} (exit code "
        f"{child.exitcode})"
        for device, share, child in zip(devices, shares, children, strict=True)
        if child.exitcode
    ]:
        raise UserError(
            f"The training of {'; '.join(ended)} failed; the reason stands above. What is trained "
            "is kept: run the same command again."
        )


def _devices() -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls each GPU that this process may see."""
    import torch

    number, named = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:number] if named else [str(at) for at in range(number)]


def _train_on(
    device: str,
    settings: TranslatorSettings,
    groups: Sequence[_Group],
    before: Mapping[str, dict[str, Any]],
) -> None:
    """In a process of its own that has not loaded torch yet; prints plain lines, since others print
    beside it."""
    os.environ |= {"CUDA_VISIBLE_DEVICES": device, "TTY_COMPATIBLE": "0"}
    begin()
    try:
        _train_share(settings, groups, before)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _train_share(
    settings: TranslatorSettings,
    groups: Sequence[_Group],
    before: Mapping[str, dict[str, Any]],
) -> None:
    for group in groups:
        shutil.rmtree(group.trial, ignore_errors=True)
        practised = [pair for part in group.splits.values() for pair in part.train]
        loss = train(settings, practised, group.trial, group.folder.name)
        _free_memory()
        of_group = {lang: before[lang] for lang in group.splits}
        group.keep({"inputs": group.inputs, "before": of_group, "loss": loss})


def _free_memory() -> None:
    """Of models that nothing names any more: trainers refer to themselves."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()  # nothing where no GPU was used


def _score_all(settings: TranslatorSettings, groups: Sequence[_Group]) -> None:
    """Every trial that was trained and not yet scored."""
    tried = [(group, record) for group in groups if (record := group.tried())]
    waiting = [
        (group, record)
        for group, record in tried
        if "scores" not in record and record["loss"] is not None
    ]
    wanted = [
        (replace(group.finetuned, folder=group.trial.name).weights(settings), group.splits)
        for group, _ in waiting
    ]
    for (group, record), after in zip(waiting, evaluate(settings, wanted), strict=True):
        group.scored(record, after)


def scoring_engine(settings: TranslatorSettings) -> EngineKind:
    """The one that translates, where it can take weights that lie on this machine alone."""
    if settings.engine in (EngineKind.VLLM, EngineKind.RAY):  # whose nodes run vLLM
        return EngineKind.VLLM
    return EngineKind.TRANSFORMERS


def evaluate(
    settings: TranslatorSettings, wanted: Sequence[tuple[Weights, Mapping[str, Split]]]
) -> Iterator[dict[str, dict[str, Any]]]:
    """For each of the weights and its languages, `corpus_scores` of the held-out segments,
    translated greedily, against what people wrote. Adapters of a model share one engine."""
    engines = engines_for(scoring_engine(settings), [weights for weights, _ in wanted], settings)
    with closing(engines):
        for (_, splits), engine in zip(wanted, engines, strict=True):
            _free_memory()  # of the engine before; this one loads its model for the first request
            requests = [
                Request(
                    f"{lang} {at}",
                    (Message("user", pair.prompt),),
                    Sampling(answer_limit(lang, settings).tokens(pair.text, pair.prompt)),
                )
                for lang, part in splits.items()
                for at, pair in enumerate(part.held_out)
            ]
            texts = {result.tag: result.text.strip() for result in engine.stream(requests)}
            scores = {}
            for lang, part in splits.items():
                said = [texts[f"{lang} {at}"] for at in range(len(part.held_out))]
                references = [pair.target for pair in part.held_out]
                scores[lang] = corpus_scores(lang, said, references)
            yield scores
    _free_memory()


def train(
    settings: TranslatorSettings, pairs: Sequence[TrainingPair], folder: Path, name: str
) -> float | None:
    """One supervised fine-tune with TRL; the loss is on the answers only. Its mean; None, and
    nothing is saved, where it is not finite."""
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
    what = f"fine-tune translator ({name})" if lora else "fine-tune translator"
    runs_dir = settings.finetuned_dir / "runs" / name
    shutil.rmtree(runs_dir, ignore_errors=True)
    with progress(what, None) as tick, tracked(chosen.trackers, runs_dir) as callbacks:

        class Watching(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
                tick(1, f"of {state.max_steps}")

            def on_log(
                self, args: Any, state: Any, control: Any, logs: Any = None, **unused: Any
            ) -> None:
                if not math.isfinite(logs.get("loss", 0)):
                    control.should_training_stop = True

        for callback in (Watching(), *callbacks):
            trainer.add_callback(callback)
        loss: float = trainer.train().training_loss
    if not math.isfinite(loss):
        return None
    base = None if base_weights(settings).local else settings.model
    for config in getattr(trainer.model, "peft_config", {}).values():
        config.base_model_name_or_path, config.revision = base, settings.revision
    # peft would look for the base on the hub, to tell whether its vocabulary was changed
    trainer.model.save_pretrained(folder, **({"save_embedding_layers": False} if lora else {}))
    tokenizer.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # an empty form
    return loss


def _arguments(settings: TranslatorSettings, folder: Path) -> Any:
    import torch
    from trl.trainer.sft_config import SFTConfig

    chosen, gpu = settings.finetune, torch.cuda.is_available()
    at_once = chosen.device_batch_size or chosen.batch_size
    arguments = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=chosen.epochs,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=chosen.batch_size // at_once,
        learning_rate=chosen.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        max_length=settings.max_model_tokens,
        completion_only_loss=True,
        train_sampling_strategy="group_by_length",
        save_strategy="no",
        report_to="none",
        logging_steps=_LOG_EVERY_STEPS,
        logging_nan_inf_filter=False,  # it would hide what is not finite
        disable_tqdm=True,
        seed=chosen.seed,
        use_cpu=not gpu,
        bf16=gpu and settings.dtype == "bfloat16",
        gradient_checkpointing=gpu,
        dataloader_pin_memory=gpu,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # one GPU of several: trl refuses DataParallel
    return arguments
