"""Checkpoints are Hugging Face checkpoints, written whole or not at all.

Weights carry the classic names (`language_model.model.*`, `vision_tower.vision_model.*`,
`multi_modal_projector.*`), which stock transformers and vLLM both read.
"""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoConfig, AutoTokenizer, LlavaForConditionalGeneration, LlavaProcessor

from palo.engines.stream import own_generation, plain_generation
from palo.errors import MissingResource, UserError
from palo.files import replaced_folder
from train.data.template import SYSTEM
from train.model.assembly import CLASSES, CONFIGS
from train.model.layout import Layout, classic_name
from train.scale import ProjectorKind

_METADATA = {"format": "pt"}
# vicuna_v1 for those who load the checkpoint elsewhere.
CHAT_TEMPLATE = (
    Path(__file__)
    .with_name("chat_template.j2")
    .read_text(encoding="utf-8")
    .replace("{{ system }}", SYSTEM)
)


def state_dict(model: LlavaForConditionalGeneration) -> dict[str, torch.Tensor]:
    """All weights under classic names; a head tied to the embeddings is not stored twice."""
    tied = model.config.tie_word_embeddings
    return {
        classic_name(name): tensor.detach().contiguous().cpu()
        for name, tensor in model.state_dict().items()
        if not (tied and name == "lm_head.weight")
    }


def save_checkpoint(
    folder: Path,
    model: LlavaForConditionalGeneration,
    tokenizer: Any,
    image_processor: Any,
    files: dict[str, str] | None = None,
) -> None:
    """Writes the whole checkpoint, or nothing of it.

    `files` are further texts by name, such as the trainer's log.
    """
    with written_whole(folder) as fresh:
        save_torch_state_dict(state_dict(model), fresh, max_shard_size="5GB", metadata=_METADATA)
        model.config.architectures = [type(model).__name__]
        if not hasattr(model.config, "palo"):
            model.config.palo = about(projector_of(model.config), True, _tower_name(model))
        model.config.save_pretrained(fresh)
        plain_generation(model.generation_config.to_dict()).save_pretrained(fresh)
        make_llava_processor(model.config, tokenizer, image_processor).save_pretrained(fresh)
        for name, text in (files or {}).items():
            (fresh / name).write_text(text, encoding="utf-8")


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A new folder, which takes the place of `folder` if the block ends well.

    Raises UserError where writing fails; nothing of it is left then.
    """
    try:
        with replaced_folder(folder) as fresh:
            yield fresh
    except UserError:
        raise
    except (OSError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{folder} could not be written: {reason} What was trained is kept; mend this and run "
            "the same command again: it goes on from there."
        ) from error


def about(projector: ProjectorKind, pads: bool, tower: str | None) -> dict[str, Any]:
    """The `palo` section of config.json: what stock LLaVA's fields have no place for.

    `pads`: pictures are padded to a square before they are resized. `tower`: a hub's id, if known.
    """
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


def _tower_name(model: LlavaForConditionalGeneration) -> str | None:
    """The hub's id that the tower was loaded from; a folder of this machine means nothing later."""
    name = getattr(model.model.vision_tower.config, "_name_or_path", "")
    return name if name and not Path(name).exists() else None


def make_llava_processor(config: Any, tokenizer: Any, image_processor: Any) -> LlavaProcessor:
    """Stock LLaVA's processor; a larger patch size makes it count the LDP's fewer tokens."""
    side = math.isqrt(config.image_seq_length)
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=_as_written(tokenizer),
        patch_size=image_processor.crop_size["height"] // side,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def _as_written(tokenizer: Any) -> Any:
    """A copy that adds no start token of its own: the chat template writes it into the text.

    Servers tokenise what the template gives as it is, clients of the processor do not: with a
    start token in both they would have two, and with one in neither, servers would have none.
    """
    written = copy.deepcopy(tokenizer)
    written.add_bos_token = False
    if hasattr(written, "legacy"):  # else transformers forgets it, and reads other tokens again
        written.init_kwargs["legacy"] = written.legacy
    return written


def load_checkpoint(
    folder: Path, dtype: torch.dtype = torch.float32
) -> tuple[LlavaForConditionalGeneration, Any]:
    """Model and tokenizer of a checkpoint, by the class that its config names."""
    if not (folder / "config.json").is_file():
        raise MissingResource(
            f"No checkpoint in {folder}. Train it first: palo train --scale {folder.name}"
        )
    config = AutoConfig.from_pretrained(folder)
    model = CLASSES[config.model_type].from_pretrained(
        folder, dtype=dtype, generation_config=own_generation(str(folder), None)
    )
    return model, AutoTokenizer.from_pretrained(folder)


def load_trainable(path: Path, model: torch.nn.Module) -> None:
    """Raises AssertionError where the file does not hold exactly the trainable parameters."""
    stored = load_file(path)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert stored.keys() == trained.keys(), f"{path} holds other parameters than the model trains"
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(stored[name])
