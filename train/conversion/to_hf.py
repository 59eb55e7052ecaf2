"""The published layout made ours: a whole model, whatever part of one the folder holds.

A projector or adapters alone are put together with the language model they were trained on;
adapters are merged into it, or kept beside it as train/model/export.py writes them.
"""

import json
from pathlib import Path
from typing import Any

from transformers import CLIPVisionConfig, GenerationConfig, LlavaConfig

from palo.errors import MissingResource, UserError
from train.conversion import adapter as lora
from train.conversion import elsewhere
from train.conversion.carried import Carried, Origin, carried, carry, restore_files
from train.conversion.complete import complete, without_tied_head
from train.conversion.gather import gather
from train.conversion.job import Job
from train.conversion.published_config import Published, hf_config, read_published
from train.conversion.read_weights import Weights, listed
from train.conversion.vocabulary import add_image, load_tokenizer, pad, padded_rows
from train.conversion.write_weights import write_plan, write_shards
from train.data.images import make_processor
from train.model.assembly import CLASSES
from train.model.checkpoint import make_llava_processor
from train.model.layout import (
    ADAPTER,
    BASE,
    EMBEDDINGS,
    HEAD,
    PUBLISHED_EMBEDDINGS,
    Layout,
    Part,
    from_published,
    is_computed,
    stored_as_classic,
)


def convert_to_hf(job: Job, part: Part, fresh: Path) -> tuple[Part, int]:
    """Writes `fresh`; what it holds, and how many tensors."""
    published = read_published(job.source / "config.json")
    gathered = gather(job, part, published)
    back = carried(job.source, published.path, Layout.HF)
    is_back = back is not None and back.is_current
    tokenizer = load_tokenizer(gathered.tokenizer_dir)
    image_token = add_image(tokenizer)
    rows = _rows(gathered.weights, published)
    total = padded_rows(rows, len(tokenizer))
    if back is not None and is_back:
        total = back.rows
    config = hf_config(
        published, _vision_config(job, published), image_token, tokenizer.pad_token_id, total
    )
    config.dtype = gathered.weights[PUBLISHED_EMBEDDINGS].dtype
    ours, computed = _renamed(gathered.weights, job.source)
    for name in (EMBEDDINGS, HEAD):
        if name in ours:
            ours[name] = pad(ours[name], total, back.kept.get(name) if back else None)
    ours = complete(config, without_tied_head(config, ours, job.source), job.source)
    at = fresh if gathered.adapter is None else fresh / BASE
    at.mkdir(exist_ok=True)
    same = back if is_back else None
    stored_as = _stored_as(same, ours) if same is not None else None
    if same is not None and stored_as is not None:
        write_plan(fresh, stored_as, same.files, same.metadata, job.tick)
        restore_files(same, fresh)
    else:
        write_shards(at, ours, job.max_shard_bytes, job.tick)
        _write_small_files(config, published, tokenizer, at)
    if gathered.adapter is not None:
        _write_adapter(gathered.adapter, fresh / ADAPTER)
    if stored_as is None or computed:
        origin = Origin(
            job.source, gathered.tokenizer_dir, Layout.LLAVA, part, rows, gathered.stored
        )
        own = {name: lazy for name, lazy in computed.items() if name in gathered.stored.weights}
        carry(fresh, at / "config.json", origin, own, whole=not gathered.was_merged)
    return (Part.LORA if gathered.adapter else Part.FULL), len(ours)


def _rows(weights: Weights, published: Published) -> int:
    rows = weights[PUBLISHED_EMBEDDINGS].shape[0]
    said = published.raw.get("vocab_size", rows)
    if said != rows:
        raise UserError(
            f"{published.path}: vocab_size is {said}, but {PUBLISHED_EMBEDDINGS} has {rows} rows: "
            "set it to that."
        )
    return rows


def _renamed(weights: Weights, where: Path) -> tuple[Weights, Weights]:
    """Under classic names; apart from them what every version computes for itself."""
    ours: Weights = {}
    computed: Weights = {}
    unknown = []
    for name, lazy in weights.items():
        classic = from_published(name)
        if is_computed(name):
            computed[name] = lazy
        elif classic is None:
            unknown.append(name)
        else:
            ours[classic] = lazy
    if unknown:
        raise UserError(
            f"{where}: {len(unknown)} tensors are not expected ({listed(unknown)}); this is no "
            "LLaVA-1.5, PALO or MobileVLM (v1) checkpoint."
        )
    return ours, computed


def _vision_config(job: Job, published: Published) -> CLIPVisionConfig:
    section = published.raw.get("palo") or {}
    if job.vision_tower is None and "vision_config" in section:
        return CLIPVisionConfig(**section["vision_config"])
    name = job.vision_tower or published.tower
    if name is None:
        raise MissingResource(
            f"{published.path} names no mm_vision_tower: name it with --vision-tower."
        )
    return elsewhere.tower_config(name, job.source)


def _stored_as(back: Carried, ours: Weights) -> Weights | None:
    """The tensors under the very names that the origin stored; None where one cannot be had."""
    found: Weights = {}
    for name in back.names:
        classic = stored_as_classic(name)
        if classic == HEAD and HEAD not in ours:
            classic = EMBEDDINGS  # tied, and stored twice
        lazy = back.kept.get(name) if is_computed(name) else ours.get(classic or "")
        if lazy is None:
            return None
        found[name] = lazy
    return found if back.is_safe else None


def _write_small_files(
    config: LlavaConfig, published: Published, tokenizer: Any, folder: Path
) -> None:
    config.architectures = [CLASSES[config.model_type].__name__]
    config.save_pretrained(folder)
    text: Any = config.text_config
    vision: Any = config.vision_config
    GenerationConfig(
        bos_token_id=text.bos_token_id,
        eos_token_id=text.eos_token_id,
        pad_token_id=config.pad_token_id,
    ).save_pretrained(folder)
    processor = make_processor(vision.image_size)
    processor.do_pad = published.pads
    make_llava_processor(config, tokenizer, processor).save_pretrained(folder)


def _write_adapter(adapter: lora.Adapter, folder: Path) -> None:
    settings, weights = lora.for_ours(adapter)
    folder.mkdir()
    write_plan(folder, weights, {lora.WEIGHTS: list(weights)})
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    (folder / lora.CONFIG).write_text(text, encoding="utf-8")
