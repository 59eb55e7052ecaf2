"""A folder in the published layout: config, tokenizer and adapters both ways, its whole model.

Field names and defaults are those of haotian-liu/LLaVA (model/llava_arch.py), mbzuai-oryx/PALO and
Meituan-AutoML/MobileVLM, which keep a Llama's fields and LLaVA's own (`mm_*`) side by side. Parts
that lie elsewhere (the CLIP tower, the language model) are named by a hub's id or a path: they are
looked for in folders and in the hub's cache; nothing is downloaded. Beside adapters the trainer
keeps what else it trained (the projector) in `non_lora_trainables.bin` under `base_model.model.`,
the prefix that peft puts before every name.
"""

import copy
import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

from palo.errors import MissingResource, UserError, listed
from palo.files import read_yaml
from palo.hub import cached_snapshot
from palo.tokenizer import load_tokenizer
from train.conversion import tensors
from train.conversion.tensors import Lazy, Stored, Weights, read_json_object, read_stored
from train.model import layout as names
from train.model.assembly import CONFIGS, STRIDES
from train.model.checkpoint import about, projector_of
from train.model.layout import Layout, Naming, Part, PublishedType
from train.scale import ProjectorKind

PROJECTOR_FILES = ("mm_projector.safetensors", "mm_projector.bin")
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_STEMS = ("adapter_model.safetensors", "adapter_model.bin")
ADAPTER_WEIGHTS = ADAPTER_STEMS[0]
NON_LORA = "non_lora_trainables.bin"
PEFT_PREFIX = "base_model.model."
_LORA_NAME = re.compile(
    r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])(\.default)?\.weight"
)
RULES = read_yaml(__file__, "rules.yaml")
_PROJECTORS = {rule["name"]: ProjectorKind(kind) for kind, rule in RULES["projectors"].items()}


def read_fields(path: Path, kind: str, said: str) -> dict[str, Any]:
    """A JSON object. Raises UserError, which ends as `said`, for what rules.yaml does not allow."""
    raw = read_json_object(path)
    for key, allowed in RULES[kind].items():
        if raw.get(key) not in allowed:
            able = " or ".join(repr(value) for value in allowed if value is not None) or "none"
            said = said.format(key=key, able=able, first=repr(allowed[0]))
            raise UserError(f"{path}: {key} is {raw.get(key)!r}; {said}.")
    return raw


