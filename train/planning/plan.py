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
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.table import Table

from palo.console import NOTHING, announce, console, note, percent, progress, table
from palo.errors import MissingResource, UserError
from palo.files import read_yaml
from palo.languages import TARGETS
from palo.settings import MixtureWeights, Profile, TrainSettings
from palo.shards import shard_paths
from palo.tokenizer import load_tokenizer
from train.data.mixture import Mixture, open_captions, open_mixture
from train.data.packing import Lengths, Measure, measure, plan_mixture, steps_per_epoch, total_steps
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
    settled,
    sharing_of,
    trained,
    why_not,
)
from train.scale import (
    Checkpointing,
    Scale,
    StageName,
    missing_for,
    refuse,
    why_not_shared,
)

ASSUMED_MFU = 0.35
WORKERS = 8  # that read images on a GPU machine, unless the profile says otherwise
LOOKED_AT = 100  # steps whose rows are packed
ASSUMED: dict[str, Any] = read_yaml(__file__, "lengths.yaml")
# Conversations of a language with an image, or without: LLaVA-CC3M-Pretrain-595K; the 665K mix, of
# which ShareGPT's have none, and LLaVA-Instruct-150K in nine languages.
PUBLISHED = {
    StageName.STAGE1: {("en", True): 595_375},
    StageName.STAGE2: {(lang, True): 157_712 for lang in ASSUMED["factors"]}
    | {("en", True): 665_298 - 40_688, ("en", False): 40_688},
}


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
    checkpointing: Checkpointing  # never `auto`
    flops: FlopCount
    memory: dict[Sharing, Memory]  # of a device
    problem: str | None  # why it does not fit
    host: dict[str, int]  # bytes of a process in the machine's own memory
    steps: Steps | None
    total_flops: float | None
    seconds: float | None  # at ASSUMED_MFU


class Plan:
    """All of a run. `is_elsewhere`: not on this machine's devices; `is_silent`: no progress."""

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
        of_stages = [stage.problem for stage in self.stages]
        self.problems = [line for line in (why_not_shared(scale, profile), *of_stages) if line]
        self.english = str(profile.train.english_mix_path or profile.paths.source_dir)

    def _stage(self, name: StageName) -> StagePlan:
        scale, sizes, hardware, devices = self.scale, self.sizes, self.hardware, self.devices
        workers = self.profile.train.loop.workers
        workers = WORKERS if workers is None else workers
        sizes = settled(sizes, name, self.sharing, hardware)
        steps, flops = self._steps(name), flop_count(sizes, name)
        total = flops.of(steps.tokens, steps.supervised, steps.images) if steps else None
        peak = hardware.peak_flops if hardware else None
        return StagePlan(
            stage=name,
            trained=trained(sizes, name).trained,
            checkpointing=sizes.scale.checkpointing,
            flops=flops,
            memory={
                way: memory_of(sizes, name, way, devices, hardware.short if hardware else 2)
                for way in (Sharing if devices > 1 else [self.sharing])
            },
            problem=why_not(sizes, name, self.sharing, hardware) if hardware else None,
            host=host_bytes(
                sizes, name, self.sharing, scale.stage(name).batch_size, devices, workers
            ),
            steps=steps,
            total_flops=total,
            seconds=total / (devices * peak * ASSUMED_MFU) if total and peak else None,
        )

    def _steps(self, name: StageName) -> Steps | None:
        """Of the data that are here, else of the published; None for a sample not yet built."""
        mixture, lengths = _mixture(self.profile, name), None
        if mixture is None and self.profile.world is not None:
            return None
        if mixture is not None and self.tokenizer is not None:
            what = f"{name}: tokens of each conversation"
            with nullcontext() if self.is_silent else progress(what, len(mixture)) as tick:
                as_captions, limit = name is StageName.STAGE1, self.scale.max_length
                how = Measure(Template(self.tokenizer), self.sizes.image_tokens, limit, as_captions)
                lengths = measure(mixture, how, tick=tick or (lambda _: None))
        settings = self.profile.train
        return plan_steps(self.sizes, name, settings, mixture, lengths, self.devices)


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


def text_tokens(name: StageName, lang: str) -> int:
    """Assumed of a caption or a conversation, with its template and without its image; of a
    language that was not measured, the most that another one takes."""
    if name is StageName.STAGE1:
        return int(ASSUMED["caption"])
    factors = ASSUMED["factors"]
    factor = factors.get(lang, max(factors.values()))
    return round(ASSUMED["template"] + ASSUMED["english"] * factor)


