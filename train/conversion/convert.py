"""Converts a checkpoint between our layout and the published one, whichever it is in.

    palo convert --from llava-v1.5-7b --out data/palo/checkpoints/llava-7b
    palo convert --from data/palo/checkpoints/7b --to llava --out palo-7b

Both ways: read, rename (train/model/layout.py), pad or cut the vocabulary, write. The new folder is
written beside its place and then renamed: it is whole or not there. What the other layout has no
place for travels in its subfolder `palo`:

    palo/manifest.json    where the folder came from: layout, part, which file held which tensor
    palo/files/           its small files (config, tokenizer, ...) as they were
    palo/tokenizer/       the tokenizer of its language model, where that lay elsewhere
    palo/kept.safetensors rows of vocabulary that were cut off, tables that were left out

Going back puts them where they were, so that there and back is byte-equal. Loaders of either
layout read no subfolders. Without the subfolder a conversion makes all of it anew; small files are
also made anew once `config.json` is another than the one that the conversion wrote.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, GenerationConfig, LlavaConfig

from palo.errors import MissingResource, UserError, listed
from palo.files import replaced_folder
from train.conversion import published, tensors
from train.conversion.published import Conversion, Source
from train.conversion.tensors import INDEX, Files, Metadata, Weights, read_json_object
from train.data.images import make_processor
from train.data.template import add_image
from train.model import layout as names
from train.model.assembly import CLASSES
from train.model.checkpoint import about, projector_of, write_small_files
from train.model.layout import Layout, Naming, Part, PublishedType

_KEEP_DIR = "palo"
_MANIFEST, _FILES, _TOKENIZER, _KEPT = "manifest.json", "files", "tokenizer", "kept.safetensors"
_WEIGHT_ENDS = (".safetensors", ".bin", ".bin" + INDEX, ".pt", ".pth", ".h5", ".msgpack")
_MOST_BYTES = 64_000_000  # of a small file
PROJECTOR_FILE = "mm_projector.bin"  # the published loaders read it under no other name


def convert(job: Conversion) -> str:
    """What was made of what, in a line; one more where the published code can't load all of it.
    Raises UserError, and leaves no half-written folder."""
    source, out = job.source, job.out
    if not source.is_dir():
        raise MissingResource(f"There is no folder {source}: name the checkpoint's with --from.")
    layout, part = detect(source)
    to = job.to or next(other for other in Layout if other != layout)
    if to == layout:
        raise UserError(
            f"{source} is in the layout '{to}' already: leave --to out for the other one."
        )
    for is_idle, option, use in (  # an option that would change nothing is a mistake
        (to == Layout.HF and job.part, "--part", "says what to write with --to llava"),
        (to == Layout.HF and job.model_type, "--model-type", "goes with --to llava"),
        (to == Layout.LLAVA and job.keep_adapter, "--keep-adapter", "goes with --to hf"),
        (job.keep_adapter and part is not Part.LORA, "--keep-adapter", "is for LoRA adapters"),
        (to == Layout.HF and part is Part.FULL and job.base, "--base", "is for parts of a model"),
    ):
        if is_idle:
            raise UserError(f"{option} {use}; {source} is {part} and becomes '{to}'.")
    here, there = source.resolve(), out.resolve()
    if there == here or here in there.parents or there in here.parents:
        raise UserError(f"--out {out} is, holds or lies in --from {source}: choose another.")
    if out.exists() and not job.overwrite:
        raise UserError(f"{out} exists: choose another --out, or say --overwrite.")
    write = _write_hf if to == Layout.HF else _write_llava
    with replaced_folder(out) as fresh:
        made, count = write(job, part, fresh)
    told = f"{out}: {to} ({made}), {count} tensors, from {layout} ({part}) in {source}"
    if to == Layout.LLAVA and made is Part.FULL and not (out / "tokenizer.model").is_file():
        told += (
            "\nIt has no tokenizer.model, without which LLaVA's own code (transformers 4.31) loads "
            "no tokenizer: --base with the language model's folder copies it."
        )
    return told


@dataclass(frozen=True)
class Origin:
    """What a converted folder knows of the one it came from."""

    part: Part
    files_dir: Path
    rows: int  # of the vocabulary
    files: Files
    metadata: Metadata
    kept: Weights
    is_current: bool  # config.json is still the one that the conversion wrote

    @property
    def is_safe(self) -> bool:
        """Whole weights are never written as .bin again."""
        return all(file.endswith(".safetensors") for file in self.files)

    def named(self, weights: Weights, key_of: Callable[[str], str | None]) -> Weights | None:
        """The tensors under the very names that the origin stored; None where one is not to be had.
        `key_of` gives the name in `weights`, where a tied head, stored twice, is the embeddings."""
        stored = [name for file_names in self.files.values() for name in file_names]
        tied = {names.PUBLISHED_HEAD: names.PUBLISHED_EMBEDDINGS, names.HEAD: names.EMBEDDINGS}
        keys = [key_of(name) or "" for name in stored]
        keys = [key if key in weights else tied.get(key, "") for key in keys]
        if not weights.keys() >= set(keys):
            return None
        return {name: weights[key] for name, key in zip(stored, keys, strict=True)}


def keep_origin(fresh: Path, config_path: Path, source: Source, rows: int, kept: Weights) -> None:
    """Writes the subfolder: what going back to the source takes; after a merge its tokenizer."""
    folder, small = fresh / _KEEP_DIR, list[Path]()
    is_whole = source.part is not Part.LORA or source.adapter is not None
    if is_whole:
        files = [path for path in sorted(source.folder.iterdir()) if path.is_file()]
        files = [path for path in files if not path.name.endswith(_WEIGHT_ENDS)]
        small = [path for path in files if path.stat().st_size <= _MOST_BYTES]
    _copy(small, folder / _FILES)
    if not is_whole or source.tokenizer_dir != source.folder:
        _copy(published.tokenizer_files(source.tokenizer_dir), folder / _TOKENIZER)
    if kept:
        tensors.write_files(folder, kept, {_KEPT: list(kept)})
    manifest = {
        "layout": str(source.layout),
        "part": str(source.part),
        "rows": rows,
        "is_whole": is_whole,
        "config_sha256": _digest(config_path),
        "files": source.stored.files,
        "metadata": {file: data for file, data in source.stored.metadata.items() if data},
    }
    text = json.dumps(manifest, indent=1) + "\n"
    (folder / _MANIFEST).write_text(text, encoding="utf-8")


def read_origin(folder: Path, config_path: Path, layout: Layout) -> Origin | None:
    """What a folder keeps of the layout that it is to become; None where it keeps nothing."""
    path = folder / _KEEP_DIR / _MANIFEST
    if not path.is_file():
        return None
    manifest = read_json_object(path)
    if manifest.get("layout") != layout:
        return None
    kept_path = folder / _KEEP_DIR / _KEPT
    kept = tensors.read_file(kept_path).weights if kept_path.is_file() else {}
    try:
        part, rows, files = Part(manifest["part"]), int(manifest["rows"]), manifest["files"]
        if any(Path(file).name != file for file in files):  # would lie outside the folder
            raise TypeError(f"files {list(files)}")
        return Origin(
            part,
            folder / _KEEP_DIR / _FILES,
            rows,
            {file: list(tensors) for file, tensors in files.items()},
            dict(manifest["metadata"]),
            kept,
            manifest["config_sha256"] == _digest(config_path) and bool(manifest["is_whole"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path} is not as a conversion wrote it ({error!r}): delete {folder / _KEEP_DIR}; "
            "small files are then made anew."
        ) from None


def _copy(files: Iterable[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, folder / path.name)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def detect(folder: Path) -> tuple[Layout, Part]:
    """Raises MissingResource where something is absent, UserError for what is not PALO's kind."""
    path = (names.model_dir(folder) or folder) / "config.json"
    if not path.is_file():
        raise MissingResource(
            f"There is no {path}: a checkpoint says in its config.json what it is. "
            "Copy the whole folder."
        )
    raw = read_json_object(path)
    kind = raw.get("model_type")
    if "text_config" in raw and kind in CLASSES:
        tensors.require_weights(path.parent)
        return Layout.HF, Part.FULL if path.parent == folder else Part.LORA
    if "text_config" in raw or kind not in list(PublishedType):
        known = sorted({*CLASSES, *PublishedType})
        raise UserError(
            f"{path}: model_type is {kind!r}; what can be converted is {' '.join(known)}."
        )
    has_adapter = (folder / published.ADAPTER_CONFIG).is_file()
    if weights := tensors.weights_at(folder):
        if has_adapter:
            raise UserError(
                f"{folder} holds both {published.ADAPTER_CONFIG} and whole weights ({weights}): "
                "are the adapters merged? Move away the one that is not meant."
            )
        return Layout.LLAVA, Part.FULL
    if has_adapter:
        return Layout.LLAVA, Part.LORA
    if any((folder / name).is_file() for name in published.PROJECTOR_FILES):
        return Layout.LLAVA, Part.PROJECTOR
    wanted = (*tensors.STEMS, published.ADAPTER_CONFIG, *published.PROJECTOR_FILES)
    raise MissingResource(f"No weights in {folder}: looked for {listed(wanted, len(wanted))}.")