def read_published(path: Path) -> dict[str, Any]:
    """Raises UserError for a model that is not PALO's kind, naming the field and its value."""
    raw = read_fields(path, "published", "only {able} can be converted")
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
    text = {key: raw[key] for key in RULES["text_keys"] if key in raw}
    rope = {key: raw[key] for key in ("rope_theta", "rope_scaling") if raw.get(key) is not None}
    projector = _PROJECTORS[raw["mm_projector_type"]]
    side = tower.image_size // tower.patch_size // STRIDES[projector]
    make: Any = CONFIGS[projector]
    pads = raw.get("image_aspect_ratio") == "pad"  # pictures, to a square; else they are cropped
    config: LlavaConfig = make(
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
    return config


def published_config(
    job: "Conversion", config: LlavaConfig, rows: int, dtype: torch.dtype
) -> dict[str, Any]:
    """What the code base asked for expects, else the first that knows the projector."""
    projector = projector_of(config)
    rule = RULES["projectors"][projector]
    kind = job.model_type or rule["loaders"][0]
    if kind not in rule["loaders"]:
        raise UserError(
            f"--model-type {kind}: its code cannot build the projector {rule['name']}. "
            f"Choose of: {' '.join(rule['loaders'])}."
        )
    text: Any = config.text_config
    vision: Any = config.vision_config
    # PALO and LLaVA-1.5 leave their towers as OpenAI made them: known by their shape
    known = (
        name
        for name, shape in RULES["known_towers"].items()
        if all(getattr(vision, key) == value for key, value in shape.items())
    )
    tower = job.vision_tower or config.palo["vision_tower"] or next(known, None)
    if tower is None:
        raise MissingResource(
            f"{job.source / 'config.json'} does not say which vision tower it has "
            "(palo.vision_tower), and the published layout must: name it with --vision-tower."
        )
    # What transformers adds to every config says nothing of the tower.
    noise = ("transformers_version", "_name_or_path", "architectures", "dtype")
    shape = {key: value for key, value in vision.to_diff_dict().items() if key not in noise}
    # Rotary settings as before transformers 5: a base, and a scaling where there is one.
    rope = dict(text.rope_parameters)
    theta = rope.pop("rope_theta", 10_000.0)
    is_plain = rope.get("rope_type", "default") == "default"
    return {
        **RULES["constants"],
        "architectures": [RULES["architectures"][kind]],
        "image_aspect_ratio": config.palo["image_aspect_ratio"],
        "mm_hidden_size": vision.hidden_size,
        "mm_projector_type": rule["name"],
        "mm_vision_select_layer": config.vision_feature_layer,
        "mm_vision_tower": tower,
        "model_type": str(kind),
        "palo": {"layout": str(Layout.LLAVA), "vision_config": shape},
        "rope_scaling": None if is_plain else {**rope, "type": rope["rope_type"]},
        "rope_theta": theta,
        **{key: getattr(text, key) for key in RULES["text_keys"] if hasattr(text, key)},
        "tie_word_embeddings": bool(config.tie_word_embeddings),
        "torch_dtype": str(dtype).removeprefix("torch."),
        **({"vision_tower_type": "clip"} if kind == PublishedType.MOBILEVLM else {}),
        "vocab_size": rows,
    }


@dataclass(frozen=True)
class Adapter:
    """Pairs of small matrices by the module that they change, as its layout names it."""

    config: dict[str, Any]
    stored: Stored
    pairs: dict[str, tuple[Lazy, Lazy]]  # module -> A, B

    def renamed(self, to: Layout, base: str | None) -> tuple[dict[str, Any], Weights]:
        """Config and matrices for the other layout: ours as peft and vLLM load them for the model
        in memory, the published one with its `base` language model."""
        layers = sorted({module.rsplit(".", 1)[-1] for module in self.pairs})  # `q_proj`
        targets: Any = layers
        rename, naming = names.stored_as_classic, Naming.PUBLISHED
        if to is Layout.HF:
            rename, naming = names.from_published, Naming.MEMORY
            # plain names would match the vision tower's layers too
            base, targets = None, rf"model\.language_model\..*\.({'|'.join(layers)})"
        weights: Weights = {}
        for module, pair in self.pairs.items():
            classic = rename(f"{module}.weight") or ""
            if to is Layout.HF and not classic.startswith("language_model."):
                raise UserError(f"The adapter changes {module}, no part of the language model.")
            if not classic:
                raise UserError(f"The adapter changes {module}, which LLaVA does not have.")
            renamed = names.other_name(classic, naming).removesuffix(".weight")
            for side, lazy in zip("AB", pair, strict=True):
                weights[f"{PEFT_PREFIX}{renamed}.lora_{side}.weight"] = lazy
        settings = {"base_model_name_or_path": base, "target_modules": targets}
        return {**self.config, **settings}, weights


def read_adapter(folder: Path) -> Adapter:
    """Raises UserError for an adapter that is no plain LoRA, naming the field and its value."""
    path = folder / ADAPTER_CONFIG
    config = read_fields(path, "lora", "only plain LoRA ({key} {first}) can be converted")
    at = tensors.weights_at(folder, ADAPTER_STEMS)
    if at is None:
        raise UserError(
            f"{folder} has {ADAPTER_CONFIG} but no {listed(ADAPTER_STEMS)}: get the adapter whole."
        )
    stored = read_stored(at)
    sides: dict[str, dict[str, Lazy]] = {}
    for name, lazy in stored.weights.items():
        match = _LORA_NAME.fullmatch(name)
        if match is None:
            raise UserError(f"{at}: {name} is no LoRA matrix that can be converted.")
        sides.setdefault(match["module"], {})[match["side"]] = lazy
    alone = [module for module, pair in sides.items() if len(pair) != 2]
    if alone:
        raise UserError(f"{at} has only one of the two LoRA matrices of {listed(alone)}.")
    pairs = {module: (pair["A"], pair["B"]) for module, pair in sides.items()}
    for module, (down, up) in pairs.items():
        if not (down.shape[0] == up.shape[1] == config.get("r")):
            raise UserError(
                f"{path}: r is {config.get('r')!r}, but {module} in {at.name} has rank "
                f"{down.shape[0]}."
            )
    return Adapter(config, stored, pairs)


def merge(weights: Weights, adapter: Adapter, where: Path) -> Weights:
    """The weights with every pair's product added, as peft adds it: in single precision."""
    lost = [module for module in adapter.pairs if f"{module}.weight" not in weights]
    if lost:
        raise UserError(f"{where}: the base has no {listed(lost)}; is it the right --base?")
    rank = adapter.config["r"]
    divisor = rank**0.5 if adapter.config.get("use_rslora") else rank
    scaling = float(adapter.config["lora_alpha"] / divisor)
    merged = dict(weights)
    for module, (down, up) in adapter.pairs.items():
        name = f"{module}.weight"
        if (up.shape[0], down.shape[1]) != weights[name].shape:
            raise UserError(
                f"{where}: the adapter of {module} is for {up.shape[0]} x {down.shape[1]}, the "
                f"base's weight is {' x '.join(map(str, weights[name].shape))}: another --base?"
            )

        def add(weight: torch.Tensor, down: Lazy = down, up: Lazy = up) -> torch.Tensor:
            return weight.clone().add_((up.read().float() @ down.read().float()) * scaling)

        merged[name] = weights[name].then(add)
    return merged


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
    max_shard_bytes: int = tensors.MAX_SHARD_BYTES
    tick: tensors.Tick = lambda _: None


@dataclass(frozen=True)
class Source:
    """The folder that is being converted, its model made whole."""

    folder: Path
    layout: Layout
    part: Part
    weights: Weights  # of the whole model, under the names of the layout
    stored: Stored  # what the folder itself holds
    tokenizer_dir: Path
    adapter: Adapter | None = None  # to be kept beside the weights, not merged into them


def gather(job: Conversion, part: Part, raw: dict[str, Any]) -> Source:
    """The model that a published folder holds the given part of. Raises MissingResource."""
    folder, adapter = job.source, None
    if part is Part.FULL:
        path, tokenizer_dir = tensors.require_weights(folder), folder
        stored = read_stored(path)
        weights = _of_a_llama(stored.weights, path)
    elif part is Part.PROJECTOR:  # stage 1's, over the language model it was trained on
        tokenizer_dir = _base_of(job, raw.get("_name_or_path"), "a projector")
        file = next(folder / name for name in PROJECTOR_FILES if (folder / name).is_file())
        stored = tensors.read_file(file)
        wrong = [name for name in stored.weights if "mm_projector." not in name]
        if wrong:
            raise UserError(f"{file}: {listed(wrong)} is not of a projector.")
        weights = _language_weights(tokenizer_dir)
        weights |= {names.projector_key(name): lazy for name, lazy in stored.weights.items()}
    else:
        adapter = read_adapter(folder)
        named = adapter.config.get("base_model_name_or_path")
        tokenizer_dir = _base_of(job, named, "LoRA adapters")
        # the projector, and whatever else was trained besides the adapters
        trained = tensors.read_file(folder / NON_LORA).weights
        rest = {name.removeprefix("base_model."): lazy for name, lazy in trained.items()}
        if any(name.startswith("model.model.") for name in rest):
            rest = {name.removeprefix("model."): lazy for name, lazy in rest.items()}
        weights = {**_language_weights(tokenizer_dir), **rest}
        files = {**adapter.stored.files, NON_LORA: [PEFT_PREFIX + name for name in rest]}
        stored = Stored({}, files, adapter.stored.metadata)
        if not job.keep_adapter:
            weights, adapter = merge(weights, adapter, folder), None
    if not any(name.startswith(names.TOWER) for name in weights):
        weights |= _tower_weights(job, raw, weights[names.PUBLISHED_EMBEDDINGS].dtype)
    return Source(folder, Layout.LLAVA, part, weights, stored, tokenizer_dir, adapter)


def _tower_name(job: Conversion, raw: dict[str, Any], more: str = "") -> str:
    name = job.vision_tower or raw.get("mm_vision_tower")
    if name is None:
        raise MissingResource(
            f"{job.source / 'config.json'} names no mm_vision_tower{more}: "
            "name it with --vision-tower."
        )
    return str(name)


def _tower_weights(job: Conversion, raw: dict[str, Any], dtype: torch.dtype) -> Weights:
    """Under published names; of a whole CLIP the text side is left out."""
    name = _tower_name(job, raw, ", and the weights hold none")
    folder = _require(name, job.source, "vision tower")
    weights = read_stored(tensors.require_weights(folder)).weights
    vision = {name: lazy for name, lazy in weights.items() if name.startswith("vision_model.")}
    if not vision:  # as transformers 5 stores a tower alone
        vision = {f"vision_model.{name}": lazy for name, lazy in weights.items()}
    return {
        names.TOWER + name: lazy.then(lambda tensor: tensor.to(dtype), dtype=dtype)
        if lazy.dtype.is_floating_point
        else lazy
        for name, lazy in vision.items()
    }


def _language_weights(folder: Path) -> Weights:
    """A Llama's tensors, whose names are the published ones already."""
    path = folder / "config.json"
    kind = read_json_object(path).get("model_type")
    if kind != "llama":
        raise UserError(
            f"{path}: model_type is {kind!r}; the base of a "
            "LLaVA is the language model it was trained from, a 'llama'."
        )
    return _of_a_llama(read_stored(tensors.require_weights(folder)).weights, folder)


def _of_a_llama(weights: Weights, where: Path) -> Weights:
    if names.PUBLISHED_EMBEDDINGS not in weights:
        raise UserError(
            f"{where} has no {names.PUBLISHED_EMBEDDINGS}: these are no weights of a LLaVA or "
            f"Llama ({listed(weights)})."
        )
    return dict(weights)


def find(name: str, beside: Path) -> Path | None:
    """The folder of a path (seen from here or from `beside`) or of a hub's id in the cache."""
    for folder in (Path(name).expanduser(), beside / name):
        if folder.is_dir():
            return folder
    return cached_snapshot(name)


def _require(name: str, beside: Path, what: str) -> Path:
    """The same; raises MissingResource that says how to get it."""
    if folder := find(name, beside):
        return folder
    raise MissingResource(
        f"The {what} {name!r} is no folder here and not in the hub's cache: run "
        f"`hf download {name}`, or name its folder with --{what.replace(' ', '-')}."
    )


def _base_of(job: Conversion, named: Any, what: str) -> Path:
    """The folder of the language model that a part was trained on: --base, or as it says."""
    name = job.base or named
    if not isinstance(name, str) or not name:
        raise MissingResource(
            f"{job.source} holds {what} only: name the language model it was trained on with "
            "--base."
        )
    return _require(name, job.source, "base")


def tower_config(job: Conversion, raw: dict[str, Any]) -> CLIPVisionConfig:
    """The tower's shape: as we wrote it, as it is known, or by its own config.json."""
    section = raw.get("palo") or {}
    if job.vision_tower is None and "vision_config" in section:
        return CLIPVisionConfig(**section["vision_config"])
    name = _tower_name(job, raw)
    if name in RULES["known_towers"] and find(name, job.source) is None:
        return CLIPVisionConfig(**RULES["known_towers"][name])
    path = _require(name, job.source, "vision tower") / "config.json"
    vision = read_json_object(path)
    if vision.get("model_type") == "clip":
        vision = {**vision.get("vision_config", {}), "model_type": "clip_vision_model"}
    if vision.get("model_type") != "clip_vision_model":
        raise UserError(
            f"{path}: model_type is {vision.get('model_type')!r}; the vision tower "
            "must be a CLIP ('clip' or 'clip_vision_model')."
        )
    return CLIPVisionConfig(**{key: vision[key] for key in RULES["tower_keys"] if key in vision})


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a folder that make up a tokenizer."""
    return [folder / name for name in RULES["tokenizer_files"] if (folder / name).is_file()]


def folder_tokenizer(folder: Path) -> Any:
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
            tokenizer = load_tokenizer(alone, config_dir=folder)
        except (ImportError, OSError, ValueError) as error:
            reason = " ".join(str(error).replace(alone, str(folder)).split())
            raise UserError(
                f"The tokenizer in {folder} cannot be read ({reason[:200]}). A tokenizer.model "
                "needs the packages sentencepiece and protobuf."
            ) from None
    return tokenizer


def save_published_tokenizer(tokenizer: Any, rows: int, folder: Path) -> None:
    """The tokenizer without the tokens from `rows` on, `<image>` first of them."""
    published = copy.deepcopy(tokenizer)
    published.add_bos_token = True  # ours leaves it to the chat template, which theirs has not
    if hasattr(published, "legacy"):  # else transformers forgets it
        published.init_kwargs["legacy"] = published.legacy
    published.save_pretrained(folder)
    path, settings_path = folder / "tokenizer.json", folder / "tokenizer_config.json"
    whole, settings = read_json_object(path), read_json_object(settings_path)
    gone = [token["content"] for token in whole["added_tokens"] if token["id"] >= rows]
    if "legacy" in published.init_kwargs:  # ours is written as a generic one
        settings["tokenizer_class"] = "LlamaTokenizer"
    elif not gone:
        return
    if gone:
        whole["added_tokens"] = [token for token in whole["added_tokens"] if token["id"] < rows]
        path.write_text(json.dumps(whole, ensure_ascii=False, indent=2), encoding="utf-8")
        extra = [token for token in settings.pop("extra_special_tokens", []) if token not in gone]
        if extra:
            settings["extra_special_tokens"] = extra
        for key in ("pad_token", "image_token"):
            if settings.get(key) in gone:
                settings[key] = settings.get("unk_token") if key == "pad_token" else None
        settings.pop("processor_class", None)
    settings_path.write_text(json.dumps(settings, ensure_ascii=False, indent=2), encoding="utf-8")
