"""The vocabulary in both layouts: ours has `<image>` and padding after the published rows.

LLaVA knows no token for the image (its code splits texts at the tag), so its rows are the
tokenizer's: 32000 for Vicuna. Ours adds the token and pads to a multiple of 64: 32064. A row added
here is the mean of the rows before it: its logit is then the mean of their logits, so no decoding
by the greatest ever picks it, and converting again gives the same bytes.
"""

import copy
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from palo.errors import MissingResource, UserError
from train.conversion.weights import Lazy
from train.model.sizes import VOCABULARY_MULTIPLE

_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a folder that make up a tokenizer."""
    return [folder / name for name in _FILES if (folder / name).is_file()]


def load_tokenizer(folder: Path) -> Any:
    """A folder's tokenizer, whatever model its config.json names."""
    files = tokenizer_files(folder)
    if not {"tokenizer.json", "tokenizer.model"} & {path.name for path in files}:
        raise MissingResource(
            f"No tokenizer in {folder}: put the language model's tokenizer files there, or name "
            "its folder with --base."
        )
    with tempfile.TemporaryDirectory() as alone:
        for path in files:
            shutil.copy(path, alone)
        try:
            tokenizer = AutoTokenizer.from_pretrained(alone)
        except (ImportError, OSError, ValueError) as error:
            reason = " ".join(str(error).replace(alone, str(folder)).split())
            raise UserError(
                f"The tokenizer in {folder} cannot be read ({reason[:200]}). A tokenizer.model "
                "needs the packages sentencepiece and protobuf."
            ) from None
    # Left by loading from a folder; they would be written into the checkpoint.
    for key in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(key, None)
    return tokenizer


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
    return Lazy((end - start, *lazy.shape[1:]), lazy.dtype, lambda: lazy.read()[start:end])


def pad(lazy: Lazy, rows: int, kept: Lazy | None = None) -> Lazy:
    """The matrix with rows added: those that were `kept` where they fit, else mean rows."""
    added = rows - lazy.shape[0]
    if added == 0:
        return lazy

    def read() -> torch.Tensor:
        matrix = lazy.read()
        if kept and (kept.shape, kept.dtype) == ((added, *lazy.shape[1:]), lazy.dtype):
            return torch.cat([matrix, kept.read()])
        return torch.cat([matrix, mean_rows(matrix, added)])

    return Lazy((rows, *lazy.shape[1:]), lazy.dtype, read)


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


def save_published_tokenizer(tokenizer: Any, rows: int, folder: Path) -> None:
    """The tokenizer without the tokens from `rows` on, `<image>` first of them."""
    published = copy.deepcopy(tokenizer)
    published.add_bos_token = True  # ours leaves it to the chat template, which theirs has not
    if hasattr(published, "legacy"):  # else transformers forgets it
        published.init_kwargs["legacy"] = published.legacy
    published.save_pretrained(folder)
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    gone = [token["content"] for token in whole["added_tokens"] if token["id"] >= rows]
    if not gone:
        return
    whole["added_tokens"] = [token for token in whole["added_tokens"] if token["id"] < rows]
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=2), encoding="utf-8")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    extra = [token for token in settings.pop("extra_special_tokens", []) if token not in gone]
    if extra:
        settings["extra_special_tokens"] = extra
    for key in ("pad_token", "image_token"):
        if settings.get(key) in gone:
            settings[key] = settings.get("unk_token") if key == "pad_token" else None
    settings.pop("processor_class", None)
    path.write_text(json.dumps(settings, ensure_ascii=False, indent=2), encoding="utf-8")
