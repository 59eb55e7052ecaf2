"""Our layout made the published one, as the code of LLaVA, PALO and MobileVLM loads it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.errors import MissingResource, UserError
from train.conversion import adapter as lora
from train.conversion.carried import Carried, Origin, carried, carry, restore_files
from train.conversion.complete import complete, without_tied_head
from train.conversion.detect import Ours, model_dir, read_ours
from train.conversion.elsewhere import find, known_tower
from train.conversion.job import Job
from train.conversion.published_config import published_config
from train.conversion.read_weights import Weights, listed, read_stored, weights_at
from train.conversion.vocabulary import (
    cut,
    is_padding,
    load_tokenizer,
    published_rows,
    save_published_tokenizer,
    tokenizer_files,
)
from train.conversion.write_weights import Plan, write_plan, write_shards
from train.model.layout import (
    ADAPTER,
    EMBEDDINGS,
    HEAD,
    PROJECTOR,
    PUBLISHED_EMBEDDINGS,
    PUBLISHED_HEAD,
    TOWER,
    Layout,
    Part,
    is_computed,
    projector_key,
    published_name,
    stored_as_classic,
)

PROJECTOR_FILE = "mm_projector.bin"  # the published loaders read it under no other name


@dataclass(frozen=True)
class Content:
    """What is to be written: tensors under the names they are stored by, and JSON files."""

    weights: Weights
    plan: Plan | None  # which file holds which; None: shards of limited size
    texts: dict[str, dict[str, Any]]


def convert_to_llava(job: Job, part: Part, fresh: Path) -> tuple[Part, int]:
    """Writes `fresh`; what it holds, and how many tensors."""
    model_at = model_dir(job.source)
    ours = read_ours(model_at)
    at = weights_at(model_at)
    assert at is not None  # detect() has seen it
    stored = read_stored(at)
    classic, computed = _classic(stored.weights, at)
    classic = complete(ours.config, without_tied_head(ours.config, classic, at), at)
    back = carried(job.source, model_at / "config.json", Layout.LLAVA)
    current = back if back is not None and back.is_current else None
    part = _wanted(job, part, current)
    tokenizer = load_tokenizer(model_at)
    total = classic[EMBEDDINGS].shape[0]
    rows = back.rows if back else published_rows(tokenizer, ours.config.image_token_id, total)
    published = _published(classic, rows)
    if current is not None and current.part is Part.FULL:
        published |= {name: lazy for name, lazy in current.kept.items() if is_computed(name)}
    settings = published_config(
        ours.config,
        ours.projector,
        job.model_type,
        _tower(job, ours),
        rows,
        classic[EMBEDDINGS].dtype,
        ours.pads,
    )
    same = current if current is not None and current.part is part else None
    content = _content(job, part, published, settings)
    again = _again(same, part, content.weights) if same is not None else None
    if same is not None and again is not None:
        content = again
        _write(job, fresh, content, same.metadata)
        restore_files(same, fresh)
    else:
        _write(job, fresh, content, None)
        if part is Part.FULL:
            _write_tokenizer(job, tokenizer, rows, fresh, back)
    cut_off = _cut_off(classic, rows)
    is_kept = computed or not all(is_padding(classic[name], rows) for name in cut_off)
    if part is Part.FULL and (again is None or is_kept):
        origin = Origin(job.source, job.source, Layout.HF, Part.FULL, total, stored)
        carry(fresh, fresh / "config.json", origin, {**computed, **cut_off}, whole=True)
    return part, len(content.weights)


def _wanted(job: Job, held: Part, current: Carried | None) -> Part:
    part = job.part or (current.part if current is not None else held)
    if part is Part.LORA and held is not Part.LORA:
        raise UserError(
            f"{job.source} holds no adapter to write for --part lora. One that was merged cannot "
            "be taken out again; convert with --keep-adapter to have it both ways."
        )
    if part is Part.FULL and held is Part.LORA:
        raise UserError(
            f"{job.source} keeps its adapter apart: convert to --part lora, "
            "or convert the published folder again without --keep-adapter."
        )
    return part


def _classic(weights: Weights, where: Path) -> tuple[Weights, Weights]:
    """Under classic names, whichever version wrote them; apart from them computed tables."""
    classic: Weights = {}
    computed: Weights = {}
    unknown = []
    for name, lazy in weights.items():
        known = stored_as_classic(name)
        if is_computed(name):
            computed[name] = lazy
        elif known is None:
            unknown.append(name)
        else:
            classic[known] = lazy
    if unknown:
        raise UserError(
            f"{where}: {len(unknown)} tensors are not expected ({listed(unknown)}); this is no "
            "LLaVA checkpoint of transformers."
        )
    return classic, computed


def _cut_off(classic: Weights, rows: int) -> Weights:
    """The rows of vocabulary that the published layout has no place for."""
    matrices = {name: classic[name] for name in (EMBEDDINGS, HEAD) if name in classic}
    return {
        name: cut(lazy, rows, lazy.shape[0])
        for name, lazy in matrices.items()
        if lazy.shape[0] > rows
    }


def _published(classic: Weights, rows: int) -> Weights:
    """Under published names, in the order of the published model: the language model, then the
    tower and the projector, the head last."""
    named = {}
    for name, lazy in classic.items():
        is_longer = name in (EMBEDDINGS, HEAD) and lazy.shape[0] > rows
        named[published_name(name)] = cut(lazy, 0, rows) if is_longer else lazy
    return {name: named[name] for name in sorted(named, key=_place)}


def _place(name: str) -> int:
    places = (TOWER, PROJECTOR, PUBLISHED_HEAD)
    return next((at for at, start in enumerate(places, 1) if name.startswith(start)), 0)


def _tower(job: Job, ours: Ours) -> str:
    named = job.vision_tower or ours.tower or known_tower(ours.config.vision_config)
    if named is None:
        raise MissingResource(
            f"{job.source / 'config.json'} does not say which vision tower it has "
            "(palo.vision_tower), and the published layout must: name it with --vision-tower."
        )
    return named


def _content(job: Job, part: Part, published: Weights, settings: dict[str, Any]) -> Content:
    """What the part consists of, as the published trainer would write it."""
    projector = {name: lazy for name, lazy in published.items() if name.startswith(PROJECTOR)}
    if part is Part.PROJECTOR:
        base = {"_name_or_path": job.base} if job.base else {}
        texts = {"config.json": {**settings, **base, "tune_mm_mlp_adapter": True}}
        return Content(projector, {PROJECTOR_FILE: list(projector)}, texts)
    if part is Part.LORA:
        adapter = lora.read_adapter(job.source / ADAPTER)
        config, pairs = lora.for_published(adapter, job.base)
        rest = {f"{lora.PREFIX}{name}": lazy for name, lazy in projector.items()}
        texts = {"config.json": settings, lora.CONFIG: config}
        plan = {lora.WEIGHTS: list(pairs), lora.NON_LORA: list(rest)}
        return Content({**pairs, **rest}, plan, texts)
    ids = {key: settings[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    texts = {"config.json": settings, "generation_config.json": ids}
    return Content(published, None, texts)


def _again(same: Carried, part: Part, weights: Weights) -> Content | None:
    """The tensors in the very files and under the very names that the origin had.

    None where a tensor is not to be had. Whole weights are never written as .bin again.
    """
    found: Weights = {}
    for name in same.names:
        key = projector_key(name) if part is Part.PROJECTOR else name
        if key == PUBLISHED_HEAD and PUBLISHED_HEAD not in weights:
            key = PUBLISHED_EMBEDDINGS  # tied, and stored twice
        if key not in weights:
            return None
        found[name] = weights[key]
    plan = same.files if part is not Part.FULL or same.is_safe else None
    return Content(found, plan, {})


def _write(
    job: Job, fresh: Path, content: Content, metadata: dict[str, dict[str, str]] | None
) -> None:
    for name, text in content.texts.items():
        data = json.dumps(text, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        (fresh / name).write_text(data, encoding="utf-8")
    if content.plan is None:
        write_shards(fresh, content.weights, job.max_shard_bytes, job.tick)
    else:
        write_plan(fresh, content.weights, content.plan, metadata, job.tick)


def _write_tokenizer(
    job: Job, tokenizer: Any, rows: int, fresh: Path, back: Carried | None
) -> None:
    """The published one where it is at hand (its `tokenizer.model` can't be made of ours)."""
    base = find(job.base, job.source) if job.base else None
    files = (back.tokenizer_files if back else []) or (tokenizer_files(base) if base else [])
    for path in files:
        shutil.copyfile(path, fresh / path.name)
    if not files:
        save_published_tokenizer(tokenizer, rows, fresh)