def plan_steps(
    sizes: Sizes,
    name: StageName,
    settings: TrainSettings,
    mixture: Mixture | None = None,
    lengths: Lengths | None = None,
    devices: int = 1,
) -> Steps:
    """Without a mixture: as many conversations as published; without lengths: assumed ones."""
    scale, is_first = sizes.scale, name is StageName.STAGE1
    stage = scale.stage(name)
    languages: tuple[LanguagePlan, ...] = ()
    counts: Mapping[tuple[str, bool], int] = PUBLISHED[name]
    tokens, packing = None, dict[str, float]()
    if mixture is not None:
        counted = np.ones(len(mixture), np.int32) if lengths is None else lengths.tokens
        weights = MixtureWeights() if is_first else settings.mixture
        plan = plan_mixture(mixture, counted, stage, weights, settings.seed)
        drawn = plan.drawn(0)
        langs = [mixture.languages[code] for code in mixture.langs[drawn]]
        counts = Counter(zip(langs, mixture.has_image()[drawn].tolist(), strict=True))
        languages = _languages(mixture, lengths, weights, drawn)
        if lengths is not None:
            tokens = int(lengths.tokens[drawn].sum())
            chosen = np.linspace(0, plan.steps_per_epoch - 1, LOOKED_AT).astype(int)
            packing = plan.packing(np.unique(chosen).tolist(), devices)._asdict()
    if tokens is None:
        tokens = sum(
            count * min(scale.max_length, text_tokens(name, lang) + has_image * sizes.image_tokens)
            for (lang, has_image), count in counts.items()
        )
    conversations = sum(counts.values())
    images = sum(count for (_, has_image), count in counts.items() if has_image)
    steps = total_steps(stage, conversations)
    epochs = steps / steps_per_epoch(conversations, stage.batch_size)
    text = max(0, tokens - images * sizes.image_tokens)
    supervised = text if is_first else int(text * SUPERVISED_SHARE)
    return Steps(
        stage=name,
        conversations=conversations,
        steps=steps,
        warmup_steps=math.ceil(stage.warmup_ratio * steps),
        tokens=round(tokens * epochs),
        images=round(images * epochs),
        supervised=round(supervised * epochs),
        is_published=mixture is None,
        is_measured=lengths is not None,
        tokens_a_step=round(tokens * epochs / steps),
        languages=languages,
        **packing,
    )


def _languages(
    mixture: Mixture, lengths: Lengths | None, weights: MixtureWeights, drawn: np.ndarray
) -> tuple[LanguagePlan, ...]:
    codes, count = mixture.langs[drawn], len(mixture.languages)
    times = np.bincount(codes, minlength=count).tolist()
    tokens = None if lengths is None else np.bincount(codes, lengths.tokens[drawn], count)
    return tuple(
        LanguagePlan(
            lang=lang,
            conversations=mixture.counts[lang],
            weight=weights.weights.get(lang, 1.0) if weights.temperature is None else None,
            drawn=times[code],
            share=times[code] / max(1, len(drawn)),
            tokens=None if tokens is None else int(tokens[code]),
            cut=lengths.cut[lang].cut if lengths else None,
            unusable=lengths.cut[lang].unusable if lengths else None,
        )
        for code, lang in enumerate(mixture.languages)
        if lang in mixture.counts
    )


_ROWS: dict[str, dict[str, Any]] = read_yaml(__file__, "rows.yaml")
_STYLE: dict[str, Any] = {
    "narrow": True,
    "padding": (0, 1, 0, 0),
    "title_justify": "left",
    "title_style": "bold",
}


def dry_run(
    scale: Scale,
    profile: Profile,
    until: StageName,
    gpu: str | None = None,
    gpus: int | None = None,
    gpu_memory_gib: float | None = None,
    as_json: bool = False,
) -> None:
    """Prints the plan; tables, or JSON and nothing else. Then says what stands in its way. Raises
    UserError or MissingResource once all that is known has been printed."""
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
    factor = "6N" if plan.scale.lora is None and last.stage is StageName.STAGE2 else "4N"
    note(
        f"{last.stage}: {_flops(last.flops.per_token_headline)} a token ({factor}), "
        f"{_flops(last.flops.of(1, 1, 0, squares=length))} with attention over {length:,}."
    )
    note(f"An image: {_flops(last.flops.per_image)}.")
    for stage in plan.stages:
        console.print()
        console.print(_memory_table(plan, stage))
    if plan.hardware is None:
        note("No GPU here: --gpu a100-80 --gpus 8 tells whether it fits, and how long.")
    elif len(last.memory) > 1:
        note("* as the profile has it (train: loop: sharding).")
    if plan.scale.checkpointing is Checkpointing.AUTO:
        note("Checkpointing is auto: the least that leaves a tenth of the memory free.")
    most = max((stage.host for stage in plan.stages), key=lambda host: sum(host.values()))
    if plan.devices > 1 and not most["weights_of_others"]:
        note("Weights load in the first process alone, which gives the others their parts.")
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


