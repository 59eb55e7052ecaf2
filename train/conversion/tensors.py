"""Weights tensor by tensor: read lazily, safetensors first; written in files of limited size.

A tensor is read when it is asked for; until then only its shape and kind are known, so a
checkpoint of any size is renamed, cut or merged with one file of it in memory. Pickles of .bin
files are never run. The cut into files is that of `huggingface_hub.save_torch_state_dict`: the same
tensors in the same order give the same bytes, whichever of the two wrote them.

The vocabulary in both layouts: ours has `<image>` and padding after the published rows. LLaVA knows
no token for the image (its code splits texts at the tag), so its rows are the tokenizer's: 32000
for Vicuna. Ours adds the token and pads to a multiple of 64: 32064. A row added here is the mean of
the rows before it: its logit is then the mean of their logits, so no decoding by the greatest ever
picks it, and converting again gives the same bytes.
"""

import json
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub import split_state_dict_into_shards_factory
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from palo.errors import MissingResource, UserError, listed
from train.model.sizes import VOCABULARY_MULTIPLE

INDEX = ".index.json"
# A folder's weights, the preferred first.
STEMS = ("model.safetensors", "pytorch_model.bin")
MAX_SHARD_BYTES = 5_000_000_000
_METADATA = {"format": "pt"}
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "BOOL": torch.bool,
}


Change = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Lazy:
    """A tensor that is read when `read` is called."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], torch.Tensor]

    def then(
        self, change: Change, rows: int | None = None, dtype: torch.dtype | None = None
    ) -> "Lazy":
        """What `change` makes of it, with so many rows and of this kind."""
        shape = self.shape if rows is None else (rows, *self.shape[1:])
        return Lazy(shape, dtype or self.dtype, lambda: change(self.read()))


Weights = dict[str, Lazy]
Files = dict[str, list[str]]  # names of tensors by file, in the files' order
Metadata = dict[str, dict[str, str]]  # what each safetensors file says of itself
Tick = Callable[[int], object]  # called with the number of tensors written


class Stored(NamedTuple):
    """The weights of a folder, and how they lie in files."""

    weights: Weights
    files: Files
    metadata: Metadata


def held(tensor: torch.Tensor) -> Lazy:
    """A tensor in memory among lazy ones."""
    return Lazy(tuple(tensor.shape), tensor.dtype, lambda: tensor)


def weights_at(folder: Path, stems: Iterable[str] = STEMS) -> Path | None:
    """The file or the index that holds a folder's weights."""
    candidates = [folder / f"{stem}{end}" for stem in stems for end in (INDEX, "")]
    return next((path for path in candidates if path.is_file()), None)


def require_weights(folder: Path) -> Path:
    """The same; raises MissingResource where there are none."""
    path = weights_at(folder)
    if path is None:
        raise MissingResource(f"No weights in {folder}: looked for {listed(STEMS)} and indices.")
    return path


def read_stored(path: Path) -> Stored:
    """All tensors of a file, or of those that an index names. Raises MissingResource, UserError."""
    if not path.name.endswith(INDEX):
        return read_file(path)
    stored = Stored({}, {}, {})
    where = read_json_object(path).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise UserError(f"{path} has no 'weight_map' from tensors to files.")
    away = [file for file in where.values() if Path(str(file)).name != file]
    if away:
        raise UserError(f"{path} names {away[0]!r}, which is no file beside it.")
    for name, file in where.items():
        stored.files.setdefault(file, []).append(name)
    lost = [file for file in stored.files if not (path.parent / file).is_file()]
    if lost:
        raise MissingResource(
            f"{path} names {listed(lost)}, which {'is' if len(lost) == 1 else 'are'} not beside "
            "it: download the folder again, whole."
        )
    for file, names in stored.files.items():
        tensors, _, metadata = read_file(path.parent / file)
        stored.metadata.update(metadata)
        absent = [name for name in names if name not in tensors]
        if absent:
            raise UserError(f"{path} says that {file} holds {listed(absent)}; it does not.")
        stored.weights.update((name, tensors[name]) for name in names)
    return stored


