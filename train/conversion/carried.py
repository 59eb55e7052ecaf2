"""What the other layout has no place for travels in a converted folder's subfolder `palo`.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.errors import UserError
from train.conversion.read_weights import INDEX, Stored, Weights, read_file, read_json_object
from train.conversion.vocabulary import tokenizer_files
from train.conversion.write_weights import Plan, write_plan
from train.model.layout import Layout, Part

FOLDER = "palo"
_MANIFEST, _FILES, _TOKENIZER, _KEPT = "manifest.json", "files", "tokenizer", "kept.safetensors"
_WEIGHT_ENDS = (".safetensors", ".bin", ".bin" + INDEX, ".pt", ".pth", ".h5", ".msgpack")
_MOST_BYTES = 64_000_000  # of a small file


@dataclass(frozen=True)
class Carried:
    """What a converted folder knows of the one it came from."""

    part: Part
    files_dir: Path
    rows: int  # of the vocabulary
    files: Plan  # which file held which tensors
    metadata: dict[str, dict[str, str]]
    kept: Weights
    is_current: bool  # config.json is still the one that the conversion wrote

    @property
    def names(self) -> list[str]:
        return [name for names in self.files.values() for name in names]

    @property
    def is_safe(self) -> bool:
        """Whole weights are never written as .bin again."""
        return all(file.endswith(".safetensors") for file in self.files)

    @property
    def tokenizer_files(self) -> list[Path]:
        """The tokenizer as published, `tokenizer.model` included where there was one."""
        apart = self.files_dir.with_name(_TOKENIZER)
        folder = apart if apart.is_dir() else self.files_dir
        return tokenizer_files(folder)


@dataclass(frozen=True)
class Origin:
    """The folder that is being converted."""

    folder: Path
    tokenizer_dir: Path
    layout: Layout
    part: Part
    rows: int
    stored: Stored


def carry(fresh: Path, config_path: Path, origin: Origin, kept: Weights, whole: bool) -> None:
    """Writes the subfolder into the finished folder `fresh`, whose config is at `config_path`.

    `whole`: going back is to give the origin; else (adapters that were merged in can't be taken
    out again) only its tokenizer.
    """
    folder = fresh / FOLDER
    (folder / _FILES).mkdir(parents=True)
    if whole:
        for path in sorted(origin.folder.iterdir()):
            is_small = path.is_file() and path.stat().st_size <= _MOST_BYTES
            if is_small and not path.name.endswith(_WEIGHT_ENDS):
                shutil.copyfile(path, folder / _FILES / path.name)
    if not whole or origin.tokenizer_dir != origin.folder:
        (folder / _TOKENIZER).mkdir()
        for path in tokenizer_files(origin.tokenizer_dir):
            shutil.copyfile(path, folder / _TOKENIZER / path.name)
    if kept:
        write_plan(folder, kept, {_KEPT: list(kept)})
    manifest = {
        "layout": str(origin.layout),
        "part": str(origin.part),
        "rows": origin.rows,
        "is_whole": whole,
        "config_sha256": _digest(config_path),
        "files": origin.stored.files,
        "metadata": {file: data for file, data in origin.stored.metadata.items() if data},
    }
    text = json.dumps(manifest, indent=1) + "\n"
    (folder / _MANIFEST).write_text(text, encoding="utf-8")


def carried(folder: Path, config_path: Path, layout: Layout) -> Carried | None:
    """What a folder carries of the layout that it is to become; None where it carries none."""
    path = folder / FOLDER / _MANIFEST
    if not path.is_file():
        return None
    manifest: dict[str, Any] = read_json_object(path)
    if manifest.get("layout") != layout:
        return None
    at = folder / FOLDER / _KEPT
    kept = read_file(at)[0] if at.is_file() else {}
    try:
        return Carried(
            Part(manifest["part"]),
            folder / FOLDER / _FILES,
            int(manifest["rows"]),
            _plan(manifest["files"]),
            dict(manifest["metadata"]),
            kept,
            manifest["config_sha256"] == _digest(config_path) and bool(manifest["is_whole"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path} is not as a conversion wrote it ({error!r}): delete {folder / FOLDER}; small "
            "files are then made anew."
        ) from None


def _plan(files: dict[str, list[str]]) -> Plan:
    """Raises TypeError for a file that would not lie in the folder itself."""
    if any(Path(file).name != file for file in files):
        raise TypeError(f"files {list(files)}")
    return {file: list(names) for file, names in files.items()}


def restore_files(found: Carried, folder: Path) -> None:
    """Copies the small files back, over any that are there."""
    for path in sorted(found.files_dir.iterdir()):
        shutil.copyfile(path, folder / path.name)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
