"""One scale from start to end: stage 1 (projector on captions), stage 2 (instructions), merge.

    palo train --scale 7b
    palo train --scale 7b --until stage1

What is finished is not done again; what was interrupted goes on from its last checkpoint.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palo.console import note, progress
from palo.lock import run_lock
from palo.paths import DataPaths
from palo.schemas import Role, Turn
from palo.settings import Profile
from palo.shards import digest, file_digest, read_json, write_json
from train.data.mixture import English, Example, mixture_inputs, open_mixture, read_llava_list
from train.resources import require_for_stage1, require_for_training
from train.scale import Checkpointing, Scale, Stage
from train.standins.ensure import ensure_language_model, ensure_tower, language_source, tower_source

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration

    from train.data.batches import Collator, Pictures

RECORD = "palo.json"  # in a checkpoint: what it was made from
LOG = "training.json"  # in a checkpoint: losses, seconds, the mixture, samples set aside
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
VERSION = "1"  # raise it when the same settings train another model


@dataclass
class Journal:
    """What the run did: goes into the checkpoint as training.json."""

    scale: str
    seconds: dict[str, float] = field(default_factory=dict)
    logs: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    mixture: dict[str, int] = field(default_factory=dict)
    set_aside: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[what] = round(time.monotonic() - start, 1)


@dataclass(frozen=True)
class Parts:
    """Everything that both stages share."""

    model: "LlavaForConditionalGeneration"
    tokenizer: Any
    pictures: "Pictures"
    collator: "Collator"


def train_scale(scale: Scale, profile: Profile) -> Path:
    """Trains the scale unless its checkpoint is up to date; the checkpoint's folder.

    Raises MissingResource before anything heavy is loaded.
    """
    require_for_training(scale, profile)
    folder = DataPaths(profile.data_dir).checkpoint(scale.name)
    inputs = stage2_inputs(scale, profile)
    if _is_current(folder, inputs):
        note(f"{folder} is up to date")
        return folder
    work = _work(folder)
    with run_lock(work, f"train {scale.name}"):
        journal = Journal(scale.name)
        parts = _prepare(scale, profile, journal)
        _stage1(scale, profile, parts, work / "stage1", journal)
        _stage2(scale, profile, parts, work / "stage2", journal)
        _finish(parts, folder, inputs, journal)
    shutil.rmtree(work)
    return folder


def train_projector(scale: Scale, profile: Profile) -> Path:
    """Stage 1 alone, which needs no instructions; `train_scale` goes on from it.

    The folder that holds projector.safetensors. Raises MissingResource as `train_scale` does.
    """
    require_for_stage1(scale, profile)
    work = _work(DataPaths(profile.data_dir).checkpoint(scale.name))
    with run_lock(work, f"train {scale.name}"):
        journal = Journal(scale.name)
        _stage1(scale, profile, _prepare(scale, profile, journal), work / "stage1", journal)
    return work / "stage1"


def _work(folder: Path) -> Path:
    """Where an unfinished checkpoint's stages lie."""
    return folder.with_name(f"{folder.name}.work")


def stage1_inputs(scale: Scale, profile: Profile) -> str:
    """What the projector of stage 1 depends on."""
    sources = [tower_source(scale, profile).inputs, language_source(scale, profile).inputs]
    settings = scale.model_dump(exclude={"stage2", "lora", "checkpointing"})
    captions = file_digest(profile.train.captions_path)
    images = str(profile.train.captions_images_dir)
    return digest([VERSION, sources, settings, captions, images, profile.train.seed])


def stage2_inputs(scale: Scale, profile: Profile) -> str:
    """What the checkpoint depends on."""
    paths, images_dir = DataPaths(profile.data_dir), profile.source.images_dir
    mixture = mixture_inputs(paths, images_dir, _english(profile), profile.refine)
    return digest([stage1_inputs(scale, profile), scale.model_dump(), mixture])


def _english(profile: Profile) -> English:
    return English(profile.train.english_mix_path, profile.train.english_mix_images_dir)


def _is_current(folder: Path, inputs: str) -> bool:
    record = folder / RECORD
    return record.is_file() and read_json(record).get("inputs") == inputs


def _prepare(scale: Scale, profile: Profile, journal: Journal) -> Parts:
    """Stand-ins where needed, then the assembled model with everything frozen."""
    with journal.timed("stand-in vision tower"):
        tower_at = ensure_tower(scale, profile)
    with journal.timed("stand-in language model"):
        language_at = ensure_language_model(scale, profile)
    import torch

    from train.data.batches import Collator, Pictures
    from train.data.images import make_processor
    from train.model.assembly import assemble, load_language_model, load_tower

    # Frozen weights may be stored short; what is trained stays in full precision.
    on_gpu = torch.cuda.is_available()
    frozen = torch.bfloat16 if on_gpu else torch.float32
    tower = load_tower(tower_at.name, tower_at.revision, frozen)
    language_model, tokenizer = load_language_model(
        language_at.name, language_at.revision, frozen if scale.lora else torch.float32
    )
    model = assemble(scale, tower, language_model, tokenizer, profile.train.seed)
    model.requires_grad_(False)
    collator = Collator(
        model.config.image_token_id, model.config.image_seq_length, tokenizer.pad_token_id
    )
    return Parts(model, tokenizer, Pictures(make_processor(scale.image_size)), collator)


