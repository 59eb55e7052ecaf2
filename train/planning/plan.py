"""The whole plan of a run: parameters, memory, steps, mixture, time, and what stands in its way.

    palo train --scale 7b --dry-run
    palo train --scale 7b --dry-run --gpu a100-80 --gpus 8

Trains nothing and loads no weights. Only caches are written: the mixture's, and its lengths. Steps
are exact where their data are here; tokens are measured with the real tokenizer
(train/data/packing.py) where it is on this machine, else they are assumed, and said to be. The
rows' filling is that of steps drawn evenly from the plan that training follows.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from palo.console import progress
from palo.errors import MissingResource
from palo.languages import TARGETS
from palo.settings import MixtureWeights, Profile
from palo.shards import shard_paths
from train.data.mixture import Mixture, draw, expected_counts, open_captions, open_mixture
from train.data.packing import Lengths, Measure, StepPlan, measure, steps_per_epoch, total_steps
from train.data.template import Template, add_image
from train.model.sizes import FlopCount, Parameters, Sizes, flop_count, parameters, sizes_of
from train.planning.hardware import Hardware
from train.planning.memory import (
    SUPERVISED_SHARE,
    Memory,
    Sharing,
    host_bytes,
    memory_of,
    sharing_of,
    trained,
    why_not,
)
from train.resources import missing_for
from train.scale import Scale, Stage, StageName

ASSUMED_MFU = 0.35
WORKERS = 8  # that read images on a GPU machine, unless the profile says otherwise
LOOKED_AT = 100  # steps whose rows are packed
# Assumed where nothing is measured: a caption of CC3M, and a conversation in ten languages, most of
# whose scripts Vicuna's tokenizer cuts into characters or bytes.
ASSUMED_TEXT = {StageName.STAGE1: 24, StageName.STAGE2: 700}
# As published: LLaVA-CC3M-Pretrain-595K; the 665K mix, and LLaVA-Instruct-150K in nine languages.
PUBLISHED = {StageName.STAGE1: 595_375, StageName.STAGE2: 665_298 + 9 * 157_712}
PUBLISHED_TEXT_ONLY = 40_688  # of the 665K mix: ShareGPT


@dataclass(frozen=True)
class LanguagePlan:
    """One language's part of an epoch; None: not known without the tokenizer."""

    lang: str
    conversations: int
    weight: float | None  # None where a temperature decides
    drawn: int
    share: float
    tokens: int | None
    cut: int | None
    unusable: int | None


@dataclass(frozen=True)
class StagePlan:
    """Sums are over all steps; a step's are means. None: not known without data."""

    stage: StageName
    conversations: int  # an epoch
    steps: int
    warmup_steps: int
    tokens: int
    images: int
    supervised: int
    is_published: bool  # the data are not here: sizes as published
    is_measured: bool  # tokens by the real tokenizer
    tokens_a_step: int
    rows_a_step: float | None = None  # of one device
    padding_share: float | None = None
    idle_share: float | None = None
    languages: tuple[LanguagePlan, ...] = ()


@dataclass(frozen=True)
class StageOutlook:
    """What one stage takes. None: not known without data, or without a GPU's name."""

    stage: StageName
    trained: int  # parameters
    flops: FlopCount
    memory: dict[Sharing, Memory]  # of a device
    problem: str | None  # why it does not fit
    host: dict[str, int]  # bytes of a process in the machine's own memory
    steps: StagePlan | None
    total_flops: float | None
    seconds: float | None  # at ASSUMED_MFU


@dataclass(frozen=True)
class Plan:
    scale: Scale
    sizes: Sizes
    parameters: Parameters
    hardware: Hardware | None
    sharing: Sharing
    stages: tuple[StageOutlook, ...]
    weights: MixtureWeights
    english: str  # where it comes from
    missing: list[str]

    @property
    def problems(self) -> list[str]:
        return [stage.problem for stage in self.stages if stage.problem]


