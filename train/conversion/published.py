"""A folder in the published layout: its `config.json` both ways, and the whole model it is part of.

Field names and defaults are those of haotian-liu/LLaVA (model/llava_arch.py), mbzuai-oryx/PALO and
Meituan-AutoML/MobileVLM, which keep a Llama's fields and LLaVA's own (`mm_*`) side by side. Parts
that lie elsewhere (the CLIP tower, the language model) are named by a hub's id or a path: they are
looked for in folders and in the hub's cache; nothing is downloaded.
"""

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

from palo.errors import MissingResource, UserError
from train.conversion import adapter as lora
from train.conversion.folders import Conversion, Source
from train.conversion.weights import (
    STEMS,
    Lazy,
    Stored,
    Weights,
    listed,
    read_file,
    read_json_object,
    read_stored,
    require_weights,
    weights_at,
)
from train.model.assembly import CONFIGS, STRIDES
from train.model.checkpoint import about, projector_of
from train.model.layout import (
    ARCHITECTURES,
    LOADERS,
    PUBLISHED_EMBEDDINGS,
    PUBLISHED_PROJECTORS,
    TOWER,
    Layout,
    Part,
    PublishedType,
    projector_key,
)

PROJECTOR_FILES = ("mm_projector.safetensors", "mm_projector.bin")
_TEXT_KEYS = (
    "attention_bias", "attention_dropout", "bos_token_id", "eos_token_id", "hidden_act",
    "hidden_size", "initializer_range", "intermediate_size", "max_position_embeddings", "mlp_bias",
    "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "pad_token_id",
    "pretraining_tp", "rms_norm_eps", "tie_word_embeddings",
)  # fmt: skip
_PROJECTORS = {name: kind for kind, name in PUBLISHED_PROJECTORS.items()}
# What would make another model of the same weights; None stands for a field left out.
_ONLY = {
    "mm_vision_select_feature": ("patch", None),
    "mm_patch_merge_type": ("flat", None),
    "mm_use_im_start_end": (False, None),
    "mm_resampler_type": (None,),
    "quantization_config": (None,),
    "image_aspect_ratio": ("pad", "square", None),
}
_CLIP_L = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "patch_size": 14,
    "projection_dim": 768,
}
_TOWER_KEYS = (
    *_CLIP_L, "attention_dropout", "hidden_act", "image_size", "initializer_factor",
    "initializer_range", "layer_norm_eps", "num_channels",
)  # fmt: skip
# Shapes of the towers that published checkpoints name: a folder that holds the tower's weights
# converts without the tower at hand.
_KNOWN_TOWERS: dict[str, dict[str, Any]] = {
    "openai/clip-vit-large-patch14-336": {**_CLIP_L, "image_size": 336},
    "openai/clip-vit-large-patch14": {**_CLIP_L, "image_size": 224},
}


# `config.json`


def read_published(path: Path) -> dict[str, Any]:
    """Raises UserError for a model that is not PALO's kind, naming the field and its value."""
    raw = read_json_object(path)
    for key, allowed in _ONLY.items():
        if raw.get(key) not in allowed:
            able = " or ".join(repr(value) for value in allowed if value is not None) or "none"
            raise UserError(f"{path}: {key} is {raw[key]!r}; only {able} can be converted.")
    kind = raw.get("mm_projector_type")
    if kind not in _PROJECTORS:
        what = "is missing" if kind is None else f"is {kind!r}"
        raise UserError(
            f"{path}: mm_projector_type {what}; only {' or '.join(map(repr, _PROJECTORS))} can be "
            "converted. Check that this is a LLaVA-1.5, PALO or MobileVLM (v1) checkpoint."
        )
    layer = raw.get("mm_vision_select_layer")
    if not isinstance(layer, int):
        raise UserError(
            f"{path}: mm_vision_select_layer is {layer!r}, not a number; LLaVA-1.5 has -2."
        )
    return raw


def hf_config(
    raw: dict[str, Any], tower: Any, image_token: int, pad_token: int, rows: int
) -> LlavaConfig:
    """Ours, for `rows` rows of vocabulary."""
    text = {key: raw[key] for key in _TEXT_KEYS if key in raw}
    rope = {key: raw[key] for key in ("rope_theta", "rope_scaling") if raw.get(key) is not None}
    projector = _PROJECTORS[raw["mm_projector_type"]]
    side = tower.image_size // tower.patch_size // STRIDES[projector]
    pads = raw.get("image_aspect_ratio") == "pad"  # pictures, to a square; else they are cropped
    return CONFIGS[projector](
        vision_config=tower,
        text_config=LlamaConfig(**text, **rope, vocab_size=rows),
        image_token_index=image_token,
        image_seq_length=side * side,
        vision_feature_layer=raw["mm_vision_select_layer"],
        vision_feature_select_strategy="default",
        tie_word_embeddings=bool(raw.get("tie_word_embeddings", False)),
        pad_token_id=pad_token,
        palo=about(projector, pads, raw.get("mm_vision_tower")),
    )