def read_file(path: Path) -> Stored:
    """The tensors of one .safetensors or .bin file, and what the file says of itself."""
    if not path.is_file():
        raise MissingResource(f"There is no {path}.")
    try:
        is_safe = path.suffix == ".safetensors"
        weights, metadata = _read_safetensors(path) if is_safe else (_read_bin(path), {})
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} holds more than tensors, and running its code is refused: "
            "get the checkpoint as safetensors."
        ) from None
    except (SafetensorError, RuntimeError, EOFError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is cut short or damaged ({first}): download it again.") from None
    return Stored(weights, {path.name: list(weights)}, {path.name: metadata})


def read_json_object(path: Path) -> dict[str, Any]:
    """Raises UserError for what is not one JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold one JSON object.")
    return value


def write_json(path: Path, value: Any) -> None:
    """Its keys in order, as peft and the published trainer write them."""
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8")


def _read_safetensors(path: Path) -> tuple[Weights, dict[str, str]]:
    file = safe_open(path, "pt")

    def lazy(name: str) -> Lazy:
        part = file.get_slice(name)
        kind = part.get_dtype()
        if kind not in _DTYPES:
            raise UserError(
                f"{path}: {name} is of type {kind}; quantised weights are not converted."
            )
        return Lazy(tuple(part.get_shape()), _DTYPES[kind], lambda: file.get_tensor(name))

    return {name: lazy(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118


def _read_bin(path: Path) -> Weights:
    with path.open("rb") as file:
        is_archive = file.read(2) == b"PK"  # files of before torch 1.6 cannot be mapped
    tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    if not isinstance(tensors, dict):
        raise UserError(f"{path} holds a {type(tensors).__name__}, not tensors by name.")
    wrong = [str(name) for name, value in tensors.items() if not isinstance(value, torch.Tensor)]
    if wrong:
        raise UserError(f"{path}: {listed(wrong)} is no tensor.")
    return {name: held(tensor.detach()) for name, tensor in tensors.items()}


def write_files(
    folder: Path,
    weights: Weights,
    files: Files | None = None,
    metadata: Metadata | None = None,
    max_bytes: int = MAX_SHARD_BYTES,
    tick: Tick = lambda _: None,
) -> None:
    """Every one of the files, with the tensors that it is to hold. Without `files`:
    `model.safetensors`, or numbered shards and their index, in the weights' order."""
    if files is None:
        split = split_state_dict_into_shards_factory(
            weights,
            get_storage_size=lambda lazy: torch.Size(lazy.shape).numel() * lazy.dtype.itemsize,
            filename_pattern="model{suffix}.safetensors",
            max_shard_size=max_bytes,
        )
        files = dict(split.filename_to_tensors)
        if split.is_sharded:
            where = split.tensor_to_filename
            index = {"metadata": {**split.metadata, **_METADATA}, "weight_map": where}
            text = json.dumps(index, indent=2)
            (folder / f"model.safetensors{INDEX}").write_text(text, encoding="utf-8")
    for file, names in files.items():
        tensors = {name: weights[name].read().contiguous() for name in names}
        if file.endswith(".bin"):
            # A view would be stored with all that lies around it.
            torch.save({name: tensor.clone() for name, tensor in tensors.items()}, folder / file)
        else:
            seen: set[int] = set()
            for name, tensor in tensors.items():  # safetensors refuses to store shared storage
                storage = tensor.untyped_storage().data_ptr()
                if storage in seen:
                    tensors[name] = tensor.clone()
                seen.add(storage)
            save_file(tensors, folder / file, (metadata or {}).get(file, _METADATA))
        tick(len(names))


def padded_rows(rows: int, tokens: int) -> int:
    """Rows of ours for a vocabulary of `rows` and a tokenizer of `tokens`, `<image>` included."""
    if tokens <= rows:
        return rows
    return -(-tokens // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE


def published_rows(tokenizer: Any, image_token: int, rows: int) -> int:
    """Rows that LLaVA keeps: those before `<image>`, or all where it is a token of the model."""
    return image_token if tokenizer.vocab_size <= image_token < rows else rows


def cut(lazy: Lazy, start: int, end: int) -> Lazy:
    """Rows `start` to `end` of a matrix."""
    return lazy.then(lambda matrix: matrix[start:end], end - start)


def pad(lazy: Lazy, rows: int, kept: Lazy | None = None) -> Lazy:
    """The matrix with rows added: those that were `kept` where they fit, else mean rows."""
    added = rows - lazy.shape[0]
    if added == 0:
        return lazy
    if kept and (kept.shape, kept.dtype) == ((added, *lazy.shape[1:]), lazy.dtype):
        return lazy.then(lambda matrix: torch.cat([matrix, kept.read()]), rows)
    return lazy.then(lambda matrix: torch.cat([matrix, mean_rows(matrix, added)]), rows)


def mean_rows(matrix: torch.Tensor, count: int) -> torch.Tensor:
    """`count` times the mean row, summed in double precision and in one order."""
    total = torch.zeros(matrix.shape[1], dtype=torch.float64)
    for rows in matrix.split(4096):
        total += rows.double().sum(0)
    return (total / len(matrix)).to(matrix.dtype).expand(count, -1)


def is_padding(lazy: Lazy, rows: int) -> bool:
    """Whether what lies after `rows` is what `pad` would add again."""
    matrix = lazy.read()
    return torch.equal(matrix[rows:], mean_rows(matrix[:rows], len(matrix) - rows))