def make_plan(
    scale: Scale,
    profile: Profile,
    until: StageName,
    hardware: Hardware | None,
    is_elsewhere: bool = False,
    is_silent: bool = False,
) -> Plan:
    """`is_elsewhere`: the devices are not this machine's, so it needs none; `is_silent`: nothing is
    printed, progress neither."""
    models_dir, settings = profile.data_dir / "models", profile.train
    sizes = sizes_of(scale, models_dir)
    sharing = sharing_of(settings.loop)
    missing = missing_for(scale, profile, until, needs_gpu=not is_elsewhere)
    tokenizer = _local_tokenizer(scale, models_dir)
    devices, short = (hardware.devices, hardware.short) if hardware else (1, 2)
    peak = hardware.peak_flops if hardware else None
    workers = WORKERS if settings.loop.workers is None else settings.loop.workers
    stages = []
    for name in [name for name in StageName if name <= until]:
        steps = _steps(scale, profile, name, sizes, tokenizer, devices, is_silent)
        flops = flop_count(sizes, name)
        total = flops.of(steps.tokens, steps.supervised, steps.images) if steps else None
        stages.append(
            StageOutlook(
                stage=name,
                trained=trained(sizes, name).trained,
                flops=flops,
                memory={
                    way: memory_of(scale, sizes, name, way, devices, short)
                    for way in (Sharing if devices > 1 else [sharing])
                },
                problem=why_not(scale, sizes, name, sharing, hardware) if hardware else None,
                host=host_bytes(sizes, name, scale.stage(name).batch_size, devices, workers),
                steps=steps,
                total_flops=total,
                seconds=total / (devices * peak * ASSUMED_MFU) if total and peak else None,
            )
        )
    return Plan(
        scale=scale,
        sizes=sizes,
        parameters=parameters(sizes),
        hardware=hardware,
        sharing=sharing,
        stages=tuple(stages),
        weights=settings.mixture,
        english=str(settings.english_mix_path or profile.paths.source_dir),
        missing=missing,
    )


def _local_tokenizer(scale: Scale, models_dir: Path) -> Any:
    """As training loads it, from this machine alone; None where it is not."""
    source = scale.language_model
    built = models_dir / source.name
    if source.standin is not None and not (built / "tokenizer.json").is_file():
        return None
    from transformers import AutoTokenizer

    name, revision = (str(built), None) if source.standin else (source.name, source.revision)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, local_files_only=True)
    except (OSError, ValueError):
        return None
    add_image(tokenizer)
    return tokenizer


def _steps(
    scale: Scale,
    profile: Profile,
    name: StageName,
    sizes: Sizes,
    tokenizer: Any,
    devices: int,
    is_silent: bool,
) -> StagePlan | None:
    """Of the data that are here, else of the published ones; None for a sample not yet built."""
    stage, is_first, max_length = scale.stage(name), name is StageName.STAGE1, scale.max_length
    mixture = _mixture(profile, name)
    if mixture is None:
        is_sample = profile.world is not None
        return None if is_sample else published_plan(name, stage, sizes, max_length)
    lengths = None
    if tokenizer is not None:
        what, template = f"{name}: tokens of each conversation", Template(tokenizer)
        with nullcontext() if is_silent else progress(what, len(mixture)) as tick:
            how = Measure(template, sizes.image_tokens, max_length, as_captions=is_first)
            lengths = measure(mixture, how, tick=tick or (lambda _: None))
    weights = MixtureWeights() if is_first else profile.train.mixture
    seed = profile.train.seed
    return measured_plan(name, stage, sizes, mixture, lengths, weights, seed, devices, max_length)


def _mixture(profile: Profile, name: StageName) -> Mixture | None:
    """None where its texts are not here, or nothing of them was kept."""
    settings, paths = profile.train, profile.paths
    mix = settings.english_mix_path
    try:
        if name is StageName.STAGE1:
            if not settings.captions_path.is_file():
                return None
            return open_captions(profile)
        if not (mix.is_file() if mix else shard_paths(paths.source_dir)):
            return None
        if not any(shard_paths(paths.refined(lang)) for lang in TARGETS):
            return None
        return open_mixture(profile)
    except MissingResource:
        return None


