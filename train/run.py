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
from palo.settings import Profile
from train.data.mixture import English, Mixture, mixture_inputs, open_captions, open_mixture
from train.planning.memory import require_fit
from train.resources import require_for_training
from train.scale import Part, Scale, StageName, ensure, source_of

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration

    from train.data.steps import Reading


import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import field

from palo.files import read_json, run_lock

RECORD = "palo.json"  # in a checkpoint: what it was made from
LOG = "training.json"  # in a checkpoint: losses, seconds, the mixture, samples set aside
VERSION = "2"  # raise it when the same settings train another model


@dataclass
class Journal:
    """What the run did: goes into the checkpoint as training.json."""

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

    def tell(self, stage: StageName) -> None:
        """What of a stage's conversations was cut or left out, in a line each."""
        if lost := self.set_aside[stage]:
            first = f"{lost[0]['id']}: {lost[0]['reason']}"
            note(f"{stage}: {len(lost)} samples set aside; first: {first}")
        cut = {lang: count["cut"] for lang, count in self.cut[stage].items() if count["cut"]}
        if cut:
            by_language = ", ".join(f"{lang} {count}" for lang, count in cut.items())
            note(f"{stage}: conversations cut after a round to fit: {by_language}")


@dataclass(frozen=True)
class Parts:
    """The model of both stages, and how conversations are read for it."""

    model: "LlavaForConditionalGeneration"
    reading: "Reading"


@dataclass(frozen=True)
class Run:
    """What every step of a run is given; `work` is where an unfinished checkpoint's stages lie."""

    scale: Scale
    profile: Profile
    work: Path
    journal: Journal


def train_scale(scale: Scale, profile: Profile) -> Path:
    """Trains the scale unless its checkpoint is up to date; the checkpoint's folder.

    Raises MissingResource or CannotFit before anything heavy is loaded.
    """
    require_for_training(scale, profile, StageName.STAGE2)
    folder = profile.paths.checkpoint(scale.name)
    inputs = stage2_inputs(scale, profile)
    if uptodate(folder / RECORD, inputs):
        note(f"{folder} is up to date")
        return folder
    require_fit(scale, profile, list(StageName))
    with working(folder, scale.name) as work:
        run = Run(scale, profile, work, Journal(scale.name))
        parts = _prepare(run)
        _try_saving(run, parts)
        _stage1(run, parts)
        if _is_cut_up(profile):
            parts = _prepare(run)
            _stage1(run, parts)
        _stage2(run, parts, folder, inputs)
    return folder


def train_projector(scale: Scale, profile: Profile) -> Path:
    """Stage 1 alone, which needs no instructions; `train_scale` goes on from it.

    The folder that holds projector.safetensors. Raises as `train_scale` does.
    """
    require_for_training(scale, profile, StageName.STAGE1)
    require_fit(scale, profile, [StageName.STAGE1])
    with working(profile.paths.checkpoint(scale.name), scale.name, keep=True) as work:
        run = Run(scale, profile, work, Journal(scale.name))
        parts = _prepare(run)
        _try_saving(run, parts)
        _stage1(run, parts)
    return work / StageName.STAGE1


@contextmanager
def working(folder: Path, name: str, keep: bool = False) -> Iterator[Path]:
    """Where an unfinished checkpoint's stages lie; removed once it is finished, unless `keep`."""
    from train.loop.processes import is_first, processes

    work = folder.with_name(f"{folder.name}.work")
    with run_lock(work, f"train {name}") if is_first() else nullcontext():
        processes().wait_for_everyone()
        yield work
        processes().wait_for_everyone()
    if is_first() and not keep:
        shutil.rmtree(work)