def _read_ours(folder: Path) -> LlavaConfig:
    """Our config, `palo` filled in. Raises UserError for what the published layout can't say."""
    path = folder / "config.json"
    raw = published.read_fields(path, "ours", "the published layout knows only {first}")
    if not isinstance(raw.get("vision_feature_layer", -2), int):
        raise UserError(
            f"{path}: vision_feature_layer is {raw['vision_feature_layer']!r}; the published "
            "layout reads one layer."
        )
    config: LlavaConfig = AutoConfig.from_pretrained(folder)
    for part, wanted in (("text_config", "llama"), ("vision_config", "clip_vision_model")):
        kind = getattr(config, part).model_type
        if kind != wanted:
            raise UserError(
                f"{path}: {part}.model_type is {kind!r}; the published layout holds {wanted!r}."
            )
    section, projector = raw.get("palo", {}), projector_of(config)
    if not isinstance(section, dict):
        raise UserError(f"{path}: palo is {section!r}, not a section of fields.")
    if section.get("projector", projector) != projector:
        raise UserError(
            f"{path}: palo.projector is {section['projector']!r}, but a {config.model_type} has "
            f"{str(projector)!r}: one of the two was edited."
        )
    pads = section.get("image_aspect_ratio", "pad") == "pad"
    config.palo = about(projector, pads, section.get("vision_tower"))
    return config


