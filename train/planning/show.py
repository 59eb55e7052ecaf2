"""A plan as a person sees it, within 80 columns, and as machines read it: `--dry-run`."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from palo.console import NOTHING, announce, console, note, percent, table
from palo.errors import MissingResource
from palo.settings import Profile
from train.planning.hardware import GIB, hardware_for
from train.planning.memory import CannotFit
from train.planning.plan import ASSUMED_MFU, Plan, StageOutlook, StagePlan, make_plan
from train.resources import refuse_training
from train.scale import Scale, StageName

_STYLE: dict[str, Any] = {
    "narrow": True,
    "padding": (0, 1, 0, 0),
    "title_justify": "left",
    "title_style": "bold",
}
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

    Raises CannotFit or MissingResource once all that is known has been printed.
    """
    hardware = hardware_for(scale.is_standin, gpu, gpus, gpu_memory_gib)
    is_elsewhere = gpu is not None or gpu_memory_gib is not None
    if not as_json:
        announce(profile, f"train {scale.name} --dry-run")
    plan = make_plan(scale, profile, until, hardware, is_elsewhere, is_silent=as_json)
    if as_json:
        typer.echo(json.dumps(_as_json(plan), indent=1))
    else:
        _show(plan)
    try:
        refuse_training(scale, profile, plan.missing)
    except MissingResource as error:
        raise MissingResource("\n".join([*plan.problems, str(error)])) from None
    if plan.problems:
        raise CannotFit("\n".join(plan.problems))


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
    second = (StageName.STAGE2,)
    parts: list[tuple[str, int, tuple[StageName, ...]]] = [
        ("vision tower", count.tower, ()),
        (f"projector ({plan.sizes.projector})", count.projector, tuple(StageName)),
        ("language model", count.language_model, () if lora else second),
    ]
    if lora:
        parts.append((f"adapters (LoRA {lora.rank})", count.adapters, second))
    rows: list[Sequence[str]] = []
    for what, number, learning in parts:
        cells = [f"{number:,}" if stage in learning else NOTHING for stage in stages]
        rows.append((what, NOTHING if what.startswith("adapters") else f"{number:,}", *cells))
    trained = (f"{stage.trained:,}" for stage in plan.stages)
    rows += [(), ("total", f"{count.total:,}", *trained)]
    title = "Parameters, and those that each stage trains"
    return table("", "all", *stages, rows=rows, title=title, **_STYLE)


def _memory_table(plan: Plan, stage: StageOutlook) -> Table:
    """A column a way of sharing the model; the profile's is marked."""
    needs = stage.memory.values()
    in_gib = max(memory.total for memory in needs) >= GIB
    unit, name_of_unit = (GIB, "GiB") if in_gib else (2**20, "MiB")
    rows: list[Sequence[str]] = []
    for name, title in _MEMORY_ROWS.items():
        if name == "total":
            rows.append(())
        rows.append((title, *(f"{getattr(memory, name) / unit:.1f}" for memory in needs)))
    if plan.hardware:
        most = plan.hardware.memory_bytes
        rows.append(("fits", *("yes" if need.total <= most else "[red]no[/]" for need in needs)))
    return table(
        f"{name_of_unit} a device",
        *(f"{way}*" if way is plan.sharing else way for way in stage.memory),
        rows=rows,
        title=f"{stage.stage} on {plan.hardware or 'a GPU'}: "
        f"rows of {plan.scale.stage(stage.stage).row_tokens:,} tokens, "
        f"checkpointing {plan.scale.checkpointing}",
        **_STYLE,
    )


def _steps_table(plan: Plan) -> Table:
    """A column a stage."""
    stages = [stage.stage for stage in plan.stages]
    sizes = (f"{plan.scale.stage(stage).batch_size:,}" for stage in stages)
    devices = plan.hardware.devices if plan.hardware else 1
    columns = [_steps_column(stage, devices) for stage in plan.stages]
    rows = [("conversations a step", *sizes), *zip(_STEPS_ROWS, *columns, strict=True)]
    return table("", *stages, rows=rows, title="Steps and time", **_STYLE)


def _steps_column(stage: StageOutlook, devices: int) -> list[str]:
    """The cells of `_STEPS_ROWS`."""
    steps = stage.steps
    if steps is None:
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


def _mixture_table(steps: StagePlan) -> Table:
    """A line a language: what there is, and an epoch's part of it."""
    languages = steps.languages
    tokens, cut, unusable = (
        _sum(getattr(plan, name) for plan in languages) for name in ("tokens", "cut", "unusable")
    )
    rows: list[Sequence[str]] = [
        (
            plan.lang,
            f"{plan.conversations:,}",
            NOTHING if plan.weight is None else f"{plan.weight:g}",
            f"{plan.drawn:,}",
            percent(plan.share),
            _count(plan.tokens),
            percent(plan.tokens / tokens if plan.tokens is not None and tokens else None),
            _count(plan.cut),
            _count(plan.unusable),
        )
        for plan in languages
    ]
    there, drawn = sum(plan.conversations for plan in languages), steps.conversations
    everything = percent(1.0 if tokens else None)
    last = (_count(tokens), everything, _count(cut), _count(unusable))
    rows += [(), ("all", f"{there:,}", "", f"{drawn:,}", "100.0%", *last)]
    names = ("there", "weight", "an epoch", "share", "tokens", "of tokens", "cut", "unusable")
    return table("", *names, rows=rows, **_STYLE)


def _flops(count: float) -> str:
    return f"{count / 1e9:,.1f} GFLOP" if count >= 1e9 else f"{count / 1e6:,.1f} MFLOP"


def _time(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:.1f} d"
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{hours * 60:.0f} min" if hours > 1 / 60 else f"{hours * 3600:.1f} s"


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _count(value: int | None) -> str:
    if value is None:
        return NOTHING
    return f"{value / 1e6:,.1f}M" if value >= 10_000_000 else f"{value:,}"


def _as_json(plan: Plan) -> dict[str, Any]:
    """All figures of the tables, in bytes, operations and seconds."""
    return {
        "scale": plan.scale.name,
        "parameters": {**plan.parameters.model_dump(), "total": plan.parameters.total},
        "hardware": dataclasses.asdict(plan.hardware) if plan.hardware else None,
        "sharding": plan.sharing,
        "assumed_mfu": ASSUMED_MFU,
        "english": plan.english,
        "mixture": plan.weights.model_dump(),
        "stages": {str(stage.stage): _stage_json(stage) for stage in plan.stages},
        "problems": plan.problems,
        "missing": plan.missing,
    }


def _stage_json(stage: StageOutlook) -> dict[str, Any]:
    return {
        "trained": stage.trained,
        "flops": {
            **dataclasses.asdict(stage.flops),
            "per_token_headline": stage.flops.per_token_headline,
        },
        "memory": {
            str(way): {**dataclasses.asdict(memory), "total": memory.total}
            for way, memory in stage.memory.items()
        },
        "host": stage.host,
        "steps": dataclasses.asdict(stage.steps) if stage.steps else None,
        "total_flops": stage.total_flops,
        "seconds": stage.seconds,
    }
