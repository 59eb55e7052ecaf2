"""Converts a checkpoint between our layout and the published one, whichever it is in.

    palo convert --from llava-v1.5-7b --out data/palo/checkpoints/llava-7b
    palo convert --from data/palo/checkpoints/7b --to llava --out palo-7b

The new folder is written beside its place and then renamed: it is whole or not there.
"""

from dataclasses import dataclass

from palo.errors import MissingResource, UserError
from palo.files import replaced_folder
from train.conversion.detect import detect
from train.conversion.job import Job
from train.conversion.to_hf import convert_to_hf
from train.conversion.to_llava import convert_to_llava
from train.model.layout import Layout, Part


@dataclass(frozen=True)
class Done:
    """What was made of what."""

    source: tuple[Layout, Part]
    made: tuple[Layout, Part]
    num_tensors: int


def convert(job: Job) -> Done:
    """Raises UserError or MissingResource, and leaves no half-written folder."""
    if not job.source.is_dir():
        raise MissingResource(
            f"There is no folder {job.source}: name the checkpoint's with --from."
        )
    layout, part = detect(job.source)
    to = job.to or next(other for other in Layout if other != layout)
    if to == layout:
        raise UserError(
            f"{job.source} is in the layout '{to}' already: leave --to out for the other one."
        )
    _require_meant(job, to, part)
    _require_free(job)
    convert_to = convert_to_hf if to == Layout.HF else convert_to_llava
    with replaced_folder(job.out) as fresh:
        made, count = convert_to(job, part, fresh)
    return Done((layout, part), (to, made), count)


def _require_meant(job: Job, to: Layout, part: Part) -> None:
    """An option that would change nothing is a mistake."""
    for is_idle, option, use in (
        (to == Layout.HF and job.part, "--part", "says what to write with --to llava"),
        (to == Layout.HF and job.model_type, "--model-type", "goes with --to llava"),
        (to == Layout.LLAVA and job.keep_adapter, "--keep-adapter", "goes with --to hf"),
        (job.keep_adapter and part is not Part.LORA, "--keep-adapter", "is for LoRA adapters"),
        (to == Layout.HF and part is Part.FULL and job.base, "--base", "is for parts of a model"),
    ):
        if is_idle:
            raise UserError(f"{option} {use}; {job.source} is {part} and becomes '{to}'.")


def _require_free(job: Job) -> None:
    source, out = job.source.resolve(), job.out.resolve()
    if out == source or source in out.parents or out in source.parents:
        raise UserError(
            f"--out {job.out} is, holds or lies in --from {job.source}: choose another."
        )
    if job.out.exists() and not job.overwrite:
        raise UserError(f"{job.out} exists: choose another --out, or say --overwrite.")
