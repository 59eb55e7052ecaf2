"""One scale from start to end: stage 1 (projector on captions), stage 2 (instructions), merge.

    palo train --scale 7b
    palo train --scale 7b --until stage1
    torchrun --nproc-per-node 8 -m palo train --scale 7b

What is finished is not done again; what was interrupted goes on from its last checkpoint.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palo.console import note, progress
from palo.errors import UserError
from palo.files import (
    DIGESTS,
    digest,
    file_digest,
    harm,
    read_json,
    run_lock,
    uptodate,
    write_digests,
    write_json,
)
from palo.hub import damage, with_weights
from palo.settings import MixtureWeights, Profile, Sharding
from train.data.mixture import Mixture, mixture_inputs, open_captions, open_mixture
from train.planning.memory import Hardware, checkpointing_of, here, require_fit
from train.scale import (
    Checkpointing,
    Part,
    Scale,
    Source,
    StageName,
    ensure,
    require_for_training,
    source_of,
)

if TYPE_CHECKING:
    from train.data.packing import Lengths
    from train.data.steps import StageData

RECORD = "palo.json"  # in a checkpoint: what it was made from
STARTED = "started.json"  # in a stage's folder: what it goes on with
IMAGE_LOSSES = "image-losses.jsonl"  # there, too: images that could not be read
LOG = "training.json"  # in a checkpoint: losses, seconds, the mixture, samples set aside
VERSION = "3"  # raise it when the same settings train another model


@dataclass
class Journal:
    """What the run did, most of it by stage: goes into the checkpoint as training.json."""

    scale: str
    seconds: dict[str, float] = field(default_factory=dict)
    logs: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    mixture: dict[str, int] = field(default_factory=dict)
    cut: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    set_aside: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[what] = round(time.monotonic() - start, 1)


@dataclass
class Run:
    """What every step of a run is given; `work` is where an unfinished checkpoint's stages lie.
    Model, tokenizer, pictures and packer are those that `_assemble` puts in."""

    scale: Scale
    profile: Profile
    work: Path
    journal: Journal
    checkpointing: dict[StageName, Checkpointing]
    model: Any = None
    tokenizer: Any = None
    pictures: Any = None
    packer: Any = None


def train_scale(scale: Scale, profile: Profile, until: StageName = StageName.STAGE2) -> Path:
    """Trains the scale unless its checkpoint is up to date; the checkpoint's folder.

    `until` stage 1: the projector alone, which needs no instructions; the folder that holds
    projector.safetensors, and the next call goes on from it. Raises MissingResource or UserError
    before anything heavy is loaded.
    """
    require_for_training(scale, profile, until)
    if not {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"} & os.environ.keys():
        # rows differ in length: without it gaps between blocks are lost. Read when CUDA starts
        os.environ["PYTORCH_ALLOC_CONF"] = "expandable_segments:True"
    folder = profile.paths.checkpoint(scale.name)
    is_whole = until is StageName.STAGE2
    inputs = stage2_inputs(scale, profile) if is_whole else ""
    if is_whole and uptodate(folder / RECORD, inputs):
        if (problem := damage(folder)) is None:
            note(f"{folder} is up to date")
            _say_of_adapter(folder, profile)
            return folder
        note(f"{folder} cannot be used ({problem}): it is trained again")
    require_fit(scale, profile, [name for name in StageName if name <= until])
    hardware = here()  # before the others are joined, which takes some of its memory
    from train.loop.processes import heeding_signals, in_effect, is_first, processes

    work = folder.with_name(f"{folder.name}.work")
    locked = run_lock(work, f"train {scale.name}") if is_first() else nullcontext()
    with locked, heeding_signals():
        processes().wait_for_everyone()
        again = _checkpointing(scale, profile, hardware)
        run = Run(scale, profile, work, Journal(scale.name), again)
        with processes().main_process_first():  # what the first one builds, the others find
            for part in Part:
                with run.journal.timed(f"stand-in {part.replace('_', ' ')}"):
                    ensure(part, scale, profile)
        _assemble(run, as_written=True)
        if is_first():
            _try_saving(run)
        if scale.quantization:
            _assemble(run)
        _stage1(run)
        if is_whole:
            is_cut_up = in_effect(profile.train.loop.sharding) is not Sharding.NONE
            if is_cut_up:
                _assemble(run)
                _stage1(run)
            _stage2(run, folder, inputs, is_cut_up)
        processes().wait_for_everyone()
    if not is_whole:
        return work / StageName.STAGE1
    if is_first():
        if problem := damage(folder):
            raise UserError(
                f"{folder} was written, and now {problem}. What was trained is kept in {work}: "
                "look at the disk and run the same command again."
            )
        shutil.rmtree(work)
    return folder


def _checkpointing(
    scale: Scale, profile: Profile, hardware: Hardware | None
) -> dict[StageName, Checkpointing]:
    """What each stage computes again, for every process alike: `auto` goes by the one that has the
    least memory free, and is told."""
    from train.loop.processes import is_first, smallest

    if hardware is not None:
        hardware = replace(hardware, memory_bytes=smallest(hardware.memory_bytes))
    chosen = checkpointing_of(scale, profile, hardware)
    if scale.checkpointing is Checkpointing.AUTO and is_first():
        ways = ", ".join(f"{way} in {stage}" for stage, way in chosen.items())
        note(f"checkpointing auto: {ways} ({hardware.memory if hardware else 'no GPU'})")
    return chosen


def _say_of_adapter(folder: Path, profile: Profile) -> None:
    """It can't be had without training again, which is not done for it alone."""
    from train.model.layout import ADAPTER, BASE

    beside = _adapter_dir(folder)
    for part in (BASE, ADAPTER) if profile.train.loop.keep_adapter else ():
        if problem := damage(beside / part):
            note(
                f"{beside / part} cannot be used ({problem}). Base and adapter are written at the "
                f"end of a training alone: to have them, remove {folder} and train again"
            )


