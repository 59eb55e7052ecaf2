"""`config.json` of the published layout: read and checked into ours, and written from ours.

Field names and defaults are those of haotian-liu/LLaVA (model/llava_arch.py), mbzuai-oryx/PALO and
Meituan-AutoML/MobileVLM, which keep a Llama's fields and LLaVA's own (`mm_*`) side by side.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlavaConfig

from palo.errors import UserError
from train.conversion.read_weights import read_json_object
from train.model.assembly import CONFIGS, STRIDES
from train.model.checkpoint import about
from train.model.layout import ARCHITECTURES, LOADERS, PUBLISHED_PROJECTORS, Layout, PublishedType
from train.scale import ProjectorKind

_TEXT_KEYS = (
    "attention_bias",
    "attention_dropout",
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "mlp_bias",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "pad_token_id",
    "pretraining_tp",
    "rms_norm_eps",
    "tie_word_embeddings",
)
_ROPE_KEYS = ("rope_theta", "rope_scaling")
# What would make another model of the same weights; None stands for a field left out.
_ONLY = {
    "mm_vision_select_feature": ("patch", None),
    "mm_patch_merge_type": ("flat", None),
    "mm_use_im_start_end": (False, None),
    "mm_resampler_type": (None,),
    "quantization_config": (None,),
    "image_aspect_ratio": ("pad", "square", None),
}


@dataclass(frozen=True)
class Published:
    """What a published config.json says, checked."""

    path: Path
    raw: dict[str, Any]
    projector: ProjectorKind
    feature_layer: int
    pads: bool  # pictures are padded to a square, not cropped to one
    tower: str | None


def read_published(path: Path) -> Published:
    """Raises UserError for a model that is not PALO's kind, naming the field and its value."""
    raw = read_json_object(path)
    for key, allowed in _ONLY.items():
        if raw.get(key) not in allowed:
            able = " or ".join(repr(value) for value in allowed if value is not None) or "none"
            raise UserError(f"{path}: {key} is {raw[key]!r}; only {able} can be converted.")
    kinds = {name: kind for kind, name in PUBLISHED_PROJECTORS.items()}
    named = raw.get("mm_projector_type")
    if named not in kinds:
        what = "is missing" if named is None else f"is {named!r}"
        raise UserError(
            f"{path}: mm_projector_type {what}; only {' or '.join(map(repr, kinds))} can be "
            "converted. Check that this is a LLaVA-1.5, PALO or MobileVLM (v1) checkpoint."
        )
    layer = raw.get("mm_vision_select_layer")
    if not isinstance(layer, int):
        raise UserError(
            f"{path}: mm_vision_select_layer is {layer!r}, not a number; LLaVA-1.5 has -2."
        )
    pads = raw.get("image_aspect_ratio") == "pad"
    return Published(path, raw, kinds[named], layer, pads, raw.get("mm_vision_tower"))


def hf_config(
    published: Published, vision_config: Any, image_token: int, pad_token: int, rows: int
) -> LlavaConfig:
    """Ours, for `rows` rows of vocabulary."""
    text = {key: published.raw[key] for key in _TEXT_KEYS if key in published.raw}
    rope = {key: published.raw[key] for key in _ROPE_KEYS if published.raw.get(key) is not None}
    side = vision_config.image_size // vision_config.patch_size // STRIDES[published.projector]
    return CONFIGS[published.projector](
        vision_config=vision_config,
        text_config=LlamaConfig(**text, **rope, vocab_size=rows),
        image_token_index=image_token,
        image_seq_length=side * side,
        vision_feature_layer=published.feature_layer,
        vision_feature_select_strategy="default",
        tie_word_embeddings=bool(published.raw.get("tie_word_embeddings", False)),
        pad_token_id=pad_token,
        palo=about(published.projector, published.pads, published.tower),
    )


def published_config(
    config: LlavaConfig,
    projector: ProjectorKind,
    kind: PublishedType | None,
    tower: str,
    rows: int,
    dtype: torch.dtype,
    pads: bool,
) -> dict[str, Any]:
    """What the code base `kind` expects (None: the first that knows the projector)."""
    kind = kind or LOADERS[projector][0]
    if kind not in LOADERS[projector]:
        raise UserError(
            f"--model-type {kind}: its code cannot build the projector "
            f"{PUBLISHED_PROJECTORS[projector]}. Choose of: {' '.join(LOADERS[projector])}."
        )
    text: Any = config.text_config
    vision: Any = config.vision_config
    fields = {key: getattr(text, key) for key in _TEXT_KEYS if hasattr(text, key)}
    return {
        "architectures": [ARCHITECTURES[kind]],
        "freeze_mm_mlp_adapter": False,
        "image_aspect_ratio": "pad" if pads else "square",
        "mm_hidden_size": vision.hidden_size,
        "mm_projector_type": PUBLISHED_PROJECTORS[projector],
        "mm_use_im_patch_token": False,
        "mm_use_im_start_end": False,
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": config.vision_feature_layer,
        "mm_vision_tower": tower,
        "model_type": str(kind),
        "palo": {
            "layout": str(Layout.LLAVA),
            "vision_config": plain(vision),
        },
        **_rope(text.rope_parameters),
        **fields,
        "tie_word_embeddings": bool(config.tie_word_embeddings),
        "tokenizer_padding_side": "right",
        "torch_dtype": str(dtype).removeprefix("torch."),
        "tune_mm_mlp_adapter": False,
        "use_cache": True,
        "use_mm_proj": True,
        **({"vision_tower_type": "clip"} if kind == PublishedType.MOBILEVLM else {}),
        "vocab_size": rows,
    }


def plain(config: Any) -> dict[str, Any]:
    """A part's config as JSON holds it, without what transformers adds to every config."""
    noise = ("transformers_version", "_name_or_path", "architectures", "dtype")
    return {key: value for key, value in config.to_diff_dict().items() if key not in noise}


def _rope(parameters: dict[str, Any]) -> dict[str, Any]:
    """Rotary settings as before transformers 5: a base, and a scaling where there is one."""
    kind = parameters.get("rope_type", "default")
    rest = {key: value for key, value in parameters.items() if key != "rope_theta"}
    scaling = None if kind == "default" else {**rest, "type": kind}
    return {"rope_scaling": scaling, "rope_theta": parameters.get("rope_theta", 10_000.0)}
