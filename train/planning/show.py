"""A plan as a person sees it, within 80 columns, and as machines read it."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from palo.console import NOTHING, console, note, percent
from train.planning.memory import GIB, Memory
from train.planning.plan import ASSUMED_MFU, Plan, StageOutlook
from train.planning.steps import StagePlan
from train.scale import StageName

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


def show(plan: Plan) -> None:
    console.print(parameter_table(plan))
    _say(_speed(plan))
    for stage in plan.stages:
        console.print()
        console.print(memory_table(plan, stage))
    _say(_memory_notes(plan))
    console.print()
    console.print(steps_table(plan))
    _say(_steps_notes(plan))
    for stage in plan.stages:
        if stage.stage is StageName.STAGE2 and stage.steps and stage.steps.languages:
            console.print()
            console.print(mixture_table(stage.steps))
            _say([f"English: {plan.english.removeprefix(f'{Path.cwd()}/')}"])


def parameter_table(plan: Plan) -> Table:
    """A line a part; what each stage trains of it."""
    found, stages = plan.parameters, plan.stages
    table = _table(
        "", "all", *(str(stage.stage) for stage in stages),
        title="Parameters, and those that each stage trains",
    )  # fmt: skip
    in_full = plan.sizes.lora is None
    parts = [
        ("vision tower", found.tower, ()),
        (f"projector ({plan.sizes.projector})", found.projector, tuple(StageName)),
        (
            "language model",
            found.language_model,
            (StageName.STAGE2,) if in_full else (),
        ),
    ]
    for what, count, trained in parts:
        cells = [f"{count:,}" if one.stage in trained else NOTHING for one in stages]
        table.add_row(what, f"{count:,}", *cells)
    if plan.sizes.lora:
        cells = [
            f"{found.adapters:,}" if one.stage is StageName.STAGE2 else NOTHING for one in stages
        ]
        rank = plan.sizes.lora.rank
        table.add_row(f"adapters (LoRA {rank})", NOTHING, *cells)
    table.add_section()
    table.add_row("total", f"{found.total:,}", *(f"{stage.trained:,}" for stage in stages))
    return table


def memory_table(plan: Plan, stage: StageOutlook) -> Table:
    """A column a way of sharing the model; the profile's is marked."""
    where = str(plan.hardware) if plan.hardware else "a GPU"
    chosen = plan.scale.stage(stage.stage)
    unit, name_of_unit = _unit(stage)
    table = _table(
        f"{name_of_unit} a device",
        *(f"{one}*" if one is plan.sharing else str(one) for one in stage.memory),
        title=f"{stage.stage} on {where}: rows of {chosen.row_tokens:,} tokens, "
        f"checkpointing {plan.scale.checkpointing}",
    )
    for name, title in _MEMORY_ROWS.items():
        if name == "total":
            table.add_section()
        cells = [f"{getattr(one, name) / unit:.1f}" for one in stage.memory.values()]
        table.add_row(title, *cells)
    if plan.hardware:
        table.add_row("fits", *(_fits(plan, one) for one in stage.memory.values()))
    return table


def steps_table(plan: Plan) -> Table:
    """A column a stage."""
    table = _table("", *(str(stage.stage) for stage in plan.stages), title="Steps and time")
    columns = [_steps_column(plan, stage) for stage in plan.stages]
    for title in columns[0]:
        table.add_row(title, *(column[title] for column in columns))
    return table


def _steps_column(plan: Plan, stage: StageOutlook) -> dict[str, str]:
    steps = stage.steps
    column = {"conversations a step": f"{plan.scale.stage(stage.stage).batch_size:,}"}
    if steps is None:
        return column | dict.fromkeys(_STEPS_ROWS, NOTHING)
    mark = "" if steps.is_measured else "~"
    hours = stage.seconds / 3600 if stage.seconds else None
    devices = plan.hardware.devices if plan.hardware else 1
    cells = (
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
    )
    return column | dict(zip(_STEPS_ROWS, cells, strict=True))