def _classic(
    weights: Weights, rename: Callable[[str], str | None], where: Path, what: str
) -> tuple[Weights, Weights]:
    """Under classic names; apart from them what every version computes for itself."""
    computed = {name: lazy for name, lazy in weights.items() if names.is_computed(name)}
    renamed = {name: rename(name) for name in weights if name not in computed}
    unknown = [name for name, classic in renamed.items() if classic is None]
    if unknown:
        raise UserError(
            f"{where}: {len(unknown)} tensors are not expected ({listed(unknown)}); this is no "
            f"{what}."
        )
    return {str(classic): weights[name] for name, classic in renamed.items()}, computed


def _complete(config: LlavaConfig, weights: Weights, where: Path) -> Weights:
    """The weights in a checkpoint's order, without a tied head. Raises UserError for a misfit."""
    with torch.device("meta"):
        model = CLASSES[config.model_type](config)
    shapes = {names.classic_name(name): tuple(t.shape) for name, t in model.state_dict().items()}
    if config.tie_word_embeddings:
        del shapes[names.HEAD]
        if names.HEAD in weights and names.EMBEDDINGS in weights:
            if not torch.equal(weights[names.HEAD].read(), weights[names.EMBEDDINGS].read()):
                raise UserError(
                    f"{where}: tie_word_embeddings is true in config.json, but the stored head is "
                    "not the embeddings: set it to false."
                )
            weights = {name: lazy for name, lazy in weights.items() if name != names.HEAD}
    missing = [name for name in shapes if name not in weights]
    left = [name for name in weights if name not in shapes]
    said = [f"{len(missing)} tensors are missing ({listed(missing)})"] if missing else []
    said += [f"{len(left)} are not expected ({listed(left)})"] if left else []
    if said:
        raise UserError(
            f"{where} and its config.json are of different models: {' and '.join(said)}. "
            "Get the whole folder, or mend config.json."
        )
    wrong = [name for name, shape in shapes.items() if weights[name].shape != shape]
    if wrong:
        first = wrong[0]
        stored, said_in_config = (
            " x ".join(map(str, shape)) for shape in (weights[first].shape, shapes[first])
        )
        raise UserError(
            f"{where}: {first} is {stored}, config.json says {said_in_config} "
            f"({len(wrong)} tensors of the wrong shape)."
        )
    return {name: weights[name] for name in shapes}


