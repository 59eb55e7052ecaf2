"""A whole model's tensors, from a published folder and what it says lies elsewhere."""

from dataclasses import dataclass
from pathlib import Path

import torch

from palo.errors import MissingResource, UserError
from train.conversion import adapter as lora
from train.conversion import elsewhere
from train.conversion.detect import PROJECTOR_FILES
from train.conversion.job import Job
from train.conversion.published_config import Published
from train.conversion.read_weights import (
    Lazy,
    Stored,
    Weights,
    listed,
    read_file,
    read_stored,
    weights_at,
)
from train.model.layout import PUBLISHED_EMBEDDINGS, TOWER, Part, projector_key


@dataclass(frozen=True)
class Gathered:
    """A whole model's tensors under published names, and where they and the tokenizer lie."""

    weights: Weights
    stored: Stored  # of the source itself
    tokenizer_dir: Path
    adapter: lora.Adapter | None = None  # to be kept beside the weights
    was_merged: bool = False


def gather(job: Job, part: Part, published: Published) -> Gathered:
    """Raises MissingResource for what lies neither in the folder nor where it says."""
    folder, tower_named = job.source, job.vision_tower or published.tower
    if part is Part.FULL:
        gathered = _full(folder)
    elif part is Part.PROJECTOR:
        gathered = _with_projector(job, published)
    else:
        gathered = _with_adapter(job)
    if any(name.startswith(TOWER) for name in gathered.weights):
        return gathered
    if tower_named is None:
        raise MissingResource(
            f"{published.path} names no mm_vision_tower, and the weights hold none: "
            "name it with --vision-tower."
        )
    dtype = gathered.weights[PUBLISHED_EMBEDDINGS].dtype
    tower = elsewhere.tower_weights(tower_named, folder)
    gathered.weights.update({name: _cast(lazy, dtype) for name, lazy in tower.items()})
    return gathered


def _full(folder: Path) -> Gathered:
    path = weights_at(folder)
    assert path is not None  # detect() has seen it
    stored = read_stored(path)
    return Gathered(_checked(stored.weights, path), stored, folder)


def _with_projector(job: Job, published: Published) -> Gathered:
    """Stage 1's projector over the language model it was trained on."""
    named = published.raw.get("_name_or_path")
    base = elsewhere.base_of(job.source, named, job.base, "a projector")
    file = next(job.source / name for name in PROJECTOR_FILES if (job.source / name).is_file())
    found, metadata = read_file(file)
    wrong = [name for name in found if "mm_projector." not in name]
    if wrong:
        raise UserError(f"{file}: {listed(wrong)} is not of a projector.")
    weights = _checked(elsewhere.language_weights(base), base)
    weights |= {projector_key(name): lazy for name, lazy in found.items()}
    stored = Stored(found, {file.name: list(found)}, {file.name: metadata})
    return Gathered(weights, stored, base)


def _with_adapter(job: Job) -> Gathered:
    folder = job.source
    adapter = lora.read_adapter(folder)
    named = adapter.config.get("base_model_name_or_path")
    base = elsewhere.base_of(folder, named, job.base, "LoRA adapters")
    rest = lora.read_non_lora(folder)
    weights = {**_checked(elsewhere.language_weights(base), base), **rest}
    files = {**adapter.stored.files, lora.NON_LORA: [f"{lora.PREFIX}{name}" for name in rest]}
    stored = Stored({}, files, adapter.stored.metadata)
    if job.keep_adapter:
        return Gathered(weights, stored, base, adapter=adapter)
    return Gathered(lora.merge(weights, adapter, folder), stored, base, was_merged=True)


def _checked(weights: Weights, where: Path) -> Weights:
    if PUBLISHED_EMBEDDINGS not in weights:
        raise UserError(
            f"{where} has no {PUBLISHED_EMBEDDINGS}: these are no weights of a LLaVA or Llama "
            f"({listed(weights)})."
        )
    return dict(weights)


def _cast(lazy: Lazy, dtype: torch.dtype) -> Lazy:
    if not lazy.dtype.is_floating_point:
        return lazy
    return Lazy(lazy.shape, dtype, lambda: lazy.read().to(dtype))
