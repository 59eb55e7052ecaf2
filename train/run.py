"""One scale from start to end: stage 1 (projector on captions), stage 2 (instructions), merge.

    palo train --scale 7b
    palo train --scale 7b --until stage1
    torchrun --nproc-per-node 8 -m palo train --scale 7b

What is finished is not done again; what was interrupted goes on from its last checkpoint.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palo.console import note, progress
from palo.files import digest, file_digest, uptodate, write_json
from palo.paths import DataPaths
from palo.settings import MixtureWeights, Profile
from train.data.mixture import Mixture, mixture_inputs, open_captions, open_mixture
from train.data.rows import English
from train.journal import Journal
from train.planning.memory import require_fit
from train.resources import require_for_stage1, require_for_training, require_sharing
from train.scale import Scale, StageName
from train.sources import Part, ensure, source_of
from train.unfinished import fresh_unless, working

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration

    from train.data.steps import Reading

RECORD = "palo.json"  # in a checkpoint: what it was made from
LOG = "training.json"  # in a checkpoint: losses, seconds, the mixture, samples set aside
VERSION = "2"  # raise it when the same settings train another model


@dataclass(frozen=True)
class Parts:
    """The model of both stages, and how conversations are read for it."""

    model: "LlavaForConditionalGeneration"
    reading: "Reading"


def train_scale(scale: Scale, profile: Profile) -> Path:
    """Trains the scale unless its checkpoint is up to date; the checkpoint's folder.

    Raises MissingResource or CannotFit before anything heavy is loaded.
    """
    require_for_training(scale, profile)
    require_sharing(profile)
    folder = DataPaths(profile.data_dir).checkpoint(scale.name)
    inputs = stage2_inputs(scale, profile)
    if uptodate(folder / RECORD, inputs):
        note(f"{folder} is up to date")
        return folder
    require_fit(scale, profile, list(StageName))
    with working(folder, scale.name) as work:
        journal = Journal(scale.name)
        parts = _prepare(scale, profile, journal)
        _try_saving(parts, work)
        _stage1(scale, profile, parts, work / StageName.STAGE1, journal)
        if _is_cut_up(profile):
            parts = _prepare(scale, profile, journal)
            _stage1(scale, profile, parts, work / StageName.STAGE1, journal)
        _stage2(scale, profile, parts, work / StageName.STAGE2, journal, folder, inputs)
    return folder


def train_projector(scale: Scale, profile: Profile) -> Path:
    """Stage 1 alone, which needs no instructions; `train_scale` goes on from it.

    The folder that holds projector.safetensors. Raises as `train_scale` does.
    """
    require_for_stage1(scale, profile)
    require_sharing(profile)
    require_fit(scale, profile, [StageName.STAGE1])
    with working(DataPaths(profile.data_dir).checkpoint(scale.name), scale.name, keep=True) as work:
        journal = Journal(scale.name)
        parts = _prepare(scale, profile, journal)
        _try_saving(parts, work)
        _stage1(scale, profile, parts, work / StageName.STAGE1, journal)
    return work / StageName.STAGE1


def stage1_inputs(scale: Scale, profile: Profile) -> str:
    """What the projector of stage 1 depends on; not where its images lie, so a project may move."""
    sources = [source_of(part, scale, profile).inputs for part in Part]
    only_later = {"stage2", "lora"}
    never_matter = {"checkpointing", "attention", "loss_kernel", "compile"}
    settings = scale.model_dump(exclude=only_later | never_matter)
    captions = file_digest(profile.train.captions_path)
    return digest([VERSION, sources, settings, captions, profile.train.seed])


def stage2_inputs(scale: Scale, profile: Profile) -> str:
    """What the checkpoint depends on."""
    mixture = mixture_inputs(DataPaths(profile.data_dir), _english(profile), profile.refine)
    weights = profile.train.mixture.model_dump()
    settings = scale.model_dump(include={"stage2", "lora"})
    return digest([stage1_inputs(scale, profile), settings, mixture, weights])


def _english(profile: Profile) -> English:
    return English(profile.train.english_mix_path, profile.train.english_mix_images_dir)


def _prepare(scale: Scale, profile: Profile, journal: Journal) -> Parts:
    """Stand-ins where needed, then the assembled model with everything frozen."""
    from train.loop.processes import first_alone

    with first_alone():
        with journal.timed("stand-in vision tower"):
            ensure(Part.TOWER, scale, profile)
        with journal.timed("stand-in language model"):
            ensure(Part.LANGUAGE_MODEL, scale, profile)
    return _assembled(scale, profile)


def _assembled(scale: Scale, profile: Profile) -> Parts:
    """What `_prepare` gives once its stand-ins are there; waits for no other process."""
    import torch

    from train.data.batches import Packer, Pictures
    from train.data.images import make_processor
    from train.data.steps import Reading
    from train.model.assembly import assemble, load_language_model, load_tower

    tower_at, language_at = (ensure(part, scale, profile) for part in Part)
    # Frozen weights may be stored short; what is trained stays in full precision.
    on_gpu = torch.cuda.is_available()
    frozen = torch.bfloat16 if on_gpu else torch.float32
    tower = load_tower(tower_at.name, tower_at.revision, frozen)
    language_model, tokenizer = load_language_model(
        language_at.name, language_at.revision, frozen if scale.lora else torch.float32
    )
    model = assemble(scale, tower, language_model, tokenizer, profile.train.seed)
    model.requires_grad_(False)
    packer = Packer(
        model.config.image_token_id, model.config.image_seq_length, tokenizer.pad_token_id
    )
    pictures = Pictures(make_processor(scale.image_size))
    return Parts(model, Reading(tokenizer, pictures, packer, scale.max_length))


def _try_saving(parts: Parts, work: Path) -> None:
    """Before the first step: a checkpoint that can't be written ends the run here, not after days.

    Raises UserError.
    """
    from train.loop.processes import is_first
    from train.model.checkpoint import save_checkpoint

    if is_first():
        trial = work / "trial"
        save_checkpoint(
            trial, parts.model, parts.reading.tokenizer, parts.reading.pictures.processor
        )
        shutil.rmtree(trial)


def _stage1(scale: Scale, profile: Profile, parts: Parts, folder: Path, journal: Journal) -> None:
    """The projector alone, on captions; kept as projector.safetensors."""
    from train.loop.processes import first_alone, is_first
    from train.loop.sharding import save_whole
    from train.model.checkpoint import load_trainable

    kept, record = folder / "projector.safetensors", folder / RECORD
    inputs = stage1_inputs(scale, profile)
    parts.model.model.multi_modal_projector.requires_grad_(True)
    if kept.is_file() and (stored := uptodate(record, inputs)):
        load_trainable(kept, parts.model)
        journal.logs["stage1"], journal.seconds["stage1"] = stored["log"], stored["seconds"]
        journal.set_aside["stage1"], journal.cut["stage1"] = stored["set_aside"], stored["cut"]
        return
    settings = profile.train
    with first_alone() as first:
        captions = open_captions(
            settings.captions_path, settings.captions_images_dir, profile.data_dir / "mixture"
        )
        if first:
            fresh_unless(folder, inputs)
    with journal.timed("stage1"):
        _train(scale, StageName.STAGE1, profile, parts, captions, folder, journal)
    save_whole(kept, parts.model)
    if is_first():
        told = {
            "inputs": inputs,
            "log": journal.logs["stage1"],
            "seconds": journal.seconds["stage1"],
            "set_aside": journal.set_aside["stage1"],
            "cut": journal.cut["stage1"],
        }
        write_json(record, told)


def _stage2(
    scale: Scale,
    profile: Profile,
    parts: Parts,
    folder: Path,
    journal: Journal,
    checkpoint: Path,
    inputs: str,
) -> None:
    """The projector and the language model (or adapters on it), on instructions."""
    from train.loop.processes import first_alone, is_first, processes

    paths = DataPaths(profile.data_dir)
    with first_alone() as first:
        mixture = open_mixture(paths, profile.source.images_dir, _english(profile), profile.refine)
        if first:
            fresh_unless(folder, inputs)
    journal.mixture = mixture.counts
    adapted = _learning(scale, parts, profile.train.seed)
    with journal.timed("stage2"):
        _train(scale, StageName.STAGE2, profile, parts, mixture, folder, journal)
    if is_first():
        if _is_cut_up(profile):
            parts, adapted = _whole_again(scale, profile, folder)
        _finish(parts, adapted, profile, checkpoint, inputs, journal)
    processes().wait_for_everyone()


def _is_cut_up(profile: Profile) -> bool:
    """Whether training leaves the model in pieces."""
    from palo.settings import Sharding
    from train.loop.sharding import in_effect

    return in_effect(profile.train.loop.sharding) is not Sharding.NONE


def _learning(scale: Scale, parts: Parts, seed: int) -> Any:
    """Frees what stage 2 trains; peft's wrapper where that is adapters."""
    from train.model.lora import add_adapters

    language_model = parts.model.model.language_model
    if scale.lora is not None:
        return add_adapters(language_model, scale.lora, seed)
    language_model.requires_grad_(True)
    parts.model.lm_head.requires_grad_(True)
    return None