def _write_hf(job: Conversion, part: Part, fresh: Path) -> tuple[Part, int]:
    """Writes a whole model: a projector or adapters alone are put together with their language
    model, adapters merged into it or kept beside it. What was written, how many tensors."""
    config_path = job.source / "config.json"
    raw = published.read_published(config_path)
    source = published.gather(job, part, raw)
    kept = read_origin(job.source, config_path, Layout.HF)
    origin = kept if kept and kept.is_current else None
    tokenizer = published.folder_tokenizer(source.tokenizer_dir)
    image_token = add_image(tokenizer)
    embeddings = source.weights[names.PUBLISHED_EMBEDDINGS]
    rows = embeddings.shape[0]
    if raw.get("vocab_size", rows) != rows:
        raise UserError(
            f"{config_path}: vocab_size is {raw['vocab_size']}, but "
            f"{names.PUBLISHED_EMBEDDINGS} has {rows} rows: set it to that."
        )
    total = origin.rows if origin else tensors.padded_rows(rows, len(tokenizer))
    tower = published.tower_config(job, raw)
    config = published.hf_config(raw, tower, image_token, tokenizer.pad_token_id, total)
    config.dtype = embeddings.dtype
    what = "LLaVA-1.5, PALO or MobileVLM (v1) checkpoint"
    ours, computed = _classic(source.weights, names.from_published, job.source, what)
    for name in (names.EMBEDDINGS, names.HEAD):
        if name in ours:
            ours[name] = tensors.pad(ours[name], total, kept.kept.get(name) if kept else None)
    ours = _complete(config, ours, job.source)
    at = fresh if source.adapter is None else fresh / names.BASE
    at.mkdir(exist_ok=True)
    again = None
    if origin and origin.is_safe:
        tables = {name: lazy for name, lazy in origin.kept.items() if names.is_computed(name)}
        again = origin.named(
            {**ours, **tables},
            lambda name: name if name in tables else names.stored_as_classic(name),
        )
    if origin and again is not None:
        tensors.write_files(fresh, again, origin.files, origin.metadata, tick=job.tick)
        _copy(origin.files_dir.iterdir(), fresh)
    else:
        tensors.write_files(at, ours, max_bytes=job.max_shard_bytes, tick=job.tick)
        text: Any = config.text_config
        vision: Any = config.vision_config
        ids = {"bos_token_id": text.bos_token_id, "eos_token_id": text.eos_token_id}
        generation = GenerationConfig(**ids, pad_token_id=config.pad_token_id)
        processor = make_processor(vision.image_size)
        processor.do_pad = config.palo["image_aspect_ratio"] == "pad"
        write_small_files(at, config, generation, tokenizer, processor)
    if source.adapter is not None:
        (beside := fresh / names.ADAPTER).mkdir()
        settings, weights = source.adapter.renamed(Layout.HF, None)
        tensors.write_files(beside, weights, {published.ADAPTER_WEIGHTS: list(weights)})
        tensors.write_json(beside / published.ADAPTER_CONFIG, settings)
    if again is None or computed:
        own = {name: lazy for name, lazy in computed.items() if name in source.stored.weights}
        keep_origin(fresh, at / "config.json", source, rows, own)
    return (Part.LORA if source.adapter else Part.FULL), len(ours)