def fresh_unless(folder: Path, inputs: str) -> None:
    """An interrupted stage goes on only if it was started from these very inputs."""
    started = folder / "started.json"
    if not (started.is_file() and read_json(started) == inputs):
        shutil.rmtree(folder, ignore_errors=True)
        write_json(started, inputs)


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
    mixture = mixture_inputs(profile.paths, _english(profile), profile.refine)
    weights = profile.train.mixture.model_dump()
    settings = scale.model_dump(include={"stage2", "lora"})
    return digest([stage1_inputs(scale, profile), settings, mixture, weights])


def _english(profile: Profile) -> English:
    return English(profile.train.english_mix_path, profile.train.english_mix_images_dir)


def _prepare(run: Run) -> Parts:
    """Stand-ins where needed, then the assembled model with everything frozen."""
    from train.loop.processes import first_alone

    with first_alone():
        for part, what in (
            (Part.TOWER, "stand-in vision tower"),
            (Part.LANGUAGE_MODEL, "stand-in language model"),
        ):
            with run.journal.timed(what):
                ensure(part, run.scale, run.profile)
    return _assembled(run.scale, run.profile)


def _assembled(scale: Scale, profile: Profile) -> Parts:
    """What `_prepare` gives once its stand-ins are there; waits for no other process."""
    import torch

    from train.data.images import make_processor
    from train.data.steps import Packer, Pictures, Reading
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


def _try_saving(run: Run, parts: Parts) -> None:
    """Before the first step: a checkpoint that can't be written ends the run here, not after days.

    Raises UserError.
    """
    from train.loop.processes import is_first
    from train.model.checkpoint import save_checkpoint

    if is_first():
        reading, trial = parts.reading, run.work / "trial"
        save_checkpoint(trial, parts.model, reading.tokenizer, reading.pictures.processor)
        shutil.rmtree(trial)


def _stage1(run: Run, parts: Parts) -> None:
    """The projector alone, on captions; kept as projector.safetensors."""
    from train.loop.processes import first_alone, is_first, load_whole, save_whole

    settings, journal, folder = run.profile.train, run.journal, run.work / StageName.STAGE1
    kept, record = folder / "projector.safetensors", folder / RECORD
    inputs = stage1_inputs(run.scale, run.profile)
    parts.model.model.multi_modal_projector.requires_grad_(True)
    if kept.is_file() and (stored := uptodate(record, inputs)):
        load_whole(kept, parts.model)
        journal.seconds["stage1"], journal.logs["stage1"] = stored["seconds"], stored["log"]
        journal.set_aside["stage1"], journal.cut["stage1"] = stored["set_aside"], stored["cut"]
        return
    with first_alone() as first:
        captions = open_captions(
            settings.captions_path, settings.captions_images_dir, run.profile.data_dir / "mixture"
        )
        if first:
            fresh_unless(folder, inputs)
    with journal.timed("stage1"):
        _train(run, StageName.STAGE1, parts, captions)
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


def _stage2(run: Run, parts: Parts, checkpoint: Path, inputs: str) -> None:
    """The projector and the language model (or adapters on it), on instructions."""
    from train.loop.processes import first_alone, is_first, processes

    profile, folder = run.profile, run.work / StageName.STAGE2
    with first_alone() as first:
        mixture = open_mixture(
            profile.paths,
            profile.source.images_dir,
            _english(profile),
            profile.refine,
        )
        if first:
            fresh_unless(folder, inputs)
    run.journal.mixture = mixture.counts
    adapted = _learning(run.scale, parts, profile.train.seed)
    with run.journal.timed("stage2"):
        _train(run, StageName.STAGE2, parts, mixture)
    if is_first():
        if _is_cut_up(profile):
            parts, adapted = _whole_again(run.scale, profile, folder)
        _finish(run, parts, adapted, checkpoint, inputs)
    processes().wait_for_everyone()


def _is_cut_up(profile: Profile) -> bool:
    """Whether training leaves the model in pieces."""
    from palo.settings import Sharding
    from train.loop.processes import in_effect

    return in_effect(profile.train.loop.sharding) is not Sharding.NONE