def published_config(
    config: LlavaConfig, kind: PublishedType | None, tower: str, rows: int, dtype: torch.dtype
) -> dict[str, Any]:
    """What the code base `kind` expects (None: the first that knows the projector)."""
    projector = projector_of(config)
    kind = kind or LOADERS[projector][0]
    if kind not in LOADERS[projector]:
        raise UserError(
            f"--model-type {kind}: its code cannot build the projector "
            f"{PUBLISHED_PROJECTORS[projector]}. Choose of: {' '.join(LOADERS[projector])}."
        )
    text: Any = config.text_config
    vision: Any = config.vision_config
    # What transformers adds to every config says nothing of the tower.
    noise = ("transformers_version", "_name_or_path", "architectures", "dtype")
    shape = {key: value for key, value in vision.to_diff_dict().items() if key not in noise}
    # Rotary settings as before transformers 5: a base, and a scaling where there is one.
    rope = dict(text.rope_parameters)
    theta = rope.pop("rope_theta", 10_000.0)
    is_plain = rope.get("rope_type", "default") == "default"
    return {
        "architectures": [ARCHITECTURES[kind]],
        "freeze_mm_mlp_adapter": False,
        "image_aspect_ratio": config.palo["image_aspect_ratio"],
        "mm_hidden_size": vision.hidden_size,
        "mm_projector_type": PUBLISHED_PROJECTORS[projector],
        "mm_use_im_patch_token": False,
        "mm_use_im_start_end": False,
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": config.vision_feature_layer,
        "mm_vision_tower": tower,
        "model_type": str(kind),
        "palo": {"layout": str(Layout.LLAVA), "vision_config": shape},
        "rope_scaling": None if is_plain else {**rope, "type": rope["rope_type"]},
        "rope_theta": theta,
        **{key: getattr(text, key) for key in _TEXT_KEYS if hasattr(text, key)},
        "tie_word_embeddings": bool(config.tie_word_embeddings),
        "tokenizer_padding_side": "right",
        "torch_dtype": str(dtype).removeprefix("torch."),
        "tune_mm_mlp_adapter": False,
        "use_cache": True,
        "use_mm_proj": True,
        **({"vision_tower_type": "clip"} if kind == PublishedType.MOBILEVLM else {}),
        "vocab_size": rows,
    }


# The whole model


def gather(job: Conversion, part: Part, raw: dict[str, Any]) -> Source:
    """The model that a published folder holds the given part of; `raw` is its config.json.

    Raises MissingResource for what lies neither in the folder nor where it says.
    """
    folder, adapter = job.source, None
    if part is Part.FULL:
        path, tokenizer_dir = require_weights(folder), folder
        stored = read_stored(path)
        weights = _of_a_llama(stored.weights, path)
    elif part is Part.PROJECTOR:  # stage 1's, over the language model it was trained on
        tokenizer_dir = _base_of(job, raw.get("_name_or_path"), "a projector")
        file = next(folder / name for name in PROJECTOR_FILES if (folder / name).is_file())
        projector, metadata = read_file(file)
        wrong = [name for name in projector if "mm_projector." not in name]
        if wrong:
            raise UserError(f"{file}: {listed(wrong)} is not of a projector.")
        weights = _language_weights(tokenizer_dir)
        weights |= {projector_key(name): lazy for name, lazy in projector.items()}
        stored = Stored(projector, {file.name: list(projector)}, {file.name: metadata})
    else:
        adapter = lora.read_adapter(folder)
        named = adapter.config.get("base_model_name_or_path")
        tokenizer_dir = _base_of(job, named, "LoRA adapters")
        rest = lora.read_non_lora(folder)
        weights = {**_language_weights(tokenizer_dir), **rest}
        files = {**adapter.stored.files, lora.NON_LORA: [lora.PREFIX + name for name in rest]}
        stored = Stored({}, files, adapter.stored.metadata)
        if not job.keep_adapter:
            weights = lora.merge(weights, adapter, folder)
    if not any(name.startswith(TOWER) for name in weights):
        weights |= _tower_weights(job, raw, weights[PUBLISHED_EMBEDDINGS].dtype)
    kept, is_merged = (adapter, False) if job.keep_adapter else (None, adapter is not None)
    return Source(folder, Layout.LLAVA, part, weights, stored, tokenizer_dir, kept, is_merged)


def _tower_weights(job: Conversion, raw: dict[str, Any], dtype: torch.dtype) -> Weights:
    """Under published names; of a whole CLIP the text side is left out."""
    name = job.vision_tower or raw.get("mm_vision_tower")
    if name is None:
        raise MissingResource(
            f"{job.source / 'config.json'} names no mm_vision_tower, and the weights hold none: "
            "name it with --vision-tower."
        )
    folder = _require(name, job.source, "vision tower", "--vision-tower")
    weights = read_stored(require_weights(folder)).weights
    vision = {name: lazy for name, lazy in weights.items() if name.startswith("vision_model.")}
    if not vision:  # as transformers 5 stores a tower alone
        vision = {f"vision_model.{name}": lazy for name, lazy in weights.items()}
    return {TOWER + name: _cast(lazy, dtype) for name, lazy in vision.items()}