def _adapter_dir(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-adapter")


def stage1_inputs(scale: Scale, profile: Profile) -> str:
    """What the projector of stage 1 depends on; not where its images lie, so a project may move."""
    sources = [source_of(part, scale, profile).inputs for part in Part]
    only_later = {"stage2", "lora"}
    never_matter = {"checkpointing", "attention", "loss_kernel", "compile"}
    if not scale.of_bitsandbytes:
        never_matter |= {"quantization", "optimizer"}
    excluded: dict[str, Any] = dict.fromkeys(only_later | never_matter, True)
    excluded |= {part: {"download_gb"} for part in Part}
    settings = scale.model_dump(exclude=excluded)
    captions = file_digest(profile.train.captions_path)
    return digest([VERSION, sources, settings, captions, profile.train.seed])


def stage2_inputs(scale: Scale, profile: Profile) -> str:
    """What the checkpoint depends on."""
    settings, weights = scale.model_dump(include={"stage2", "lora"}), profile.train.mixture
    mixture = mixture_inputs(profile)
    return digest([stage1_inputs(scale, profile), settings, mixture, weights.model_dump()])


def _assemble(run: Run, as_written: bool = False) -> None:
    """The model, all but its projector frozen, and how conversations are read for it. Where all
    processes share one model, only the first one has its weights; `cut` gives the others theirs.
    `as_written`: not quantised, whatever the scale says."""
    import torch

    from train.data.images import make_processor
    from train.data.steps import Packer, Pictures
    from train.loop.processes import in_effect, is_first
    from train.model.assembly import assemble, load_language_model, load_tower

    scale = run.scale
    tower_at, language_at = (ensure(part, scale, run.profile) for part in Part)
    # Frozen weights may be stored short; what is trained stays in full precision.
    frozen = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    shared = in_effect(run.profile.train.loop.sharding) is Sharding.FSDP2
    is_empty = shared and not is_first()
    tower = load_tower(*_here(tower_at), frozen, is_empty)
    tower.config._name_or_path = tower_at.name  # the hub's id, which checkpoints tell
    language_model, run.tokenizer = load_language_model(
        *_here(language_at),
        frozen if scale.lora else torch.float32,
        is_empty,
        None if as_written else scale.quantization,
    )
    run.model = assemble(scale, tower, language_model, run.tokenizer, run.profile.train.seed)
    run.model.requires_grad_(False)
    run.model.model.multi_modal_projector.requires_grad_(True)
    config, padding = run.model.config, run.tokenizer.pad_token_id
    run.packer = Packer(config.image_token_id, config.image_seq_length, padding)
    run.pictures = Pictures(make_processor(scale.image_size))


def _here(source: Source) -> tuple[str, str | None]:
    """Where its files lie on this machine: a name of the hub would be looked up there."""
    folder = with_weights(source.name, source.revision)
    return (str(folder), None) if folder else (source.name, source.revision)


def _try_saving(run: Run) -> None:
    """Before the first step: a UserError of what can't be written comes now, not after days."""
    from train.model.checkpoint import save_checkpoint

    trial = run.work / "trial"
    if not _was_started(run.work / StageName.STAGE1, stage1_inputs(run.scale, run.profile)):
        save_checkpoint(trial, run.model, run.tokenizer, run.pictures.processor)
    for left in (trial, *run.work.glob(".trial.*")):  # of a killed run too
        shutil.rmtree(left, ignore_errors=True)


def _was_started(folder: Path, inputs: str) -> bool:
    """Whether a stage began from these very inputs: only then it goes on."""
    started = folder / STARTED
    return started.is_file() and bool(read_json(started) == inputs)


def _stage1(run: Run) -> None:
    """The projector alone, on captions; kept as projector.safetensors."""
    from train.loop.processes import is_first, load_whole, processes, save_whole

    journal, folder = run.journal, run.work / StageName.STAGE1
    kept, record = folder / "projector.safetensors", folder / RECORD
    inputs = stage1_inputs(run.scale, run.profile)
    told: dict[str, dict[str, Any]] = {
        "log": journal.logs,
        "seconds": journal.seconds,
        "set_aside": journal.set_aside,
        "cut": journal.cut,
    }
    has_digests = (folder / DIGESTS).is_file()  # once there were none
    is_whole = harm(folder) is None if has_digests else kept.is_file()
    if is_whole and (stored := uptodate(record, inputs)):
        load_whole(kept, run.model)
        for name, of_stages in told.items():
            of_stages["stage1"] = stored[name]
        return
    examples = _begin(run, StageName.STAGE1, inputs)
    with journal.timed("stage1"):
        _train(run, StageName.STAGE1, examples)
    save_whole(kept, run.model)
    if is_first():
        stage1 = {name: of_stages["stage1"] for name, of_stages in told.items()}
        write_digests(folder, [kept])
        write_json(record, {"inputs": inputs, **stage1})
    processes().wait_for_everyone()  # who asks next finds the record


def _stage2(run: Run, checkpoint: Path, inputs: str, is_cut_up: bool) -> None:
    """Projector and language model (or adapters). `is_cut_up`: training leaves it in pieces."""
    from train.loop.processes import is_first, load_whole
    from train.loop.trainer import TRAINABLE, newest_complete

    examples = _begin(run, StageName.STAGE2, inputs)
    run.journal.mixture = examples.counts
    adapted = _set_learning(run)
    with run.journal.timed("stage2"):
        _train(run, StageName.STAGE2, examples)
    if is_first():
        if is_cut_up or run.scale.quantization:  # whole again, from the last checkpoint
            _assemble(run, as_written=True)
            adapted = _set_learning(run)
            last = newest_complete(run.work / StageName.STAGE2)
            assert last is not None, f"no checkpoint in {run.work}"
            load_whole(last / TRAINABLE, run.model)
        _finish(run, adapted, checkpoint, inputs)


def _set_learning(run: Run) -> Any:
    """Frees what stage 2 trains; peft's wrapper where that is adapters."""
    from train.model.assembly import add_adapters

    language_model = run.model.model.language_model
    if run.scale.lora is not None:
        return add_adapters(language_model, run.scale.lora, run.profile.train.seed)
    language_model.requires_grad_(True)
    run.model.lm_head.requires_grad_(True)
    return None


def _begin(run: Run, name: StageName, inputs: str) -> Mixture:
    """The stage's examples; its folder is emptied unless it was begun from these very inputs."""
    from train.loop.processes import is_first, processes

    folder = run.work / name
    with processes().main_process_first():
        first = name is StageName.STAGE1
        examples = open_captions(run.profile) if first else open_mixture(run.profile)
        if is_first() and not _was_started(folder, inputs):
            shutil.rmtree(folder, ignore_errors=True)
            write_json(folder / STARTED, inputs)
    return examples


def _stage_data(run: Run, name: StageName, examples: Mixture) -> "tuple[StageData, Lengths]":
    """The stage's steps for this process. Raises UserError where images are refused."""
    from train.data.images import ImageLosses
    from train.data.packing import Measure, measure, plan_mixture
    from train.data.steps import Pictures, StageData
    from train.data.template import Template
    from train.loop.processes import is_first, processes

    scale, settings, as_captions = run.scale, run.profile.train, name is StageName.STAGE1
    how = Measure(Template(run.tokenizer), run.packer.image_tokens, scale.max_length, as_captions)
    state, folder, title = processes(), run.work / name, f"{scale.name} {name}: lengths"
    with state.main_process_first(), progress(title, len(examples)) as tick:
        lengths = measure(examples, how, tick=tick)
    weights = MixtureWeights() if as_captions else settings.mixture
    plan = plan_mixture(examples, lengths.tokens, scale.stage(name), weights, settings.seed)
    with_image = int(examples.has_image()[np.unique(plan.drawn(0))].sum()) + len(lengths.refused)
    path, limit = folder / IMAGE_LOSSES, settings.max_broken_images
    losses = ImageLosses(path, limit, with_image, fresh=is_first())
    for row in lengths.refused if is_first() else ():
        losses.add(row.sample_id, row.lang, "", row.reason)
    losses.check()
    data = StageData(
        examples, examples.languages, measure=how, packer=run.packer, plan=plan,
        pictures=Pictures(run.pictures.processor, with_image), losses=losses,
        rank=state.process_index, world_size=state.num_processes,
    )  # fmt: skip
    return data, lengths


def _train(run: Run, name: StageName, examples: Mixture) -> None:
    from train.loop.loss import Learner, recompute
    from train.loop.trainer import Job, run_stage
    from train.model.sizes import flop_count, sizes_of

    scale, settings, journal = run.scale, run.profile.train, run.journal
    data, lengths = _stage_data(run, name, examples)
    journal.cut[name] = {lang: asdict(count) for lang, count in lengths.cut.items()}
    language_model = run.model.model.language_model
    recompute(language_model, run.checkpointing[name])
    if scale.compile:
        for layer in language_model.layers:
            layer.compile(dynamic=True)  # rows differ in length
    learner = Learner(run.model, len(data.languages), scale.attention, scale.loss_kernel)
    hardware = here()
    flops = flop_count(sizes_of(scale, run.profile.data_dir / "models"), name)
    job = Job(
        scale.stage(name),
        run.work / name,
        settings.seed,
        settings.loop,
        flops=lambda counts: flops.of(counts.tokens, counts.supervised, counts.images),
        peak_flops=hardware.peak_flops if hardware else None,
        optimizer=scale.optimizer,
    )
    with progress(f"{scale.name} {name}", len(data)) as tick:
        journal.logs[name] = run_stage(learner, data, job, tick)
    aside = [{"id": row.sample_id, **row._asdict()} for row in lengths.unusable]
    lost = journal.set_aside[name] = aside + data.losses.read()
    if lost:
        first = f"{lost[0]['id']}: {lost[0]['reason']}"
        note(f"{name}: {len(lost)} samples set aside; first: {first}")
    cut = [f"{lang} {count.cut}" for lang, count in lengths.cut.items() if count.cut]
    if cut:
        note(f"{name}: conversations cut after a round to fit: {', '.join(cut)}")


def _finish(run: Run, adapted: Any, folder: Path, inputs: str) -> None:
    """Writes the checkpoint, adapters merged into it. Raises UserError where that fails."""
    from train.model.checkpoint import save_checkpoint

    files = {
        RECORD: json.dumps({"inputs": inputs, "scale": run.scale.name}, indent=1) + "\n",
        LOG: json.dumps(vars(run.journal), ensure_ascii=False, indent=1) + "\n",
    }
    readers = (run.tokenizer, run.pictures.processor)
    if adapted is not None:
        if run.profile.train.loop.keep_adapter:
            save_checkpoint(_adapter_dir(folder), run.model, *readers, files, adapted)
        run.model.model.language_model = adapted.merge_and_unload()
    save_checkpoint(folder, run.model, *readers, files)