def published_plan(name: StageName, stage: Stage, sizes: Sizes, max_length: int) -> StagePlan:
    """Without data: as many conversations as were published, of assumed length."""
    conversations = PUBLISHED[name]
    text_only = PUBLISHED_TEXT_ONLY if name is StageName.STAGE2 else 0
    each = min(max_length, sizes.image_tokens + ASSUMED_TEXT[name])
    tokens = conversations * each - text_only * sizes.image_tokens
    plan = _plan(name, stage, sizes, conversations, tokens, conversations - text_only)
    return replace(plan, is_published=True)


def measured_plan(
    name: StageName,
    stage: Stage,
    sizes: Sizes,
    mixture: Mixture,
    lengths: Lengths | None,
    weights: MixtureWeights,
    seed: int,
    devices: int,
    max_length: int,
) -> StagePlan:
    """Of data that are here; `lengths` is None where the tokenizer is not."""
    usable = np.ones(len(mixture), np.bool_) if lengths is None else lengths.usable

    def order(epoch: int) -> np.ndarray:
        return draw(mixture.langs, mixture.languages, usable, weights, seed, epoch)

    drawn = order(0)
    images = int(mixture.has_image()[drawn].sum())
    if lengths is None:
        text = len(drawn) * ASSUMED_TEXT[name]
        tokens = min(text + images * sizes.image_tokens, len(drawn) * max_length)
    else:
        tokens = int(lengths.tokens[drawn].sum())
    plan = _plan(name, stage, sizes, len(drawn), tokens, images)
    plan = replace(plan, languages=_languages(mixture, lengths, usable, weights, drawn))
    if lengths is None:
        return plan
    steps = StepPlan(lengths.tokens, order, stage.batch_size, stage.row_tokens, plan.steps)
    looked = np.linspace(0, steps.steps_per_epoch - 1, LOOKED_AT).astype(int)
    chosen = sorted({int(step) for step in looked})
    packing = steps.packing(chosen, devices)
    return replace(
        plan,
        is_measured=True,
        rows_a_step=sum(len(steps.rows(step, devices)) for step in chosen) / len(chosen) / devices,
        padding_share=packing.padding_share,
        idle_share=packing.idle_share,
    )


def _plan(
    name: StageName, stage: Stage, sizes: Sizes, conversations: int, tokens: int, images: int
) -> StagePlan:
    """`tokens` and `images` are an epoch's."""
    steps = total_steps(stage, conversations)
    epochs = steps / steps_per_epoch(conversations, stage.batch_size)
    text = max(0, tokens - images * sizes.image_tokens)
    supervised = text if name is StageName.STAGE1 else int(text * SUPERVISED_SHARE)
    return StagePlan(
        stage=name,
        conversations=conversations,
        steps=steps,
        warmup_steps=math.ceil(stage.warmup_ratio * steps),
        tokens=round(tokens * epochs),
        images=round(images * epochs),
        supervised=round(supervised * epochs),
        is_published=False,
        is_measured=False,
        tokens_a_step=round(tokens * epochs / steps),
    )


def _languages(
    mixture: Mixture,
    lengths: Lengths | None,
    usable: np.ndarray,
    weights: MixtureWeights,
    drawn: np.ndarray,
) -> tuple[LanguagePlan, ...]:
    wanted = expected_counts(mixture.langs, mixture.languages, usable, weights)
    total, tokens = max(1, sum(wanted.values())), None
    if lengths is not None:
        codes = mixture.langs[drawn]
        tokens = np.bincount(codes, lengths.tokens[drawn], minlength=len(mixture.languages))
    languages = []
    for code, lang in enumerate(mixture.languages):
        if lang in mixture.counts:
            cut = lengths.cut[lang] if lengths else None
            languages.append(
                LanguagePlan(
                    lang=lang,
                    conversations=mixture.counts[lang],
                    weight=weights.weights.get(lang, 1.0) if weights.temperature is None else None,
                    drawn=wanted[lang],
                    share=wanted[lang] / total,
                    tokens=int(tokens[code]) if tokens is not None else None,
                    cut=cut.cut if cut else None,
                    unusable=cut.unusable if cut else None,
                )
            )
    return tuple(languages)