def _cast(lazy: Lazy, dtype: torch.dtype) -> Lazy:
    if not lazy.dtype.is_floating_point:
        return lazy
    return Lazy(lazy.shape, dtype, lambda: lazy.read().to(dtype))


def _language_weights(folder: Path) -> Weights:
    """A Llama's tensors, whose names are the published ones already."""
    path = folder / "config.json"
    kind = read_json_object(path).get("model_type")
    if kind != "llama":
        raise UserError(
            f"{path}: model_type is {kind!r}; the base of a "
            "LLaVA is the language model it was trained from, a 'llama'."
        )
    return _of_a_llama(read_stored(require_weights(folder)).weights, folder)


def _of_a_llama(weights: Weights, where: Path) -> Weights:
    if PUBLISHED_EMBEDDINGS not in weights:
        raise UserError(
            f"{where} has no {PUBLISHED_EMBEDDINGS}: these are no weights of a LLaVA or Llama "
            f"({listed(weights)})."
        )
    return dict(weights)


def published_part(folder: Path) -> Part:
    """How much of a model a published folder holds. Raises UserError or MissingResource."""
    has_adapter, weights = (folder / lora.CONFIG).is_file(), weights_at(folder)
    if has_adapter and weights:
        raise UserError(
            f"{folder} holds both {lora.CONFIG} and whole weights ({weights}): "
            "are the adapters merged? Move away the one that is not meant."
        )
    if has_adapter:
        return Part.LORA
    if weights:
        return Part.FULL
    if any((folder / name).is_file() for name in PROJECTOR_FILES):
        return Part.PROJECTOR
    wanted = (*STEMS, lora.CONFIG, *PROJECTOR_FILES)
    raise MissingResource(f"No weights in {folder}: looked for {listed(wanted, len(wanted))}.")


# What lies elsewhere


def find(name: str, beside: Path) -> Path | None:
    """The folder of a path (seen from here or from `beside`) or of a hub's id in the cache."""
    for folder in (Path(name).expanduser(), beside / name):
        if folder.is_dir():
            return folder
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def _require(name: str, beside: Path, what: str, option: str) -> Path:
    """The same; raises MissingResource that says how to get it."""
    folder = find(name, beside)
    if folder is None:
        raise MissingResource(
            f"The {what} {name!r} is no folder here and not in the hub's cache: "
            f"run `hf download {name}`, or name its folder with {option}."
        )
    return folder


def _base_of(job: Conversion, named: Any, what: str) -> Path:
    """The folder of the language model that a part of a checkpoint was trained on.

    `named` is what the checkpoint itself says. Raises MissingResource without either.
    """
    name = job.base or named
    if not isinstance(name, str) or not name:
        raise MissingResource(
            f"{job.source} holds {what} only: name the language model it was trained on with "
            "--base."
        )
    return _require(name, job.source, "base", "--base")


def tower_config(job: Conversion, raw: dict[str, Any]) -> CLIPVisionConfig:
    """The tower's shape: as we wrote it, by its own config.json or, for a known one, as is known.

    Raises MissingResource where nothing says which it is.
    """
    section = raw.get("palo") or {}
    if job.vision_tower is None and "vision_config" in section:
        return CLIPVisionConfig(**section["vision_config"])
    name = job.vision_tower or raw.get("mm_vision_tower")
    if name is None:
        raise MissingResource(
            f"{job.source / 'config.json'} names no mm_vision_tower: name it with --vision-tower."
        )
    if name in _KNOWN_TOWERS and find(name, job.source) is None:
        return CLIPVisionConfig(**_KNOWN_TOWERS[name])
    path = _require(name, job.source, "vision tower", "--vision-tower") / "config.json"
    vision = read_json_object(path)
    if vision.get("model_type") == "clip":
        vision = {**vision.get("vision_config", {}), "model_type": "clip_vision_model"}
    if vision.get("model_type") != "clip_vision_model":
        raise UserError(
            f"{path}: model_type is {vision.get('model_type')!r}; the vision tower "
            "must be a CLIP ('clip' or 'clip_vision_model')."
        )
    return CLIPVisionConfig(**{key: vision[key] for key in _TOWER_KEYS if key in vision})


def known_tower(config: CLIPVisionConfig) -> str | None:
    """The published tower of that shape: PALO and LLaVA-1.5 leave theirs as OpenAI made it."""
    for name, shape in _KNOWN_TOWERS.items():
        if all(getattr(config, key) == value for key, value in shape.items()):
            return name
    return None
