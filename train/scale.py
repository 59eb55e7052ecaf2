"""A scale as data: `train/scales/<name>.yaml` read into a frozen, typed model.

A new scale is a new file; no code asks which scale it runs. Its vision tower and language model
are of a hub or of a folder; one with a `standin:` block is built on the spot, by builders that the
front door puts in (sceneworld's): nothing here knows how a toy is made. Stand-ins lie in
data/<profile>/models/ with a record of what they were made from: the same settings and the same
text and pictures are never trained on twice.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import Field, model_validator

from palo.console import note
from palo.engines.open import has_gpu, not_here, wants_gpu
from palo.errors import MissingResource, UserError, unknown
from palo.files import digest, file_digest, replaced_folder, uptodate, write_json
from palo.hub import damage, with_weights
from palo.languages import TARGETS
from palo.settings import Profile, Section, Sharding, checked, read_mapping
from palo.shards import shard_paths


class ProjectorKind(StrEnum):
    MLP2 = "mlp2"  # two-layer MLP of LLaVA-1.5: one token a patch
    LDP = "ldp"  # MobileVLM's light-weight down-sample projector: one token for 2x2 patches


class StageName(StrEnum):
    STAGE1 = "stage1"  # the projector, on captions
    STAGE2 = "stage2"  # the projector and the language model, on instructions


class Attention(StrEnum):
    """How the language model attends within the documents of a packed row."""

    AUTO = "auto"  # `varlen` on a GPU that has it, else `documents`
    VARLEN = "varlen"  # PyTorch's flash kernel, all documents at once; needs a GPU
    DOCUMENTS = "documents"  # PyTorch's causal attention, one document after another
    FLASH = "flash_attention_2"  # needs the package flash-attn
    FLEX = "flex_attention"  # compiled block masks; needs a GPU


class Checkpointing(StrEnum):
    """What of the forward pass is computed again in the backward pass, to save memory."""

    AUTO = "auto"  # the first of these that fits (train/planning/memory.py), stage by stage
    NONE = "none"
    SELECTIVE = "selective"  # all but the matrix products
    FULL = "full"  # all of each layer but its input


class Quantization(StrEnum):
    """How the frozen matrices of the language model are held while adapters on them learn."""

    NF4 = "nf4"  # 4 bits, constants quantised again (QLoRA, arXiv 2305.14314); needs bitsandbytes


class Optimizer(StrEnum):
    ADAMW = "adamw"
    ADAMW_8BIT = "adamw_8bit"  # its moments in 8 bits (arXiv 2110.02861); needs bitsandbytes


class LossKernel(StrEnum):
    AUTO = "auto"  # Liger on a GPU that has it, else PyTorch
    TORCH = "torch"
    LIGER = "liger"


class StandinTower(Section):
    """A tiny CLIP vision tower, taught to name the content and place of every patch."""

    patch_size: int = 32
    hidden_size: int = 96
    layers: int = 3
    heads: int = 4
    steps: int = 200
    batch_size: int = 64
    learning_rate: float = 3e-3
    seed: int = 7


class StandinLanguageModel(Section):
    """A tiny Llama, taught on text: a description of a scene, questions about it, answers."""

    vocab_size: int = 4000
    hidden_size: int = 128
    layers: int = 4
    heads: int = 2  # each needs width to match some twenty words: 4 took twice as many steps
    rope_theta: float = 1e6  # most of a head's width tells what, not where
    slots: int = 16  # places that a description takes, as many as an image has tokens
    riddle_steps: int = 220  # the first ones,
    english_steps: int = 600  # the first ones, riddles included; then ten languages
    steps: int = 1400
    batch_size: int = 24
    learning_rate: float = 3e-3  # of embeddings and norms
    matrix_learning_rate: float = 7e-3
    seed: int = 7


Standin = TypeVar("Standin", bound=Section)


class ModelSource(Section, Generic[Standin]):
    """A model of a hub, or, with `standin`, a folder built on the spot."""

    name: str
    revision: str | None = None
    download_gb: float | None = None  # of the hub's files
    standin: Standin | None = None


class Lora(Section):
    """Adapters on every linear layer of the language model; merged into it at the end."""

    rank: int = Field(ge=1)
    alpha: int = Field(ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Stage(Section):
    """One stage of training; `batch_size` counts conversations a step over all devices. A step's
    conversations are packed into rows of at most `row_tokens`; a device holds one row."""

    learning_rate: float = Field(gt=0)
    projector_learning_rate: float | None = None  # None: as the rest
    batch_size: int = Field(ge=1)
    row_tokens: int = Field(default=8192, ge=8)
    epochs: float = Field(default=1.0, gt=0)
    max_steps: int = -1  # more than 0: overrides epochs
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)
    weight_decay: float = 0.0
    save_every_steps: int = Field(default=500, ge=1)
    save_last: int = Field(default=2, ge=1)


class Scale(Section):
    """Everything that makes one PALO model (arXiv 2402.14818, sections 3.2 and 4.1)."""

    name: str
    language_model: ModelSource[StandinLanguageModel]  # a Llama
    vision_tower: ModelSource[StandinTower]  # of a CLIP
    projector: ProjectorKind
    lora: Lora | None = None  # None: the whole language model is trained
    image_size: int = Field(ge=1)  # pixels a side after padding to a square
    feature_layer: int = -2  # hidden state of the tower that the projector reads
    max_length: int = Field(default=2048, ge=8)  # tokens a conversation, image tokens included
    checkpointing: Checkpointing = Checkpointing.NONE
    attention: Attention = Attention.AUTO
    loss_kernel: LossKernel = LossKernel.AUTO
    compile: bool = False  # torch.compile, a layer at a time
    quantization: Quantization | None = None  # None: bf16
    optimizer: Optimizer = Optimizer.ADAMW
    stage1: Stage
    stage2: Stage

    @model_validator(mode="after")
    def _rows_hold_conversations(self) -> "Scale":
        for name, stage in (("stage1", self.stage1), ("stage2", self.stage2)):
            if stage.row_tokens < self.max_length:
                raise ValueError(
                    f"{name}.row_tokens {stage.row_tokens} is less than max_length "
                    f"{self.max_length}: a row must hold the longest conversation"
                )
        return self

    @model_validator(mode="after")
    def _only_frozen_weights_are_quantised(self) -> "Scale":
        if self.quantization and not self.lora:
            raise ValueError(
                f"quantization: {self.quantization} needs lora: what is trained cannot be so short"
            )
        return self

    @property
    def of_bitsandbytes(self) -> dict[str, str]:
        """Settings that need that package, and values that do not."""
        asked: dict[str, tuple[str | None, str]] = {
            f"quantization: {self.quantization}": (self.quantization, "quantization: null"),
            f"optimizer: {self.optimizer}": (
                None if self.optimizer is Optimizer.ADAMW else self.optimizer,
                f"optimizer: {Optimizer.ADAMW}",
            ),
        }
        return {what: instead for what, (value, instead) in asked.items() if value}

    def stage(self, name: StageName) -> Stage:
        return self.stage1 if name is StageName.STAGE1 else self.stage2

    @property
    def is_standin(self) -> bool:
        return self.language_model.standin is not None


def load_scale(name: str, scales_dir: Path) -> Scale:
    """Raises UserError for an unknown scale or setting, with the nearest known name."""
    path = scales_dir / f"{name}.yaml"
    if not path.is_file():
        raise unknown("scale", name, sorted(path.stem for path in scales_dir.glob("*.yaml")))
    return checked(Scale, {"name": name, **read_mapping(path)}, path)


STANDIN_RECORD = "palo.json"
STANDIN_VERSION = "12"  # raise it when the same settings train another stand-in


class Part(StrEnum):
    TOWER = "vision_tower"
    LANGUAGE_MODEL = "language_model"


# Each saves a stand-in in an empty folder.
standin_builders: dict[Part, Callable[[Scale, Profile, Path], None]] = {}


@dataclass(frozen=True)
class Source:
    """Where to load a model from: a folder or a hub id, and what it depends on."""

    name: str
    revision: str | None
    inputs: str


def source_of(part: Part, scale: Scale, profile: Profile) -> Source:
    chosen = scale.vision_tower if part is Part.TOWER else scale.language_model
    if chosen.standin is None:
        return Source(chosen.name, chosen.revision, digest([chosen.name, chosen.revision]))
    settings = profile.train
    made_from: list[object] = [STANDIN_VERSION, chosen.standin.model_dump()]
    if part is Part.TOWER:
        made_from += [scale.image_size, scale.feature_layer]
    learned_from = settings.patches_path if part is Part.TOWER else settings.text_path
    assert learned_from is not None
    inputs = digest([*made_from, file_digest(learned_from)])
    return Source(str(profile.data_dir / "models" / chosen.name), None, inputs)


def ensure(part: Part, scale: Scale, profile: Profile) -> Source:
    """The source, after building the stand-in that it names where that is missing or stale."""
    source = source_of(part, scale, profile)
    folder = Path(source.name)
    chosen = scale.vision_tower if part is Part.TOWER else scale.language_model
    if chosen.standin is None:
        return source
    if uptodate(folder / STANDIN_RECORD, source.inputs) and damage(folder) is None:
        return source
    with replaced_folder(folder) as fresh:
        standin_builders[part](scale, profile, fresh)
        write_json(fresh / STANDIN_RECORD, {"inputs": source.inputs})
    return source


def require_for_training(scale: Scale, profile: Profile, until: StageName) -> None:
    """Asked before any heavy import. Raises MissingResource that lists all that is missing."""
    refuse(f"train {scale.name}", profile, missing_for(scale, profile, until, needs_gpu=True))
    require_sharing(scale, profile)


def require_sharing(scale: Scale, profile: Profile) -> None:
    """Raises MissingResource where the profile shares a model in a way that can't be had here, and
    UserError where the scale's cannot be shared."""
    sharding = profile.train.loop.sharding
    if problem := why_not_shared(scale, profile):
        raise UserError(problem)
    if sharding is Sharding.NONE:
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        note(
            f"train.loop.sharding: {sharding} has no effect in a single process: "
            "start several with torchrun (docs/training.md)."
        )
        return
    if sharding is not Sharding.DEEPSPEED:
        return
    if not has_gpu():
        raise MissingResource("sharding: deepspeed needs NVIDIA GPUs; fsdp2 runs on CPUs too.")
    if find_spec("deepspeed") is None:
        raise MissingResource(
            "sharding: deepspeed needs the package deepspeed: pip install deepspeed, "
            "or set sharding: fsdp2, which needs nothing more."
        )