def mixture_table(steps: StagePlan) -> Table:
    """A line a language: what there is, and an epoch's part of it."""
    table = _table(
        "", "there", "weight", "an epoch", "share", "tokens", "of tokens", "cut", "unusable"
    )
    tokens = sum(one.tokens or 0 for one in steps.languages)
    for one in steps.languages:
        table.add_row(
            one.lang,
            f"{one.conversations:,}",
            NOTHING if one.weight is None else f"{one.weight:g}",
            f"{one.drawn:,}",
            percent(one.share),
            _count(one.tokens),
            percent(one.tokens / tokens if one.tokens is not None and tokens else None),
            _count(one.cut),
            _count(one.unusable),
        )
    table.add_section()
    there = sum(one.conversations for one in steps.languages)
    sums = [_sum(getattr(one, name) for one in steps.languages) for name in ("cut", "unusable")]
    total = _sum(one.tokens for one in steps.languages)
    everything = percent(1.0 if total else None)
    table.add_row(
        "all", f"{there:,}", "", f"{steps.conversations:,}", "100.0%", _count(total), everything,
        *map(_count, sums),
    )  # fmt: skip
    return table


def as_json(plan: Plan) -> dict[str, Any]:
    """All figures of the tables, in bytes, operations and seconds."""
    hardware = dataclasses.asdict(plan.hardware) if plan.hardware else None
    return {
        "scale": plan.scale.name,
        "parameters": {**plan.parameters.model_dump(), "total": plan.parameters.total},
        "hardware": hardware,
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
            str(one): {**dataclasses.asdict(memory), "total": memory.total}
            for one, memory in stage.memory.items()
        },
        "host": stage.host,
        "steps": dataclasses.asdict(stage.steps) if stage.steps else None,
        "total_flops": stage.total_flops,
        "seconds": stage.seconds,
    }


def _speed(plan: Plan) -> Iterable[str]:
    last = plan.stages[-1]
    length = plan.scale.max_length
    factor = "6N" if plan.sizes.lora is None and last.stage is StageName.STAGE2 else "4N"
    yield (
        f"{last.stage}: {_flops(last.flops.per_token_headline)} a token ({factor}), "
        f"{_flops(last.flops.per_token_packed(length))} with attention over {length:,}."
    )
    yield f"An image: {_flops(last.flops.per_image)}."


def _memory_notes(plan: Plan) -> Iterable[str]:
    if plan.hardware is None:
        yield "No GPU here: --gpu a100-80 --gpus 8 tells whether it fits, and how long."
    elif len(plan.stages[-1].memory) > 1:
        yield "* as the profile has it (train: loop: sharding)."
    most = max(plan.stages, key=lambda stage: sum(stage.host.values())).host
    yield (
        f"In the machine's own memory, a process: {_gib(most['weights'])} GiB of weights while "
        f"they load,\n{_gib(most['pictures'])} GiB of pictures that workers hold ready."
    )


def _steps_notes(plan: Plan) -> Iterable[str]:
    found = [stage.steps for stage in plan.stages if stage.steps]
    if any(steps.is_published for steps in found):
        yield "Not all data are here: conversations as published."
    if len(found) < len(plan.stages):
        yield "- the data are not here yet: steps are not known."
    if any(not steps.is_measured for steps in found):
        yield "~ assumed lengths: texts were not measured, for want of data or tokenizer."
    if plan.hardware is None:
        return
    if not plan.hardware.is_gpu:
        yield "On a CPU no time is estimated."
    elif plan.hardware.peak_flops is None:
        yield f"{plan.hardware.name}: its peak is not known, so no time is estimated (--gpu)."
    else:
        yield f"Time at {ASSUMED_MFU:.0%} of the peak (assumed MFU); docs/training.md."


def _table(*names: str, title: str | None = None) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=title,
        title_justify="left",
        title_style="bold",
    )
    table.add_column(names[0], no_wrap=True)
    for name in names[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        note(line)


def _gib(count: int) -> str:
    return f"{count / GIB:.1f}"


def _unit(stage: StageOutlook) -> tuple[int, str]:
    largest = max(memory.total for memory in stage.memory.values())
    return (GIB, "GiB") if largest >= GIB else (2**20, "MiB")


def _flops(count: float) -> str:
    return f"{count / 1e9:,.1f} GFLOP" if count >= 1e9 else f"{count / 1e6:,.1f} MFLOP"


def _fits(plan: Plan, memory: Memory) -> str:
    assert plan.hardware is not None
    return "yes" if memory.total <= plan.hardware.memory_bytes else "[red]no[/]"


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
