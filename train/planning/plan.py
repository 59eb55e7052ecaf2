"""The whole plan of a run: parameters, memory, steps, mixture, time, and what stands in its way.

As a person sees it, within 80 columns, and as machines read it: `--dry-run`.

    palo train --scale 7b --dry-run
    palo train --scale 7b --dry-run --gpu a100-80 --gpus 8

Trains nothing and loads no weights. Only caches are written: the mixture's, and its lengths. Steps
are exact where their data are here; tokens are measured with the real tokenizer
(train/data/packing.py) where it is on this machine, else they are assumed, and said to be. The
rows' filling is that of steps drawn evenly from the plan that training follows.
"""

import json
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.table import Table

from palo.console import NOTHING, announce, console, note, percent, progress, table
from palo.errors import MissingResource, UserError
from palo.languages import TARGETS
from palo.settings import MixtureWeights, Profile
from palo.shards import shard_paths
from palo.tokenizer import load_tokenizer
from train.data.mixture import Mixture, draw, expected_counts, open_captions, open_mixture
from train.data.packing import Lengths, Measure, StepPlan, measure, steps_per_epoch, total_steps
from train.data.template import Template, add_image
from train.model.sizes import FlopCount, Sizes, flop_count, parameters, sizes_of
from train.planning.memory import (
    GIB,
    SUPERVISED_SHARE,
    Hardware,
    Memory,
    Sharing,
    hardware_for,
    host_bytes,
    memory_of,
    sharing_of,
    trained,
    why_not,
)
from train.scale import Scale, Stage, StageName, missing_for, refuse

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
class Steps:
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
class StagePlan:
    """What one stage takes. None: not known without data, or without a GPU's name."""

    stage: StageName
    trained: int  # parameters
    flops: FlopCount
    memory: dict[Sharing, Memory]  # of a device
    problem: str | None  # why it does not fit
    host: dict[str, int]  # bytes of a process in the machine's own memory
    steps: Steps | None
    total_flops: float | None
    seconds: float | None  # at ASSUMED_MFU


class Plan:
    """All of a run, stage by stage.

    `is_elsewhere`: the devices are not this machine's, so it needs none; `is_silent`: nothing is
    printed, progress neither.
    """

    def __init__(
        self,
        scale: Scale,
        profile: Profile,
        until: StageName,
        hardware: Hardware | None,
        is_elsewhere: bool,
        is_silent: bool,
    ) -> None:
        self.scale, self.profile, self.hardware = scale, profile, hardware
        self.devices, self.is_silent = hardware.devices if hardware else 1, is_silent
        self.sizes = sizes_of(scale, profile.data_dir / "models")
        self.parameters = parameters(self.sizes)
        self.sharing = sharing_of(profile.train.loop)
        self.missing = missing_for(scale, profile, until, needs_gpu=not is_elsewhere)
        self.tokenizer = _local_tokenizer(scale, profile.data_dir / "models")
        self.stages = [self._stage(name) for name in StageName if name <= until]
        self.problems = [stage.problem for stage in self.stages if stage.problem]
        self.english = str(profile.train.english_mix_path or profile.paths.source_dir)

    def _stage(self, name: StageName) -> StagePlan:
        scale, sizes, hardware, devices = self.scale, self.sizes, self.hardware, self.devices
        workers = self.profile.train.loop.workers
        workers = WORKERS if workers is None else workers
        steps, flops = self._steps(name), flop_count(sizes, name)
        total = flops.of(steps.tokens, steps.supervised, steps.images) if steps else None
        peak = hardware.peak_flops if hardware else None
        return StagePlan(
            stage=name,
            trained=trained(sizes, name).trained,
            flops=flops,
            memory={
                way: memory_of(scale, sizes, name, way, devices, hardware.short if hardware else 2)
                for way in (Sharing if devices > 1 else [self.sharing])
            },
            problem=why_not(scale, sizes, name, self.sharing, hardware) if hardware else None,
            host=host_bytes(sizes, name, scale.stage(name).batch_size, devices, workers),
            steps=steps,
            total_flops=total,
            seconds=total / (devices * peak * ASSUMED_MFU) if total and peak else None,
        )

    def _steps(self, name: StageName) -> Steps | None:
        """Of the data that are here, else of the published; None for a sample not yet built."""
        stage, sizes, max_length = self.scale.stage(name), self.sizes, self.scale.max_length
        settings, is_first = self.profile.train, name is StageName.STAGE1
        mixture = _mixture(self.profile, name)
        if mixture is None:
            is_sample = self.profile.world is not None
            return None if is_sample else published_plan(name, stage, sizes, max_length)
        lengths = None
        if self.tokenizer is not None:
            what = f"{name}: tokens of each conversation"
            with nullcontext() if self.is_silent else progress(what, len(mixture)) as tick:
                template = Template(self.tokenizer)
                how = Measure(template, sizes.image_tokens, max_length, as_captions=is_first)
                lengths = measure(mixture, how, tick=tick or (lambda _: None))
        weights = MixtureWeights() if is_first else settings.mixture
        return measured_plan(
            name, stage, sizes, mixture, lengths, weights, settings.seed, self.devices, max_length
        )


