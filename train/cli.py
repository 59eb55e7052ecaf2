"""Commands of the train stage: `palo train --scale 7b`, `palo evaluate --scale 7b`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from palo.console import ProfileOption, announce, console, note, percent
from palo.errors import UserError
from palo.settings import AnswerEngine, load_profile
from train import images_cli
from train.conversion import cli as conversion_cli
from train.scale import StageName, load_scale
from train.talk import cli as talk_cli

ScaleOption = Annotated[str, typer.Option(help="1.7b, 7b or 13b: a file of the scales folder.")]


def register(app: typer.Typer) -> None:
    app.command("train")(train)
    app.command("evaluate")(evaluate)
    conversion_cli.register(app)
    images_cli.register(app)
    talk_cli.register(app)


def train(
    scale: ScaleOption,
    until: Annotated[
        StageName, typer.Option(help="stage1 needs no translations; the next call goes on from it.")
    ] = StageName.STAGE2,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what it would take; train nothing.")
    ] = False,
    gpu: Annotated[
        str | None, typer.Option(help="With --dry-run: plan for this kind of GPU, a100-80, h100.")
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(help="With --dry-run: plan for so many of them.")
    ] = None,
    gpu_memory_gib: Annotated[
        float | None, typer.Option(help="With --dry-run: the memory of each.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --dry-run: for machines, in place of tables.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Train one scale: the projector on captions, then the model on ten languages."""
    settings = load_profile(profile)
    chosen = load_scale(scale, settings.train.scales_dir)
    if dry_run:
        from train.planning.dry_run import dry_run as plan

        plan(chosen, settings, until, gpu, gpus, gpu_memory_gib, as_json)
        return
    if as_json or any(one is not None for one in (gpu, gpus, gpu_memory_gib)):
        raise UserError("--gpu, --gpus, --gpu-memory-gib and --json go with --dry-run.")
    announce(settings, f"train {scale}")
    from train.run import train_projector, train_scale

    if until == StageName.STAGE1:
        note(f"Projector: {train_projector(chosen, settings)}")
    else:
        note(f"Checkpoint: {train_scale(chosen, settings)}")


def evaluate(
    scale: ScaleOption,
    bench: Annotated[
        Path | None,
        typer.Option(help="Ask a LLaVA-Bench-style set's questions; a judge scores the answers."),
    ] = None,
    engine: Annotated[
        AnswerEngine, typer.Option(help="What runs the model.")
    ] = AnswerEngine.TRANSFORMERS,
    no_judge: Annotated[
        bool, typer.Option("--no-judge", help="With --bench: answers, language, texts; no scores.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Ask a trained scale the held-out questions in ten languages, or those of a bench."""
    settings = load_profile(profile)
    announce(settings, f"evaluate {scale}")
    chosen = load_scale(scale, settings.train.scales_dir)
    if bench is not None:
        from train.evaluation.bench.run import evaluate_bench
        from train.evaluation.bench.table import notes, tables

        result = evaluate_bench(chosen, settings, bench, engine, with_judge=not no_judge)
        for table in tables(result):
            console.print(table)
        for line in notes(result):
            note(line)
        return
    if no_judge:
        raise UserError("--no-judge goes with --bench: held-out questions need no judge.")
    from train.evaluation.evaluate import evaluate_scale

    result = evaluate_scale(chosen, settings, engine)
    console.print(_table(result))
    console.print(_kinds(result))


def _table(result: dict) -> Table:  # type: ignore[type-arg]
    """A row a language: how often right, the same with images shuffled, chance, fidelity."""
    table = Table("language", title=f"Held-out questions, {result['scale']}")
    for title in ("questions", "right", "images shuffled", "chance", "reasoning", "right language"):
        table.add_column(title, justify="right")
    keys = ("accuracy", "accuracy_shuffled", "chance", "reasoning", "fidelity")
    for lang, row in [*result["languages"].items(), ("mean", result["mean"])]:
        table.add_row(lang, str(row["questions"]), *(percent(row[key]) for key in keys))
    return table


def _kinds(result: dict) -> Table:  # type: ignore[type-arg]
    """A row a kind of question, all languages together."""
    table = Table("kind", title=f"By kind of question, {result['scale']}")
    for title in ("questions", "right", "images shuffled"):
        table.add_column(title, justify="right")
    for kind, row in result["by_kind"].items():
        shares = [percent(row[key]) for key in ("accuracy", "accuracy_shuffled")]
        table.add_row(kind, str(row["questions"]), *shares)
    return table
