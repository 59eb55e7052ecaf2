"""Reads weights tensor by tensor: safetensors first, else .bin files without running their pickle.

A tensor is read when it is asked for; until then only its shape and kind are known, so a
checkpoint of any size is renamed, cut or merged with one shard of it in memory.
"""

import json
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from palo.errors import MissingResource, UserError

INDEX = ".index.json"
# A folder's weights, the preferred first.
STEMS = ("model.safetensors", "pytorch_model.bin")
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "BOOL": torch.bool,
}


@dataclass(frozen=True)
class Lazy:
    """A tensor that is read when `read` is called."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], torch.Tensor]

    @property
    def num_bytes(self) -> int:
        return torch.Size(self.shape).numel() * self.dtype.itemsize


Weights = dict[str, Lazy]


@dataclass(frozen=True)
class Stored:
    """The weights of a folder, and how they lie in files."""

    weights: Weights
    files: dict[str, list[str]]  # names by file, in the files' order
    metadata: dict[str, dict[str, str]]  # what safetensors files say of themselves


def held(tensor: torch.Tensor) -> Lazy:
    """A tensor in memory among lazy ones."""
    return Lazy(tuple(tensor.shape), tensor.dtype, lambda: tensor)


def weights_at(folder: Path, stems: Iterable[str] = STEMS) -> Path | None:
    """The file or the index that holds a folder's weights."""
    candidates = [folder / f"{stem}{end}" for stem in stems for end in (INDEX, "")]
    return next((path for path in candidates if path.is_file()), None)


def read_stored(path: Path) -> Stored:
    """All tensors of a file, or of the files that an index names.

    Raises MissingResource for a missing file, UserError for one that cannot be read or that
    contradicts its index.
    """
    if not path.name.endswith(INDEX):
        weights, metadata = read_file(path)
        return Stored(weights, {path.name: list(weights)}, {path.name: metadata})
    stored = Stored({}, {}, {})
    for name, file in _weight_map(path).items():
        stored.files.setdefault(file, []).append(name)
    lost = [file for file in stored.files if not (path.parent / file).is_file()]
    if lost:
        raise MissingResource(
            f"{path} names {listed(lost)}, which {'is' if len(lost) == 1 else 'are'} not beside "
            "it: download the folder again, whole."
        )
    for file, names in stored.files.items():
        found, stored.metadata[file] = read_file(path.parent / file)
        absent = [name for name in names if name not in found]
        if absent:
            raise UserError(f"{path} says that {file} holds {listed(absent)}; it does not.")
        stored.weights.update((name, found[name]) for name in names)
    return stored


def read_file(path: Path) -> tuple[Weights, dict[str, str]]:
    """The tensors of one .safetensors or .bin file, and what the file says of itself."""
    if not path.is_file():
        raise MissingResource(f"There is no {path}.")
    return _read_safetensors(path) if path.suffix == ".safetensors" else (_read_bin(path), {})


def read_json_object(path: Path) -> dict[str, Any]:
    """Raises UserError for what is not one JSON object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} must hold one JSON object.")
    return found


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    ordered = list(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more


def _weight_map(path: Path) -> dict[str, str]:
    found = read_json_object(path).get("weight_map")
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path} has no 'weight_map' from tensors to files.")
    away = [file for file in found.values() if Path(str(file)).name != file]
    if away:
        raise UserError(f"{path} names {away[0]!r}, which is no file beside it.")
    return found


def _read_safetensors(path: Path) -> tuple[Weights, dict[str, str]]:
    try:
        file = safe_open(path, "pt")
        weights = {name: _slice(file, name, path) for name in file.keys()}  # noqa: SIM118
        return weights, dict(file.metadata() or {})
    except SafetensorError as error:
        raise _damaged(path, error) from None


def _slice(file: Any, name: str, path: Path) -> Lazy:
    part = file.get_slice(name)
    kind = part.get_dtype()
    if kind not in _DTYPES:
        raise UserError(f"{path}: {name} is of type {kind}; quantised weights are not converted.")
    return Lazy(tuple(part.get_shape()), _DTYPES[kind], lambda: file.get_tensor(name))


def _read_bin(path: Path) -> Weights:
    try:
        found = _load_bin(path)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} holds more than tensors, and running its code is refused: "
            "get the checkpoint as safetensors."
        ) from None
    except (RuntimeError, EOFError) as error:
        raise _damaged(path, error) from None
    if not isinstance(found, dict):
        raise UserError(f"{path} holds a {type(found).__name__}, not tensors by name.")
    wrong = [str(name) for name, value in found.items() if not isinstance(value, torch.Tensor)]
    if wrong:
        raise UserError(f"{path}: {listed(wrong)} is no tensor.")
    return {name: held(tensor.detach()) for name, tensor in found.items()}


def _load_bin(path: Path) -> Any:
    with path.open("rb") as file:
        is_archive = file.read(2) == b"PK"  # files of before torch 1.6 cannot be mapped
    return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)


def _damaged(path: Path, error: Exception) -> UserError:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"{path} is cut short or damaged ({first}): download it again.")