def _local_tokenizer(scale: Scale, models_dir: Path) -> Any:
    """As training loads it, from this machine alone; None where it is not."""
    source = scale.language_model
    name, revision = source.name, source.revision
    if source.standin is not None:
        name, revision = str(models_dir / name), None
        if not (models_dir / source.name / "tokenizer.json").is_file():
            return None
    try:
        tokenizer = load_tokenizer(name, revision, local_files_only=True)
    except (OSError, ValueError):
        return None
    add_image(tokenizer)
    return tokenizer


def _mixture(profile: Profile, name: StageName) -> Mixture | None:
    """None where its texts are not here, or nothing of them was kept."""
    settings, paths = profile.train, profile.paths
    mix = settings.english_mix_path
    try:
        if name is StageName.STAGE1:
            return open_captions(profile) if settings.captions_path.is_file() else None
        has_english = mix.is_file() if mix else shard_paths(paths.source_dir)
        if not has_english or not any(shard_paths(paths.refined(lang)) for lang in TARGETS):
            return None
        return open_mixture(profile)
    except MissingResource:
        return None


def published_plan(name: StageName, stage: Stage, sizes: Sizes, max_length: int) -> Steps:
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
) -> Steps:
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
    chosen = np.unique(np.linspace(0, steps.steps_per_epoch - 1, LOOKED_AT).astype(int)).tolist()
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
) -> Steps:
    """`tokens` and `images` are an epoch's."""
    steps = total_steps(stage, conversations)
    epochs = steps / steps_per_epoch(conversations, stage.batch_size)
    text = max(0, tokens - images * sizes.image_tokens)
    supervised = text if name is StageName.STAGE1 else int(text * SUPERVISED_SHARE)
    return Steps(
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
    return tuple(
        LanguagePlan(
            lang=lang,
            conversations=mixture.counts[lang],
            weight=weights.weights.get(lang, 1.0) if weights.temperature is None else None,
            drawn=wanted[lang],
            share=wanted[lang] / total,
            tokens=None if tokens is None else int(tokens[code]),
            cut=lengths.cut[lang].cut if lengths else None,
            unusable=lengths.cut[lang].unusable if lengths else None,
        )
        for code, lang in enumerate(mixture.languages)
        if lang in mixture.counts
    )


# What is shown

_MEMORY_ROWS = {
    "weights": "weights",
    "gradients": "gradients",
    "moments": "AdamW's moments",
    "activations": "activations of a row",
    "working": "a layer's work, or logits",
    "overhead": "CUDA, buffers, gaps",
    "total": "total",
}
_STEPS_ROWS = (
    "conversations an epoch",
    "steps",
    "of them warm-up",
    "tokens a step",
    "rows a step and device",
    "padding",
    "waiting for the longest row",
    "operations",
    "time",
    "GPU-hours",
)
_table = partial(table, narrow=True, padding=(0, 1, 0, 0), title_justify="left", title_style="bold")


def dry_run(
    scale: Scale,
    profile: Profile,
    until: StageName,
    gpu: str | None = None,
    gpus: int | None = None,
    gpu_memory_gib: float | None = None,
    as_json: bool = False,
) -> None:
    """Prints the plan; tables, or JSON and nothing else. Then says what stands in its way.

    Raises UserError or MissingResource once all that is known has been printed.
    """
    hardware = hardware_for(scale.is_standin, gpu, gpus, gpu_memory_gib)
    is_elsewhere = gpu is not None or gpu_memory_gib is not None
    if not as_json:
        announce(profile, f"train {scale.name} --dry-run")
    plan = Plan(scale, profile, until, hardware, is_elsewhere, is_silent=as_json)
    if as_json:
        typer.echo(json.dumps(_as_json(plan), indent=1))
    else:
        _show(plan)
    try:
        refuse(f"train {scale.name}", profile, plan.missing)
    except MissingResource as error:
        raise MissingResource("\n".join([*plan.problems, str(error)])) from None
    if plan.problems:
        raise UserError("\n".join(plan.problems))


def _show(plan: Plan) -> None:
    console.print(_parameter_table(plan))
    last, length = plan.stages[-1], plan.scale.max_length
    factor = "6N" if plan.sizes.lora is None and last.stage is StageName.STAGE2 else "4N"
    note(
        f"{last.stage}: {_flops(last.flops.per_token_headline)} a token ({factor}), "
        f"{_flops(last.flops.per_token_packed(length))} with attention over {length:,}."
    )
    note(f"An image: {_flops(last.flops.per_image)}.")
    for stage in plan.stages:
        console.print()
        console.print(_memory_table(plan, stage))
    if plan.hardware is None:
        note("No GPU here: --gpu a100-80 --gpus 8 tells whether it fits, and how long.")
    elif len(last.memory) > 1:
        note("* as the profile has it (train: loop: sharding).")
    most = max((stage.host for stage in plan.stages), key=lambda host: sum(host.values()))
    note(
        "In the machine's own memory, a process: "
        f"{most['weights'] / GIB:.1f} GiB of weights while they load,\n"
        f"{most['pictures'] / GIB:.1f} GiB of pictures that workers hold ready."
    )
    console.print()
    console.print(_steps_table(plan))
    for line in _steps_notes(plan):
        note(line)
    for stage in plan.stages:
        if stage.stage is StageName.STAGE2 and stage.steps and stage.steps.languages:
            console.print()
            console.print(_mixture_table(stage.steps))
            note(f"English: {plan.english.removeprefix(f'{Path.cwd()}/')}")


def _parameter_table(plan: Plan) -> Table:
    """A line a part; what each stage trains of it."""
    count, lora = plan.parameters, plan.sizes.lora
    stages = [stage.stage for stage in plan.stages]
    table = _table("", "all", *stages, title="Parameters, and those that each stage trains")
    model, second = f"{count.language_model:,}", (StageName.STAGE2,)

    def add(what: str, whole: str, number: int, *learning: StageName) -> None:
        cells = (f"{number:,}" if stage in learning else NOTHING for stage in stages)
        table.add_row(what, whole, *cells)

    add("vision tower", f"{count.tower:,}", 0)
    add(f"projector ({plan.sizes.projector})", f"{count.projector:,}", count.projector, *StageName)
    add("language model", model, count.language_model, *(() if lora else second))
    if lora:
        add(f"adapters (LoRA {lora.rank})", NOTHING, count.adapters, *second)
    table.add_section()
    table.add_row("total", f"{count.total:,}", *(f"{stage.trained:,}" for stage in plan.stages))
    return table


def _memory_table(plan: Plan, stage: StagePlan) -> Table:
    """A column a way of sharing the model; the profile's is marked."""
    needs = stage.memory.values()
    in_gib = max(memory.total for memory in needs) >= GIB
    unit, name_of_unit = (GIB, "GiB") if in_gib else (2**20, "MiB")
    table = _table(
        f"{name_of_unit} a device",
        *(f"{way}*" if way is plan.sharing else way for way in stage.memory),
        title=f"{stage.stage} on {plan.hardware or 'a GPU'}: "
        f"rows of {plan.scale.stage(stage.stage).row_tokens:,} tokens, "
        f"checkpointing {plan.scale.checkpointing}",
    )
    for name, title in _MEMORY_ROWS.items():
        if name == "total":
            table.add_section()
        table.add_row(title, *(f"{getattr(memory, name) / unit:.1f}" for memory in needs))
    if plan.hardware:
        most = plan.hardware.memory_bytes
        table.add_row("fits", *("yes" if need.total <= most else "[red]no[/]" for need in needs))
    return table


def _steps_table(plan: Plan) -> Table:
    """A column a stage."""
    table = _table("", *(stage.stage for stage in plan.stages), title="Steps and time")
    sizes = (f"{plan.scale.stage(stage.stage).batch_size:,}" for stage in plan.stages)
    table.add_row("conversations a step", *sizes)
    columns = [_steps_column(stage, plan.devices) for stage in plan.stages]
    for row in zip(_STEPS_ROWS, *columns, strict=True):
        table.add_row(*row)
    return table


def _steps_column(stage: StagePlan, devices: int) -> list[str]:
    """The cells of `_STEPS_ROWS`."""
    if (steps := stage.steps) is None:
        return [NOTHING] * len(_STEPS_ROWS)
    mark = "" if steps.is_measured else "~"
    hours = stage.seconds / 3600 if stage.seconds else None
    return [
        f"{steps.conversations:,}",
        f"{steps.steps:,}",
        f"{steps.warmup_steps:,}",
        f"{mark}{steps.tokens_a_step:,}",
        NOTHING if steps.rows_a_step is None else f"{steps.rows_a_step:.1f}",
        percent(steps.padding_share),
        percent(steps.idle_share),
        f"{mark}{stage.total_flops:.2e}",
        NOTHING if hours is None else f"{mark}{_time(hours)}",
        NOTHING if hours is None else f"{mark}{hours * devices:,.3g}",
    ]


def _steps_notes(plan: Plan) -> Iterator[str]:
    known = [stage.steps for stage in plan.stages if stage.steps]
    if any(steps.is_published for steps in known):
        yield "Not all data are here: conversations as published."
    if len(known) < len(plan.stages):
        yield "- the data are not here yet: steps are not known."
    if any(not steps.is_measured for steps in known):
        yield "~ assumed lengths: texts were not measured, for want of data or tokenizer."
    if plan.hardware is None:
        return
    if not plan.hardware.is_gpu:
        yield "On a CPU no time is estimated."
    elif plan.hardware.peak_flops is None:
        yield f"{plan.hardware.name}: its peak is not known, so no time is estimated (--gpu)."
    else:
        yield f"Time at {ASSUMED_MFU:.0%} of the peak (assumed MFU); docs/training-plan.md."


def _mixture_table(steps: Steps) -> Table:
    """A line a language: what there is, and an epoch's part of it."""
    names = ("there", "weight", "an epoch", "share", "tokens", "of tokens", "cut", "unusable")
    table, languages = _table("", *names), steps.languages

    def total(name: str) -> int | None:
        return sum(getattr(plan, name) for plan in languages) if steps.is_measured else None

    there, tokens = sum(plan.conversations for plan in languages), total("tokens")
    counts = (tokens, total("cut"), total("unusable"))
    whole = LanguagePlan("all", there, None, steps.conversations, 1.0, *counts)
    for plan in (*languages, whole):
        if plan is whole:
            table.add_section()
        weight = NOTHING if plan.weight is None else f"{plan.weight:g}"
        table.add_row(
            plan.lang,
            f"{plan.conversations:,}",
            "" if plan is whole else weight,
            f"{plan.drawn:,}",
            percent(plan.share),
            _count(plan.tokens),
            percent(plan.tokens / tokens if plan.tokens is not None and tokens else None),
            _count(plan.cut),
            _count(plan.unusable),
        )
    return table


def _flops(count: float) -> str:
    return f"{count / 1e9:,.1f} GFLOP" if count >= 1e9 else f"{count / 1e6:,.1f} MFLOP"


def _time(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:.1f} d"
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{hours * 60:.0f} min" if hours > 1 / 60 else f"{hours * 3600:.1f} s"


def _count(value: int | None) -> str:
    if value is None:
        return NOTHING
    return f"{value / 1e6:,.1f}M" if value >= 10_000_000 else f"{value:,}"


def _as_json(plan: Plan) -> dict[str, Any]:
    """All figures of the tables, in bytes, operations and seconds."""
    stages = {}
    for stage in plan.stages:
        figures = stages[str(stage.stage)] = asdict(stage)
        del figures["stage"], figures["problem"]
        figures["flops"]["per_token_headline"] = stage.flops.per_token_headline
        for way, memory in stage.memory.items():
            figures["memory"][way]["total"] = memory.total
    return {
        "scale": plan.scale.name,
        "parameters": {**plan.parameters.model_dump(), "total": plan.parameters.total},
        "hardware": asdict(plan.hardware) if plan.hardware else None,
        "sharding": plan.sharing,
        "assumed_mfu": ASSUMED_MFU,
        "english": plan.english,
        "mixture": plan.profile.train.mixture.model_dump(),
        "stages": stages,
        "problems": plan.problems,
        "missing": plan.missing,
    }