def _whole_again(scale: Scale, profile: Profile, folder: Path) -> tuple[Parts, Any]:
    """The trained model in one piece, from the last checkpoint: in memory it was cut up."""
    from train.loop.saving import newest_complete
    from train.loop.trainer import TRAINABLE
    from train.model.checkpoint import load_trainable

    parts = _assembled(scale, profile)
    parts.model.model.multi_modal_projector.requires_grad_(True)
    adapted = _learning(scale, parts, profile.train.seed)
    last = newest_complete(folder)
    assert last is not None, f"no checkpoint in {folder}"
    load_trainable(last / TRAINABLE, parts.model)
    return parts, adapted


def _train(
    scale: Scale,
    name: StageName,
    profile: Profile,
    parts: Parts,
    examples: Mixture,
    folder: Path,
    journal: Journal,
) -> None:
    from train.data.steps import measured, stage_data
    from train.loop.loss import Learner
    from train.loop.processes import first_alone, processes
    from train.loop.recompute import recompute
    from train.loop.trainer import Job, run_stage, total_steps
    from train.model.sizes import flop_count, sizes_of
    from train.planning.hardware import here

    settings, stage, as_captions = profile.train, scale.stage(name), name is StageName.STAGE1
    with first_alone(), progress(f"{scale.name} {name}: lengths", len(examples)) as tick:
        lengths = measured(examples, parts.reading, as_captions, tick)
    data = stage_data(
        examples,
        lengths,
        parts.reading,
        stage,
        MixtureWeights() if as_captions else settings.mixture,
        settings.seed,
        as_captions,
        folder,
        settings.max_broken_images,
        total_steps,
        processes().process_index,
        processes().num_processes,
    )
    journal.cut[name] = {lang: asdict(count) for lang, count in lengths.cut.items()}
    recompute(parts.model.model.language_model, scale.checkpointing)
    if scale.compile:
        for layer in parts.model.model.language_model.layers:
            layer.compile(dynamic=True)  # rows differ in length
    learner = Learner(parts.model, len(data.languages), scale.attention, scale.loss_kernel)
    hardware = here()
    flops = flop_count(sizes_of(scale, profile.data_dir / "models"), name)
    job = Job(
        stage,
        folder,
        settings.seed,
        settings.loop,
        flops=lambda counts: flops.of(counts.tokens, counts.supervised, counts.images),
        peak_flops=hardware.peak_flops if hardware else None,
    )
    with progress(f"{scale.name} {name}", len(data)) as tick:
        journal.logs[name] = run_stage(learner, data, job, tick)
    aside = [{"id": one.sample_id, **one._asdict()} for one in lengths.unusable]
    journal.set_aside[name] = aside + data.losses.read()
    journal.tell(name)


def _finish(
    parts: Parts, adapted: Any, profile: Profile, folder: Path, inputs: str, journal: Journal
) -> None:
    from train.model.checkpoint import save_checkpoint
    from train.model.export import save_base_and_adapter

    record = {"inputs": inputs, "scale": journal.scale}
    files = {
        RECORD: json.dumps(record, indent=1) + "\n",
        LOG: json.dumps(vars(journal), ensure_ascii=False, indent=1) + "\n",
    }
    tokenizer, processor = parts.reading.tokenizer, parts.reading.pictures.processor
    if adapted is not None:
        if profile.train.loop.keep_adapter:
            beside = folder.with_name(f"{folder.name}-adapter")
            save_base_and_adapter(beside, parts.model, adapted, tokenizer, processor, files)
        parts.model.model.language_model = adapted.merge_and_unload()
    save_checkpoint(folder, parts.model, tokenizer, processor, files)