def _learning(scale: Scale, parts: Parts, seed: int) -> Any:
    """Frees what stage 2 trains; peft's wrapper where that is adapters."""
    from train.model.assembly import add_adapters

    language_model = parts.model.model.language_model
    if scale.lora is not None:
        return add_adapters(language_model, scale.lora, seed)
    language_model.requires_grad_(True)
    parts.model.lm_head.requires_grad_(True)
    return None


def _whole_again(scale: Scale, profile: Profile, folder: Path) -> tuple[Parts, Any]:
    """The trained model in one piece, from the last checkpoint: in memory it was cut up."""
    from train.loop.processes import load_whole
    from train.loop.trainer import TRAINABLE, newest_complete

    parts = _assembled(scale, profile)
    parts.model.model.multi_modal_projector.requires_grad_(True)
    adapted = _learning(scale, parts, profile.train.seed)
    last = newest_complete(folder)
    assert last is not None, f"no checkpoint in {folder}"
    load_whole(last / TRAINABLE, parts.model)
    return parts, adapted


def _train(run: Run, name: StageName, parts: Parts, examples: Mixture) -> None:
    from train.data.packing import measure
    from train.data.steps import stage_data
    from train.loop.loss import Learner, recompute
    from train.loop.processes import first_alone, processes
    from train.loop.trainer import Job, run_stage
    from train.model.sizes import flop_count, sizes_of
    from train.planning.hardware import here

    scale, settings, stage = run.scale, run.profile.train, run.scale.stage(name)
    journal, as_captions, title = run.journal, name is StageName.STAGE1, f"{scale.name} {name}"
    with first_alone(), progress(f"{title}: lengths", len(examples)) as tick:
        lengths = measure(examples, parts.reading.measure(as_captions), tick=tick)
    state, folder = processes(), run.work / name
    data = stage_data(
        examples, lengths, parts.reading, stage, settings, as_captions, folder,
        state.process_index, state.num_processes,
    )  # fmt: skip
    journal.cut[name] = {lang: asdict(count) for lang, count in lengths.cut.items()}
    recompute(parts.model.model.language_model, scale.checkpointing)
    if scale.compile:
        for layer in parts.model.model.language_model.layers:
            layer.compile(dynamic=True)  # rows differ in length
    learner = Learner(parts.model, len(data.languages), scale.attention, scale.loss_kernel)
    hardware = here()
    flops = flop_count(sizes_of(scale, run.profile.data_dir / "models"), name)
    job = Job(
        stage,
        folder,
        settings.seed,
        settings.loop,
        flops=lambda counts: flops.of(counts.tokens, counts.supervised, counts.images),
        peak_flops=hardware.peak_flops if hardware else None,
    )
    with progress(title, len(data)) as tick:
        journal.logs[name] = run_stage(learner, data, job, tick)
    aside = [{"id": row.sample_id, **row._asdict()} for row in lengths.unusable]
    journal.set_aside[name] = aside + data.losses.read()
    journal.tell(name)


def _finish(run: Run, parts: Parts, adapted: Any, folder: Path, inputs: str) -> None:
    from train.model.checkpoint import save_base_and_adapter, save_checkpoint

    record = {"inputs": inputs, "scale": run.scale.name}
    files = {
        RECORD: json.dumps(record, indent=1) + "\n",
        LOG: json.dumps(vars(run.journal), ensure_ascii=False, indent=1) + "\n",
    }
    tokenizer, processor = parts.reading.tokenizer, parts.reading.pictures.processor
    if adapted is not None:
        if run.profile.train.loop.keep_adapter:
            beside = folder.with_name(f"{folder.name}-adapter")
            save_base_and_adapter(beside, parts.model, adapted, tokenizer, processor, files)
        parts.model.model.language_model = adapted.merge_and_unload()
    save_checkpoint(folder, parts.model, tokenizer, processor, files)