def _columns(first: str, columns: dict[str, dict[str, str]], title: str) -> Table:
    """Cells by the name of their row; above `total` is a line."""
    rows: list[tuple[str, ...]] = []
    for name in next(iter(columns.values())):
        if name == "total":
            rows.append(())
        rows.append((name, *(cells[name] for cells in columns.values())))
    return table(first, *columns, rows=rows, title=title, **_STYLE)


def _parameter_table(plan: Plan) -> Table:
    """A line a part; what each stage trains of it."""
    count, lora = plan.parameters, plan.scale.lora
    second = {StageName.STAGE2}
    parts = {
        "vision tower": (count.tower, set[StageName]()),
        f"projector ({plan.scale.projector})": (count.projector, set(StageName)),
        "language model": (count.language_model, set[StageName]() if lora else second),
    }
    whole = {what: f"{number:,}" for what, (number, _) in parts.items()}
    if lora:
        adapters = f"adapters (LoRA {lora.rank})"
        parts[adapters], whole[adapters] = (count.adapters, second), NOTHING
    columns = {"all": whole | {"total": f"{count.total:,}"}}
    for stage in plan.stages:
        columns[stage.stage] = {
            what: f"{number:,}" if stage.stage in learning else NOTHING
            for what, (number, learning) in parts.items()
        } | {"total": f"{stage.trained:,}"}
    return _columns("", columns, "Parameters, and those that each stage trains")


def _memory_table(plan: Plan, stage: StagePlan) -> Table:
    """A column a way of sharing the model; the profile's is marked."""
    in_gib = max(memory.total for memory in stage.memory.values()) >= GIB
    unit, name_of_unit = (GIB, "GiB") if in_gib else (2**20, "MiB")
    columns = {}
    for way, memory in stage.memory.items():
        cells = {
            title: f"{getattr(memory, name) / unit:.1f}" for name, title in _ROWS["memory"].items()
        }
        if plan.hardware:
            fits = memory.total <= plan.hardware.memory_bytes
            cells["fits"] = "yes" if fits else "[red]no[/]"
        columns[f"{way}*" if way is plan.sharing else way] = cells
    title = (
        f"{stage.stage} on {plan.hardware or 'a GPU'}: "
        f"rows of {plan.scale.stage(stage.stage).row_tokens:,} tokens, "
        f"checkpointing {stage.checkpointing}"
    )
    return _columns(f"{name_of_unit} a device", columns, title)


def _steps_table(plan: Plan) -> Table:
    """A column a stage."""
    columns: dict[str, dict[str, str]] = {}
    for stage in plan.stages:
        steps, hours = stage.steps, stage.seconds / 3600 if stage.seconds else None
        figures = {
            **(vars(steps) if steps else {}),
            "batch_size": plan.scale.stage(stage.stage).batch_size,
            "total_flops": stage.total_flops,
            "time": _time(hours) if hours else None,
            "gpu_hours": hours * plan.devices if hours else None,
        }
        cells = columns[stage.stage] = {}
        for name, (title, form) in _ROWS["steps"].items():
            figure = figures.get(name)
            known = form.lstrip("~") if steps and steps.is_measured else form
            cells[title] = NOTHING if figure is None else known.format(figure)
    return _columns("", columns, "Steps and time")


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
        yield f"Time at {ASSUMED_MFU:.0%} of the peak (assumed MFU); docs/training.md."


def _mixture_table(steps: Steps) -> Table:
    """A line a language: what there is, and an epoch's part of it."""
    names = ("there", "weight", "an epoch", "share", "tokens", "of tokens", "cut", "unusable")
    languages = steps.languages
    there, tokens, *lost = (
        sum(getattr(plan, name) or 0 for plan in languages)
        for name in ("conversations", "tokens", "cut", "unusable")
    )
    known = (tokens, *lost) if steps.is_measured else (None, None, None)
    whole = LanguagePlan("all", there, None, steps.conversations, 1.0, *known)
    rows: list[tuple[str, ...]] = []
    for plan in (*languages, whole):
        if plan is whole:
            rows.append(())
        weight = NOTHING if plan.weight is None else f"{plan.weight:g}"
        rows.append(
            (
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
        )
    return table("", *names, rows=rows, **_STYLE)


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
