"""`palo convert`: a checkpoint from the published PALO/LLaVA layout into ours, and back."""

from pathlib import Path
from typing import Annotated

import typer

from palo.console import ProfileOption, announce, note, progress
from palo.settings import load_profile
from train.model.layout import Layout, Part, PublishedType


def register(app: typer.Typer) -> None:
    app.command("convert")(convert)


def convert(
    source: Annotated[Path, typer.Option("--from", help="The checkpoint's folder.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")],
    to: Annotated[
        Layout | None, typer.Option("--to", help="Default: the layout that --from is not in.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Language model of a projector or of LoRA adapters: folder or hub id."),
    ] = None,
    vision_tower: Annotated[
        str | None,
        typer.Option(help="CLIP tower, where the checkpoint lacks it or does not name it."),
    ] = None,
    part: Annotated[
        Part | None,
        typer.Option(help="What to write with --to llava. Default: what --from holds."),
    ] = None,
    keep_adapter: Annotated[
        bool, typer.Option("--keep-adapter", help="LoRA stays beside the weights, not merged.")
    ] = False,
    model_type: Annotated[
        PublishedType | None,
        typer.Option(help="With --to llava: whose code will load it. Default: by the projector."),
    ] = None,
    max_shard_gb: Annotated[
        float, typer.Option(min=0.000001, help="Size that a file of weights keeps below.")
    ] = 5.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Put it in the place of a folder --out.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Convert a checkpoint: the published PALO/LLaVA layout into ours, or ours into that one."""
    announce(load_profile(profile), "convert")
    from train.conversion.convert import convert as run
    from train.conversion.job import Job

    with progress("tensors", None) as tick:
        done = run(
            Job(
                source,
                out,
                to,
                base,
                vision_tower,
                part,
                keep_adapter,
                model_type,
                overwrite,
                int(max_shard_gb * 1e9),
                tick,
            )
        )
    (was, was_part), (layout, made) = done.source, done.made
    note(
        f"{out}: {layout} ({made}), {done.num_tensors} tensors, from {was} ({was_part}) in {source}"
    )
