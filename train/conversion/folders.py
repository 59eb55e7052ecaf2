"""The folders of a conversion: what is asked for, and what the new one keeps of the old one.

That lies in the new folder's subfolder `palo`:

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from palo.errors import UserError
from train.conversion.adapter import Adapter
from train.conversion.vocabulary import tokenizer_files
from train.conversion.weights import (
    INDEX,
    MAX_SHARD_BYTES,
    Files,
    Metadata,
    Stored,
    Tick,
    Weights,
    read_file,
    read_json_object,
    write_files,
)
from train.model.layout import (
    EMBEDDINGS,
    HEAD,
    PUBLISHED_EMBEDDINGS,
    PUBLISHED_HEAD,
    Layout,
    Part,
    PublishedType,
)

FOLDER = "palo"
_MANIFEST, _FILES, _TOKENIZER, _KEPT = "manifest.json", "files", "tokenizer", "kept.safetensors"
_WEIGHT_ENDS = (".safetensors", ".bin", ".bin" + INDEX, ".pt", ".pth", ".h5", ".msgpack")
_MOST_BYTES = 64_000_000  # of a small file


@dataclass(frozen=True)
class Conversion:
    """What is to be converted, where to, and what the checkpoint itself does not hold."""

    source: Path
    out: Path
    to: Layout | None = None  # None: the other one
    base: str | None = None  # language model of a projector or of adapters
    vision_tower: str | None = None
    part: Part | None = None  # None: what the source holds
    keep_adapter: bool = False
    model_type: PublishedType | None = None
    overwrite: bool = False
    max_shard_bytes: int = MAX_SHARD_BYTES
    tick: Tick = lambda _: None


@dataclass(frozen=True)
class Source:
    """The folder that is being converted, its model made whole."""

    folder: Path
    layout: Layout
    part: Part
    weights: Weights  # of the whole model, under the names of the layout
    stored: Stored  # what the folder itself holds
    tokenizer_dir: Path
    adapter: Adapter | None = None  # to be kept beside the weights
    was_merged: bool = False  # an adapter that can't be taken out again


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

    @property
    def tokenizer_files(self) -> list[Path]:
        """The tokenizer as published, `tokenizer.model` included where there was one."""
        apart = self.files_dir.with_name(_TOKENIZER)
        return tokenizer_files(apart if apart.is_dir() else self.files_dir)

    def named(self, weights: Weights, key_of: Callable[[str], str | None]) -> Weights | None:
        """The tensors under the very names that the origin stored; None where one is not to be had.

        `key_of` gives the name in `weights`, where a tied head, stored twice, is the embeddings.
        """
        names = [name for names in self.files.values() for name in names]
        tied = {PUBLISHED_HEAD: PUBLISHED_EMBEDDINGS, HEAD: EMBEDDINGS}
        keys = [key_of(name) or "" for name in names]
        keys = [key if key in weights else tied.get(key, "") for key in keys]
        if not weights.keys() >= set(keys):
            return None
        return {name: weights[key] for name, key in zip(names, keys, strict=True)}

    def restore_files(self, folder: Path) -> None:
        """Copies the small files back, over any that are there."""
        for path in sorted(self.files_dir.iterdir()):
            shutil.copyfile(path, folder / path.name)


def keep_origin(fresh: Path, config_path: Path, source: Source, rows: int, kept: Weights) -> None:
    """Writes the subfolder into the finished folder `fresh`, whose config is at `config_path`.

    Going back is to give the source; after a merge only its tokenizer.
    """
    folder, is_whole = fresh / FOLDER, not source.was_merged
    (folder / _FILES).mkdir(parents=True)
    if is_whole:
        for path in sorted(source.folder.iterdir()):
            is_small = path.is_file() and path.stat().st_size <= _MOST_BYTES
            if is_small and not path.name.endswith(_WEIGHT_ENDS):
                shutil.copyfile(path, folder / _FILES / path.name)
    if not is_whole or source.tokenizer_dir != source.folder:
        (folder / _TOKENIZER).mkdir()
        for path in tokenizer_files(source.tokenizer_dir):
            shutil.copyfile(path, folder / _TOKENIZER / path.name)
    if kept:
        write_files(folder, kept, {_KEPT: list(kept)})
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
    path = folder / FOLDER / _MANIFEST
    if not path.is_file():
        return None
    manifest = read_json_object(path)
    if manifest.get("layout") != layout:
        return None
    kept_path = folder / FOLDER / _KEPT
    kept = read_file(kept_path)[0] if kept_path.is_file() else {}
    try:
        part, rows, files = Part(manifest["part"]), int(manifest["rows"]), manifest["files"]
        if any(Path(file).name != file for file in files):  # would lie outside the folder
            raise TypeError(f"files {list(files)}")
        return Origin(
            part,
            folder / FOLDER / _FILES,
            rows,
            {file: list(names) for file, names in files.items()},
            dict(manifest["metadata"]),
            kept,
            manifest["config_sha256"] == _digest(config_path) and bool(manifest["is_whole"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path} is not as a conversion wrote it ({error!r}): delete {folder / FOLDER}; small "
            "files are then made anew."
        ) from None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