def _stage1(scale: Scale, profile: Profile, parts: Parts, folder: Path, journal: Journal) -> None:
    """The projector alone, on captions; kept as projector.safetensors."""
    from train.model.checkpoint import load_trainable, save_trainable

    kept, record = folder / "projector.safetensors", folder / RECORD
    inputs = stage1_inputs(scale, profile)
    parts.model.model.multi_modal_projector.requires_grad_(True)
    if kept.is_file() and _is_current(folder, inputs):
        load_trainable(kept, parts.model)
        stored = read_json(record)
        journal.logs["stage1"], journal.seconds["stage1"] = stored["log"], stored["seconds"]
        journal.set_aside["stage1"] = stored["set_aside"]
        return
    captions = read_captions(profile.train.captions_path, profile.train.captions_images_dir)
    _fresh_unless(folder, inputs)
    with journal.timed("stage1"):
        _train(scale, scale.stage1, profile, parts, captions, folder, "stage1", journal)
    save_trainable(kept, parts.model)
    write_json(
        record,
        {
            "inputs": inputs,
            "log": journal.logs["stage1"],
            "seconds": journal.seconds["stage1"],
            "set_aside": journal.set_aside["stage1"],
        },
    )


def _stage2(scale: Scale, profile: Profile, parts: Parts, folder: Path, journal: Journal) -> None:
    """The projector and the language model (or adapters on it), on instructions."""
    paths = DataPaths(profile.data_dir)
    mixture = open_mixture(paths, profile.source.images_dir, _english(profile), profile.refine)
    journal.mixture = mixture.counts
    _fresh_unless(folder, stage2_inputs(scale, profile))
    language_model = parts.model.model.language_model
    adapted = None
    if scale.lora is None:
        language_model.requires_grad_(True)
        parts.model.lm_head.requires_grad_(True)
    else:
        import torch
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(profile.train.seed)  # adapters start alike, stage 1 skipped or not
        adapted = get_peft_model(
            language_model,
            LoraConfig(
                r=scale.lora.rank,
                lora_alpha=scale.lora.alpha,
                lora_dropout=scale.lora.dropout,
                target_modules=list(LORA_TARGETS),
            ),
        )
    if scale.checkpointing is not Checkpointing.NONE:
        parts.model.gradient_checkpointing_enable({"use_reentrant": False})
    with journal.timed("stage2"):
        _train(scale, scale.stage2, profile, parts, mixture, folder, "stage2", journal)
    if adapted is not None:
        parts.model.model.language_model = adapted.merge_and_unload()


def _fresh_unless(folder: Path, inputs: str) -> None:
    """An interrupted stage goes on only if it was started from these very inputs."""
    started = folder / "started.json"
    if not (started.is_file() and read_json(started) == inputs):
        shutil.rmtree(folder, ignore_errors=True)
        write_json(started, inputs)


def _train(
    scale: Scale,
    stage: Stage,
    profile: Profile,
    parts: Parts,
    examples: Sequence[Example] | Any,
    folder: Path,
    name: str,
    journal: Journal,
) -> None:
    from train.data.batches import SetAside, TrainingData
    from train.data.template import Template
    from train.loop.trainer import run_stage, total_steps

    aside = SetAside(folder / "set-aside.jsonl")
    data = TrainingData(
        examples,
        Template(parts.tokenizer),
        parts.pictures,
        parts.collator.image_tokens,
        scale.max_length,
        aside,
        as_captions=name == "stage1",
    )
    with progress(f"{scale.name} {name}", total_steps(stage, len(data))) as tick:
        log = run_stage(parts.model, data, parts.collator, stage, folder, profile.train.seed, tick)
    journal.logs[name], journal.set_aside[name] = log, aside.read()
    if lost := journal.set_aside[name]:
        note(f"{name}: {len(lost)} samples set aside; first: {lost[0]['id']}: {lost[0]['reason']}")


def _finish(parts: Parts, folder: Path, inputs: str, journal: Journal) -> None:
    from train.model.checkpoint import save_checkpoint

    record = {"inputs": inputs, "scale": journal.scale}
    files = {
        RECORD: json.dumps(record, indent=1) + "\n",
        LOG: json.dumps(vars(journal), ensure_ascii=False, indent=1) + "\n",
    }
    save_checkpoint(folder, parts.model, parts.tokenizer, parts.pictures.processor, files)


def read_captions(path: Path, images_dir: Path, most: int | None = None) -> list[Example]:
    """A LLaVA list of captions as examples."""
    return [
        Example(
            row["sample_id"],
            row["lang"],
            Path(row["image"]) if row["image"] else None,
            tuple(Turn(Role(turn["role"]), turn["text"]) for turn in row["turns"]),
        )
        for row in islice(read_llava_list(path, images_dir), most)
    ]