def why_not_shared(scale: Scale, profile: Profile) -> str | None:
    """What of bitsandbytes' the scale asks for, while the profile shares the model; None where both
    go together."""
    sharding = profile.train.loop.sharding
    if sharding is Sharding.NONE or not scale.of_bitsandbytes:
        return None
    return (
        f"{' and '.join(scale.of_bitsandbytes)} of {scale.name} cannot go with train.loop."
        f"sharding: {sharding}: bitsandbytes' tensors cannot be cut. Set sharding: none, which "
        "keeps a whole model on each GPU, or set "
        f"{' and '.join(scale.of_bitsandbytes.values())} in the scale."
    )


def missing_for(scale: Scale, profile: Profile, until: StageName, needs_gpu: bool) -> list[str]:
    """What training needs and this machine lacks, with a cure. `needs_gpu`: it is to run here."""
    settings, paths = profile.train, profile.paths
    wanted: list[tuple[Path | None, str]] = [
        (settings.captions_path, "captions"),
        (settings.captions_images_dir, "their images"),
    ]
    if scale.language_model.standin:
        wanted.append((settings.text_path, "text for the stand-in language model"))
    if scale.vision_tower.standin:
        wanted.append((settings.patches_path, "patch labels for the stand-in vision tower"))
    if until is StageName.STAGE2 and settings.english_mix_path:
        wanted.append((settings.english_mix_path, "English instructions"))
        wanted.append((settings.english_mix_images_dir, "their images"))
    missing = _missing(wanted, scale, profile, needs_gpu)
    if needs_gpu and (asked := " and ".join(scale.of_bitsandbytes)):
        if not has_gpu() and not any("NVIDIA GPU" in line for line in missing):
            missing.append(f"an NVIDIA GPU for {asked}: run on a machine that has one")
        if find_spec("bitsandbytes") is None:
            missing.append(f"the package bitsandbytes for {asked}: pip install bitsandbytes")
    for part in Part:
        of: ModelSource[Any] = getattr(scale, part)
        if of.standin is None and with_weights(of.name, of.revision) is None:
            what = part.replace("_", " ")
            missing.append(not_here(what, of.name, of.revision, of.download_gb))
    if until is StageName.STAGE2:
        if not settings.english_mix_path and not shard_paths(paths.source_dir):
            missing.append(f"English conversations in {paths.source_dir}: run palo translate first")
        if not any(shard_paths(paths.refined(lang)) for lang in TARGETS):
            said = "palo translate --lang all, then palo refine"
            missing.append(f"refined shards ({paths.refined('<language>')}): {said}")
    return missing