def _write_llava(job: Conversion, held: Part, fresh: Path) -> tuple[Part, int]:
    """Writes what the code of LLaVA, PALO and MobileVLM loads; what that is, how many tensors."""
    model_at = names.model_dir(job.source) or job.source
    config, at = _read_ours(model_at), tensors.require_weights(model_at)
    stored = tensors.read_stored(at)
    what = "LLaVA checkpoint of transformers"
    classic, computed = _classic(stored.weights, names.stored_as_classic, at, what)
    classic = _complete(config, classic, at)
    kept = read_origin(job.source, model_at / "config.json", Layout.LLAVA)
    current = kept if kept and kept.is_current else None
    part = job.part or (current.part if current else held)
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
    tokenizer = published.folder_tokenizer(model_at)
    total = classic[names.EMBEDDINGS].shape[0]
    rows = kept.rows if kept else tensors.published_rows(tokenizer, config.image_token_id, total)
    settings = published.published_config(job, config, rows, classic[names.EMBEDDINGS].dtype)
    cut_off = {  # rows that the published layout has no place for
        name: tensors.cut(classic[name], rows, total)
        for name in (names.EMBEDDINGS, names.HEAD)
        if name in classic and total > rows
    }
    short = {name: tensors.cut(classic[name], 0, rows) for name in cut_off}
    named = {
        names.other_name(name, Naming.PUBLISHED): lazy
        for name, lazy in {**classic, **short}.items()
    }
    # in the published order: the language model, the tower, the projector, the head
    places = (names.PUBLISHED_HEAD, names.PROJECTOR, names.TOWER)  # the last first
    order = sorted(named, key=lambda name: [name.startswith(start) for start in places])
    whole = {name: named[name] for name in order}
    if current and current.part is Part.FULL:
        whole |= {name: lazy for name, lazy in current.kept.items() if names.is_computed(name)}
    weights, files, texts = _parts(job, part, whole, settings)
    metadata, again = None, None
    if current and current.part is part:
        again = current.named(weights, names.projector_key if part is Part.PROJECTOR else str)
    if current and again is not None:
        files = current.files if part is not Part.FULL or current.is_safe else None
        weights, texts, metadata = again, {}, current.metadata
        _copy(current.files_dir.iterdir(), fresh)
    elif part is Part.FULL:
        _write_tokenizer(job, tokenizer, rows, fresh, kept)
    for name, fields in texts.items():
        tensors.write_json(fresh / name, fields)
    tensors.write_files(fresh, weights, files, metadata, job.max_shard_bytes, job.tick)
    is_kept = computed or not all(tensors.is_padding(classic[name], rows) for name in cut_off)
    if part is Part.FULL and (again is None or is_kept):
        source = Source(job.source, Layout.HF, Part.FULL, classic, stored, job.source)
        keep_origin(fresh, fresh / "config.json", source, total, {**computed, **cut_off})
    return part, len(weights)


def _parts(
    job: Conversion, part: Part, whole: Weights, settings: dict[str, Any]
) -> tuple[Weights, Files | None, dict[str, dict[str, Any]]]:
    """What the part consists of, as the published trainer would write it: tensors under the names
    they are stored by, the files that hold them (None: shards of limited size), and JSON files."""
    projector = {name: lazy for name, lazy in whole.items() if name.startswith(names.PROJECTOR)}
    # a folder by its name alone: its place is this machine's
    base = Path(job.base).name if job.base and Path(job.base).is_dir() else job.base
    if part is Part.PROJECTOR:
        told = {"_name_or_path": base} if base else {}
        texts = {"config.json": {**settings, **told, "tune_mm_mlp_adapter": True}}
        return projector, {PROJECTOR_FILE: list(projector)}, texts
    if part is Part.LORA:
        adapter = published.read_adapter(job.source / names.ADAPTER)
        config, pairs = adapter.renamed(Layout.LLAVA, base)
        rest = {f"{published.PEFT_PREFIX}{name}": lazy for name, lazy in projector.items()}
        files = {published.ADAPTER_WEIGHTS: list(pairs), published.NON_LORA: list(rest)}
        return {**pairs, **rest}, files, {"config.json": settings, published.ADAPTER_CONFIG: config}
    ids = {key: settings[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return whole, None, {"config.json": settings, "generation_config.json": ids}


def _write_tokenizer(
    job: Conversion, tokenizer: Any, rows: int, fresh: Path, kept: Origin | None
) -> None:
    """The published one where it is at hand (its `tokenizer.model` can't be made of ours)."""
    files: list[Path] = []
    if kept:  # as published, `tokenizer.model` included where there was one
        apart = kept.files_dir.with_name(_TOKENIZER)
        files = published.tokenizer_files(apart if apart.is_dir() else kept.files_dir)
    if not files and job.base and (base := published.find(job.base, job.source)):
        files = published.tokenizer_files(base)
    if not files:
        published.save_published_tokenizer(tokenizer, rows, fresh)
    _copy(files, fresh)
