"""Checkpoints are Hugging Face checkpoints, written whole or not at all.

Weights carry the classic names (`language_model.model.*`, `vision_tower.vision_model.*`,
`multi_modal_projector.*`), which stock transformers and vLLM both read.

A trained LoRA scale may be written in two parts: `base`, a whole checkpoint with the trained
projector and the language model as it came, and `adapter`, a PEFT adapter of the language model
alone. Servers that hold one base for several adapters (vLLM does) refuse adapters that carry whole
modules, so the projector cannot be in the adapter. The adapter's names are those of the whole
model in transformers 5: `PeftModel.from_pretrained(model, folder/adapter)` takes them as they
are, and vLLM renames them as it does the weights.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, LlavaForConditionalGeneration, LlavaProcessor

from palo.engines.stream import avoid_cudnn_attention, own_generation, plain_generation
from palo.errors import MissingResource, UserError
from palo.files import replaced_folder, write_digests
from palo.hub import ADAPTER_FILE
from palo.tokenizer import as_written, for_transformers_4, load_tokenizer
from train.data.images import make_processor, normalised
from train.data.steps import Item, Packer
from train.data.template import SYSTEM, Template
from train.model.assembly import CLASSES, CONFIGS
from train.model.layout import ADAPTER, BASE, Layout, classic_name, model_dir
from train.scale import ProjectorKind

if TYPE_CHECKING:
    from peft import PeftModel

_METADATA = {"format": "pt"}
_PEFT = "base_model.model."  # what PEFT puts before every name
_LANGUAGE_MODEL = "model.language_model."
# vicuna_v1 for those who load the checkpoint elsewhere.
_TEMPLATE_PATH = Path(__file__).with_name("chat_template.j2")
CHAT_TEMPLATE = _TEMPLATE_PATH.read_text(encoding="utf-8").replace("{{ system }}", SYSTEM)


def save_checkpoint(
    folder: Path,
    model: LlavaForConditionalGeneration,
    tokenizer: Any,
    image_processor: Any,
    files: dict[str, str] | None = None,
    adapted: "PeftModel | None" = None,
) -> None:
    """Writes the whole checkpoint, or nothing of it; the weights stay as they are. They are read
    back from the disk and compared; sizes and digests of their files stay beside them.

    `files` are further texts by name, such as the trainer's log. `adapted` is what
    `get_peft_model(model.model.language_model, ...)` returned, not yet merged: written are base and
    adapter then, and `files` go into the base. Raises UserError where writing fails.
    """
    try:
        with replaced_folder(folder) as fresh:
            at = fresh
            if adapted is not None:
                _save_adapter(fresh / ADAPTER, adapted)
                model, at = _without_adapter(model), fresh / BASE
                at.mkdir()
            config: Any = model.config
            weights = {
                classic_name(name): tensor.detach().contiguous().cpu()
                for name, tensor in model.state_dict().items()
                # a head tied to the embeddings is not stored twice
                if not (config.tie_word_embeddings and name == "lm_head.weight")
            }
            save_torch_state_dict(weights, at, max_shard_size="5GB", metadata=_METADATA)
            _keep_digests(at, weights)
            if not hasattr(config, "palo"):
                tower = getattr(model.model.vision_tower.config, "_name_or_path", "")
                is_local = not tower or Path(tower).exists()  # means nothing on another machine
                config.palo = about(projector_of(config), True, None if is_local else tower)
            generation = plain_generation(model.generation_config.to_dict())
            write_small_files(at, config, generation, tokenizer, image_processor)
            for name, text in (files or {}).items():
                (at / name).write_text(text, encoding="utf-8")
    except UserError:
        raise
    except (OSError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{folder} could not be written: {reason} What was trained is kept; mend this and run "
            "the same command again: it goes on from there."
        ) from error


def write_small_files(
    folder: Path, config: Any, generation: Any, tokenizer: Any, image_processor: Any
) -> None:
    """All of a checkpoint but its weights; the processor is stock LLaVA's."""
    config.architectures = [CLASSES[config.model_type].__name__]
    config.save_pretrained(folder)
    generation.save_pretrained(folder)
    side = math.isqrt(config.image_seq_length)
    LlavaProcessor(
        image_processor=image_processor,
        tokenizer=as_written(tokenizer),
        # a larger one than the tower's makes it count the LDP's fewer tokens
        patch_size=image_processor.crop_size["height"] // side,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(folder)
    for_transformers_4(folder)


def about(projector: ProjectorKind, pads: bool, tower: str | None) -> dict[str, Any]:
    """The `palo` section of config.json; `pads`: pictures, to a square; `tower`: a hub's id."""
    return {
        "layout": str(Layout.HF),
        "projector": str(projector),
        "image_aspect_ratio": "pad" if pads else "square",
        "template": "vicuna_v1",
        "vision_tower": tower,
    }


def projector_of(config: Any) -> ProjectorKind:
    """Which projector a config of ours, or of stock LLaVA, has."""
    return next(kind for kind, made in CONFIGS.items() if made.model_type == config.model_type)


def load_checkpoint(
    folder: Path, dtype: torch.dtype = torch.float32
) -> tuple[LlavaForConditionalGeneration, Any]:
    """Model and tokenizer of a checkpoint, by the class that its config names.

    Base and adapter are merged, each weight in the dtype it is stored in: that gives the very
    weights of merging at the end of training; with another dtype they would be rounded elsewhere.
    """
    at = model_dir(folder)
    if at is None:
        raise MissingResource(
            f"No checkpoint in {folder}. Train it first: palo train --scale {folder.name}"
        )
    model = CLASSES[AutoConfig.from_pretrained(at).model_type].from_pretrained(
        at,
        dtype=dtype if at == folder else torch.float32,
        generation_config=own_generation(str(at), None),
    )
    if at != folder:
        from peft import PeftModel

        # Frozen weights may be stored in bfloat16 beside a projector in full precision.
        stored: dict[str, torch.Tensor] = {}  # mapped, not read
        for path in at.glob("*.safetensors"):
            stored |= load_file(path)
        for name, parameter in model.named_parameters():
            parameter.data = parameter.data.to(stored[classic_name(name)].dtype)
        model = PeftModel.from_pretrained(model, folder / ADAPTER).merge_and_unload()
    return model, load_tokenizer(str(at))


def _without_adapter(model: LlavaForConditionalGeneration) -> LlavaForConditionalGeneration:
    """The model as it would be had no adapter been put on it; shares its tensors."""
    weights = {}
    for name, held in model.state_dict().items():
        if ".lora_" not in name:
            whole_name = name.replace(f"{_LANGUAGE_MODEL}{_PEFT}", _LANGUAGE_MODEL)
            weights[whole_name.replace(".base_layer.", ".")] = held
    with torch.device("meta"):
        plain = type(model)(copy.deepcopy(model.config))
    plain.load_state_dict(weights, assign=True)  # strict: an adapter of another kind fails here
    plain.generation_config = model.generation_config
    return plain


def _save_adapter(folder: Path, adapted: "PeftModel") -> None:
    from peft import get_peft_model_state_dict

    config: Any = copy.copy(adapted.peft_config[adapted.active_adapter])
    assert not config.modules_to_save, "whole modules belong into the base"
    assert not isinstance(config.target_modules, str), "targets are names of layers"
    # As bare names they would match the vision tower's layers too.
    names = "|".join(sorted(config.target_modules))
    config.target_modules = rf"model\.language_model\..*\.({names})"
    config.base_model_name_or_path = None  # the folder beside it, wherever both are moved
    config.inference_mode = True
    folder.mkdir()
    config.save_pretrained(folder)
    weights = {
        f"{_PEFT}{_LANGUAGE_MODEL}{name.removeprefix(_PEFT)}": held.detach().contiguous().cpu()
        for name, held in get_peft_model_state_dict(adapted, save_embedding_layers=False).items()
    }
    save_file(weights, folder / ADAPTER_FILE, metadata=_METADATA)
    _keep_digests(folder, weights)


def _keep_digests(folder: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Raises OSError where the disk gives other weights back than were written."""
    paths = list(folder.glob("*.safetensors"))
    write_digests(folder, paths)
    for path in paths:
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dict
                both = (file.get_tensor(name), weights[name])
                bits = [held.flatten().view(torch.uint8) for held in both]
                if not torch.equal(*bits):
                    raise OSError(f"{name} in {path.name} is not what was written.")


class CheckpointModel:
    """An opened checkpoint that continues prompts, token for token as it was trained. Of a folder,
    merged or base and adapter; on the GPU in bfloat16, on a CPU in float32."""

    def __init__(self, folder: Path) -> None:
        avoid_cudnn_attention()
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if self.device == "cuda" else torch.float32
        model, self.tokenizer = load_checkpoint(folder, dtype)
        # what is merged is rounded once, here
        self.model: Any = model.to(self.device, dtype).eval()  # type: ignore[arg-type]
        config, padding = self.model.config, self.tokenizer.pad_token_id
        self.template = Template(self.tokenizer)
        self.processor = make_processor(config.vision_config.image_size)
        self.packer = Packer(config.image_token_id, config.image_seq_length, padding)

    @torch.inference_mode()
    def generate(self, items: Sequence[Item], max_new_tokens: int, **how: Any) -> torch.Tensor:
        """New tokens, (items, at most max_new_tokens); all of the items have pixels, or none."""
        prompts = [list(self.packer.expand(item.encoded).input_ids) for item in items]
        # generation continues at the right end
        padded = self.tokenizer.pad(
            {"input_ids": prompts}, padding_side="left", return_tensors="pt", verbose=False
        ).to(self.device)
        pixels = [item.pixels for item in items if item.pixels is not None]
        if pixels:
            values = normalised(torch.stack(pixels).to(self.device))
            how["pixel_values"] = values.to(self.model.dtype)
        written: torch.Tensor = self.model.generate(
            input_ids=padded["input_ids"],
            attention_mask=padded["attention_mask"],
            max_new_tokens=max_new_tokens,
            pad_token_id=self.packer.pad_token_id,
            **how,
        )
        return written[:, padded["input_ids"].shape[1] :]