def _missing(
    wanted: Iterable[tuple[Path | None, str]], scale: Scale, profile: Profile, needs_gpu: bool
) -> list[str]:
    missing = []
    model = scale.language_model
    can_run = has_gpu() or model.standin or not wants_gpu(model.name, model.revision)
    if needs_gpu and not can_run:
        missing.append(f"an NVIDIA GPU for {scale.name}: run on a machine that has one")
    for path, what in wanted:
        if path is None:
            raise UserError(f"Profile {profile.name} names no path for {what}: see pipelines.yaml.")
        if not path.exists():
            published = "put it there; README.md says where it is published"
            how = "palo sample build" if profile.world else published
            missing.append(f"{what} ({path}): {how}")
    return missing


def require_for_evaluation(
    scale: Scale, profile: Profile, held_out: bool = True, judge: bool = False
) -> None:
    """Raises MissingResource that lists all that is missing, of what this evaluation needs."""
    evaluate = profile.evaluate
    paths = [(evaluate.questions_path, "held-out questions"), (evaluate.images_dir, "their images")]
    missing = _missing(paths if held_out else (), scale, profile, needs_gpu=True)
    checkpoint = profile.paths.checkpoint(scale.name)
    if not (checkpoint / "config.json").is_file():
        missing.append(f"a checkpoint ({checkpoint}): palo train --scale {scale.name}")
    if judge and evaluate.judge is None:
        missing.append(
            "a judge: set `evaluate: {judge: {model: NAME, server: {base_url: URL}}}` of the "
            "profile in pipelines.yaml, or give --no-judge"
        )
    refuse(f"evaluate {scale.name}", profile, missing)


def refuse(what: str, profile: Profile, missing: list[str]) -> None:
    """Raises MissingResource where something is."""
    if missing:
        lines = "".join(f"\n  - {line}" for line in missing)
        raise MissingResource(f"Cannot {what} on profile {profile.name}. Missing:{lines}")
