"""What a folder holds, by what its config.json says and which weights lie in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig, LlavaConfig

from palo.errors import MissingResource, UserError
from train.conversion import adapter
from train.conversion.read_weights import STEMS, listed, read_json_object, weights_at
from train.model.assembly import CLASSES
from train.model.checkpoint import projector_of
from train.model.layout import ADAPTER, BASE, Layout, Part, PublishedType
from train.scale import ProjectorKind

PROJECTOR_FILES = ("mm_projector.safetensors", "mm_projector.bin")
# What the published layout cannot say of stock LLaVA; None stands for a field left out.
_ONLY = {
    "vision_feature_select_strategy": ("default", None),
    "projector_hidden_act": ("gelu", None),
    "multimodal_projector_bias": (True, None),
    "quantization_config": (None,),
}


@dataclass(frozen=True)
class Ours:
    """What our config.json says, checked."""

    config: LlavaConfig
    projector: ProjectorKind
    pads: bool
    tower: str | None  # a hub's id


def detect(folder: Path) -> tuple[Layout, Part]:
    """Raises MissingResource where something is absent, UserError for what is not PALO's kind."""
    path = model_dir(folder) / "config.json"
    if not path.is_file():
        raise MissingResource(
            f"There is no {path}: a checkpoint says in its config.json what it is. "
            "Copy the whole folder."
        )
    raw = read_json_object(path)
    kind = raw.get("model_type")
    if "text_config" in raw and kind in CLASSES:
        _require_weights(path.parent)
        return Layout.HF, Part.FULL if path.parent == folder else Part.LORA
    if "text_config" in raw or kind not in list(PublishedType):
        known = sorted({*CLASSES, *PublishedType})
        raise UserError(
            f"{path}: model_type is {kind!r}; what can be converted is {' '.join(known)}."
        )
    return Layout.LLAVA, _published_part(folder)


def model_dir(folder: Path) -> Path:
    """Where the whole model lies: the folder, or one of its two parts (train/model/export.py)."""
    if (folder / "config.json").is_file():
        return folder
    has_both = (folder / BASE / "config.json").is_file() and (
        folder / ADAPTER / adapter.CONFIG
    ).is_file()
    return folder / BASE if has_both else folder


def read_ours(folder: Path) -> Ours:
    """Raises UserError for what the published layout has no words for."""
    path = folder / "config.json"
    raw = read_json_object(path)
    for key, allowed in _ONLY.items():
        if raw.get(key) not in allowed:
            raise UserError(
                f"{path}: {key} is {raw[key]!r}; the published layout knows only {allowed[0]!r}."
            )
    if not isinstance(raw.get("vision_feature_layer", -2), int):
        raise UserError(
            f"{path}: vision_feature_layer is {raw['vision_feature_layer']!r}; the published "
            "layout reads one layer."
        )
    config = AutoConfig.from_pretrained(folder)
    for part, wanted in (("text_config", "llama"), ("vision_config", "clip_vision_model")):
        found = getattr(config, part).model_type
        if found != wanted:
            raise UserError(
                f"{path}: {part}.model_type is {found!r}; the published layout holds {wanted!r}."
            )
    section, projector = _section(raw, path), projector_of(config)
    if section.get("projector", projector) != projector:
        raise UserError(
            f"{path}: palo.projector is {section['projector']!r}, but a {config.model_type} has "
            f"{str(projector)!r}: one of the two was edited."
        )
    pads = section.get("image_aspect_ratio", "pad") == "pad"
    return Ours(config, projector, pads, section.get("vision_tower"))


def _section(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    section = raw.get("palo", {})
    if not isinstance(section, dict):
        raise UserError(f"{path}: palo is {section!r}, not a section of fields.")
    return section


def _published_part(folder: Path) -> Part:
    has_adapter, has_weights = (folder / adapter.CONFIG).is_file(), weights_at(folder) is not None
    if has_adapter and has_weights:
        raise UserError(
            f"{folder} holds both {adapter.CONFIG} and whole weights ({weights_at(folder)}): "
            "are the adapters merged? Move away the one that is not meant."
        )
    if has_adapter:
        return Part.LORA
    if has_weights:
        return Part.FULL
    if any((folder / name).is_file() for name in PROJECTOR_FILES):
        return Part.PROJECTOR
    wanted = (*STEMS, adapter.CONFIG, *PROJECTOR_FILES)
    raise MissingResource(f"No weights in {folder}: looked for {listed(wanted, len(wanted))}.")


def _require_weights(folder: Path) -> None:
    if weights_at(folder) is None:
        raise MissingResource(f"No weights in {folder}: looked for {listed(STEMS)} and indices.")
