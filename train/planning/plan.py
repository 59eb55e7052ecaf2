"""The whole plan of a run: parameters, memory, steps, mixture, time, and what stands in its way.

    palo train --scale 7b --dry-run
    palo train --scale 7b --dry-run --gpu a100-80 --gpus 8

Trains nothing and loads no weights. Only caches are written: the mixture's, and its lengths.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.console import progress
from palo.errors import MissingResource
from palo.languages import TARGETS
from palo.paths import DataPaths
from palo.schemas import IMAGE_TAG
from palo.settings import MixtureWeights, Profile
from palo.shards import shard_paths
from train.data.lengths import measure
from train.data.mixture import Mixture, open_captions, open_mixture
from train.data.rows import English
from train.model.flops import FlopCount, flop_count
from train.model.sizes import Parameters, Sizes, parameters, sizes_of
from train.planning.fit import why_not
from train.planning.hardware import Hardware
from train.planning.memory import (
    Memory,
    Sharing,
    host_bytes,
    memory_of,
    sharing_of,
    trained_parameters,
)
from train.planning.steps import StagePlan, measured_plan, published_plan
from train.resources import missing_for
from train.scale import Scale, StageName

ASSUMED_MFU = 0.35
WORKERS = 8  # that read images on a GPU machine, unless the profile says otherwise


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
    models_dir = profile.data_dir / "models"
    sizes = sizes_of(scale, models_dir)
    sharing = sharing_of(profile.train.loop)
    names = [name for name in StageName if name <= until]
    missing = missing_for(scale, profile, until, needs_gpu=not is_elsewhere)
    tokenizer = local_tokenizer(scale, models_dir)
    stages = []
    for name in names:
        steps = _steps(scale, profile, name, sizes, tokenizer, hardware, is_silent)
        stages.append(_outlook(scale, profile, name, sizes, sharing, hardware, steps))
    mix = profile.train.english_mix_path
    return Plan(
        scale=scale,
        sizes=sizes,
        parameters=parameters(sizes),
        hardware=hardware,
        sharing=sharing,
        stages=tuple(stages),
        weights=profile.train.mixture,
        english=str(mix or DataPaths(profile.data_dir).source_dir),
        missing=missing,
    )


def _outlook(
    scale: Scale,
    profile: Profile,
    name: StageName,
    sizes: Sizes,
    sharing: Sharing,
    hardware: Hardware | None,
    steps: StagePlan | None,
) -> StageOutlook:
    devices, short = (hardware.devices, hardware.short) if hardware else (1, 2)
    shown = list(Sharing) if devices > 1 else [sharing]
    flops = flop_count(sizes, name)
    total = flops.of(steps.tokens, steps.supervised, steps.images) if steps else None
    peak = hardware.peak_flops if hardware else None
    workers = profile.train.loop.workers
    return StageOutlook(
        stage=name,
        trained=trained_parameters(
            parameters(sizes), name, in_full=name is StageName.STAGE2 and scale.lora is None
        ),
        flops=flops,
        memory={one: memory_of(scale, sizes, name, one, devices, short) for one in shown},
        problem=why_not(scale, sizes, name, sharing, hardware) if hardware else None,
        host=host_bytes(
            sizes,
            name,
            scale.stage(name).batch_size,
            devices,
            WORKERS if workers is None else workers,
        ),
        steps=steps,
        total_flops=total,
        seconds=total / (devices * peak * ASSUMED_MFU) if total and peak else None,
    )


def _steps(
    scale: Scale,
    profile: Profile,
    name: StageName,
    sizes: Sizes,
    tokenizer: Any,
    hardware: Hardware | None,
    is_silent: bool,
) -> StagePlan | None:
    """Of the data that are here, else of the published ones; None for a sample not yet built."""
    settings, stage = profile.train, scale.stage(name)
    mixture = _mixture(profile, name)
    if mixture is None:
        if profile.world is not None:
            return None
        return published_plan(name, stage, sizes, scale.max_length)
    lengths = None
    if tokenizer is not None:
        from train.data.template import Template

        what = f"{name}: tokens of each conversation"
        with nullcontext() if is_silent else progress(what, len(mixture)) as tick:
            lengths = measure(
                mixture,
                Template(tokenizer),
                sizes.image_tokens,
                scale.max_length,
                name is StageName.STAGE1,
                mixture.path.parent,
                tick=tick,
            )
    return measured_plan(
        name,
        stage,
        sizes,
        mixture,
        lengths,
        settings.mixture if name is StageName.STAGE2 else MixtureWeights(),
        settings.seed,
        hardware.devices if hardware else 1,
        scale.max_length,
    )


def _mixture(profile: Profile, name: StageName) -> Mixture | None:
    """None where its texts are not here, or nothing of them was kept."""
    settings, paths = profile.train, DataPaths(profile.data_dir)
    mix = settings.english_mix_path
    refined = [path for lang in TARGETS for path in shard_paths(paths.refined(lang))]
    english_here = mix.is_file() if mix else bool(shard_paths(paths.source_dir))
    try:
        if name is StageName.STAGE1:
            if not settings.captions_path.is_file():
                return None
            cache_dir = paths.root / "mixture"
            return open_captions(settings.captions_path, settings.captions_images_dir, cache_dir)
        if not (refined and english_here):
            return None
        english = English(mix, settings.english_mix_images_dir)
        return open_mixture(paths, profile.source.images_dir, english, profile.refine)
    except MissingResource:
        return None


def local_tokenizer(scale: Scale, models_dir: Path) -> Any:
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
    if IMAGE_TAG not in tokenizer.get_added_vocab():
        tokenizer.add_special_tokens({"extra_special_tokens": [IMAGE_TAG]})
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token
    return tokenizer
