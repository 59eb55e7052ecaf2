"""Parts of a published checkpoint that lie elsewhere: the CLIP tower, the language model.

Published folders name them by a hub's id or a path. They are looked for in folders and in the
hub's cache; nothing is downloaded.
"""

from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from transformers import CLIPVisionConfig

from palo.errors import MissingResource, UserError
from train.conversion.read_weights import (
    STEMS,
    Weights,
    listed,
    read_json_object,
    read_stored,
    weights_at,
)
from train.model.layout import TOWER

_CLIP_L = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "patch_size": 14,
    "projection_dim": 768,
}
_TOWER_KEYS = (
    *_CLIP_L,
    "attention_dropout",
    "hidden_act",
    "image_size",
    "initializer_factor",
    "initializer_range",
    "layer_norm_eps",
    "num_channels",
)
# Shapes of the towers that published checkpoints name: a folder that holds the tower's weights
# converts without the tower at hand.
_KNOWN_TOWERS: dict[str, dict[str, Any]] = {
    "openai/clip-vit-large-patch14-336": {**_CLIP_L, "image_size": 336},
    "openai/clip-vit-large-patch14": {**_CLIP_L, "image_size": 224},
}


def find(name: str, beside: Path) -> Path | None:
    """The folder of a path (seen from here or from `beside`) or of a hub's id in the cache."""
    for folder in (Path(name).expanduser(), beside / name):
        if folder.is_dir():
            return folder
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def require(name: str, beside: Path, what: str, option: str) -> Path:
    """The same; raises MissingResource that says how to get it."""
    folder = find(name, beside)
    if folder is None:
        raise MissingResource(
            f"The {what} {name!r} is no folder here and not in the hub's cache: "
            f"run `hf download {name}`, or name its folder with {option}."
        )
    return folder


def known_tower(config: CLIPVisionConfig) -> str | None:
    """The published tower of that shape: PALO and LLaVA-1.5 leave theirs as OpenAI made it."""
    for name, shape in _KNOWN_TOWERS.items():
        if all(getattr(config, key) == value for key, value in shape.items()):
            return name
    return None


def tower_config(name: str, beside: Path) -> CLIPVisionConfig:
    """The shape of a tower, by its own config.json or, for a published one, as is known."""
    folder = find(name, beside)
    if folder is None and name in _KNOWN_TOWERS:
        return CLIPVisionConfig(**_KNOWN_TOWERS[name])
    folder = require(name, beside, "vision tower", "--vision-tower")
    raw = read_json_object(folder / "config.json")
    if raw.get("model_type") == "clip":
        raw = {**raw.get("vision_config", {}), "model_type": "clip_vision_model"}
    if raw.get("model_type") != "clip_vision_model":
        raise UserError(
            f"{folder / 'config.json'}: model_type is {raw.get('model_type')!r}; the vision tower "
            "must be a CLIP ('clip' or 'clip_vision_model')."
        )
    return CLIPVisionConfig(**{key: raw[key] for key in _TOWER_KEYS if key in raw})


def tower_weights(name: str, beside: Path) -> Weights:
    """A tower's tensors under published names; a whole CLIP's text side is left out."""
    folder = require(name, beside, "vision tower", "--vision-tower")
    weights = _weights(folder)
    found = {n: lazy for n, lazy in weights.items() if n.startswith("vision_model.")}
    if not found:  # as transformers 5 stores a tower alone
        found = {f"vision_model.{n}": lazy for n, lazy in weights.items()}
    return {TOWER + n: lazy for n, lazy in found.items()}


def language_weights(folder: Path) -> Weights:
    """A Llama's tensors, whose names are the published ones already."""
    config = read_json_object(folder / "config.json")
    if config.get("model_type") != "llama":
        raise UserError(
            f"{folder / 'config.json'}: model_type is {config.get('model_type')!r}; the base of a "
            "LLaVA is the language model it was trained from, a 'llama'."
        )
    return _weights(folder)


def _weights(folder: Path) -> Weights:
    path = weights_at(folder)
    if path is None:
        raise MissingResource(f"No weights in {folder}: looked for {listed(STEMS)} and indices.")
    return read_stored(path).weights


def base_of(folder: Path, named: Any, asked: str | None, what: str) -> Path:
    """The folder of the language model that a part of a checkpoint was trained on.

    `named` is what the checkpoint itself says. Raises MissingResource without either.
    """
    if asked:
        return require(asked, folder, "base", "--base")
    if not isinstance(named, str) or not named:
        raise MissingResource(
            f"{folder} holds {what} only: name the language model it was trained on with --base."
        )
    return require(named, folder, "base", "--base")
