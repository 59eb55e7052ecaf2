"""PALO's two model classes, and their assembly from a vision tower and a language model.

7B and 13B are stock LLaVA. MobilePALO differs from it in one module, the LDP projector; its
class is registered with transformers' Auto classes when this module is imported.
"""

import math
from contextlib import nullcontext
from typing import Any

import torch
import transformers
from torch import nn
from transformers import LlavaConfig, LlavaForConditionalGeneration, conversion_mapping

from palo.engines.stream import own_generation
from palo.schemas import IMAGE_TAG
from palo.tokenizer import load_tokenizer
from train.data.template import add_image
from train.model.sizes import VOCABULARY_MULTIPLE, squeezed_channels
from train.scale import Lora, ProjectorKind, Quantization, Scale


class MobilePaloConfig(LlavaConfig):
    """A LLaVA whose projector is the LDP; `image_seq_length` counts tokens after it."""

    model_type = "mobile_palo"


class MobilePaloForConditionalGeneration(LlavaForConditionalGeneration):
    config_class = MobilePaloConfig

    def __init__(self, config: MobilePaloConfig) -> None:
        super().__init__(config)
        vision: Any = config.vision_config
        text: Any = config.text_config
        projector: Any = LdpProjector(vision.hidden_size, text.hidden_size)
        self.model.multi_modal_projector = projector
        self.post_init()


transformers.AutoConfig.register(MobilePaloConfig.model_type, MobilePaloConfig, exist_ok=True)
transformers.AutoModelForImageTextToText.register(
    MobilePaloConfig, MobilePaloForConditionalGeneration, exist_ok=True
)
# Without this mapping the weights of a saved checkpoint vanish with only a warning.
conversion_mapping.register_checkpoint_conversion_mapping(
    MobilePaloConfig.model_type,
    conversion_mapping.get_checkpoint_conversion_mapping("llava"),
    overwrite=True,
)

CONFIGS: dict[ProjectorKind, Any] = {
    ProjectorKind.MLP2: LlavaConfig,
    ProjectorKind.LDP: MobilePaloConfig,
}
CLASSES: dict[str, type[LlavaForConditionalGeneration]] = {
    "llava": LlavaForConditionalGeneration,
    MobilePaloConfig.model_type: MobilePaloForConditionalGeneration,
}
# Patches that one image token stands for, along a side.
STRIDES = {ProjectorKind.MLP2: 1, ProjectorKind.LDP: 2}


def load_tower(
    source: str, revision: str | None, dtype: torch.dtype, is_empty: bool = False
) -> Any:
    """A CLIP's vision tower; `is_empty`: without its weights, on the meta device."""
    towers: Any = transformers.CLIPVisionModel
    configs: Any = transformers.CLIPVisionConfig
    if not is_empty:
        return towers.from_pretrained(source, revision=revision, dtype=dtype)
    config = configs.from_pretrained(source, revision=revision)
    with torch.device("meta"):
        return towers._from_config(config, dtype=dtype)


def in_4_bits() -> transformers.BitsAndBytesConfig:
    """QLoRA's settings (arXiv 2305.14314, section 3): all linear maps but the head."""
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=Quantization.NF4.value,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def load_language_model(
    source: str,
    revision: str | None,
    dtype: torch.dtype,
    is_empty: bool = False,
    quantization: Quantization | None = None,
) -> tuple[Any, Any]:
    """A language model and its tokenizer, with `<image>` and padding among its tokens; `is_empty`:
    without its weights, on the meta device. One that is quantised lies on this process's GPU."""
    tokenizer, models = load_tokenizer(source, revision), transformers.AutoModelForCausalLM
    if is_empty:
        config = transformers.AutoConfig.from_pretrained(source, revision=revision)
        with torch.device("meta"):
            model = models.from_config(config, dtype=dtype)
        model.tie_weights()
    else:
        model = models.from_pretrained(
            source,
            revision=revision,
            dtype=dtype,
            generation_config=own_generation(source, revision),
            quantization_config=in_4_bits() if quantization else None,
        )
    add_image(tokenizer)
    if len(tokenizer) > model.config.vocab_size:
        model.resize_token_embeddings(
            len(tokenizer), pad_to_multiple_of=VOCABULARY_MULTIPLE, mean_resizing=False
        )
    return model, tokenizer


def assemble(
    scale: Scale, tower: Any, language_model: Any, tokenizer: Any, seed: int
) -> LlavaForConditionalGeneration:
    """The scale's model around the two given ones (not copied), with a fresh projector, which
    starts from PyTorch's own initial values as the published ones do. Around empty ones it is
    empty."""
    # 576 tokens an image for the MLP and 144 for the LDP at 336 px and patches of 14
    side = scale.image_size // tower.config.patch_size // STRIDES[scale.projector]
    config = CONFIGS[scale.projector](
        vision_config=tower.config,
        text_config=language_model.config,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE_TAG),
        image_seq_length=side * side,
        vision_feature_layer=scale.feature_layer,
        vision_feature_select_strategy="default",
        tie_word_embeddings=language_model.config.tie_word_embeddings,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.device("meta"):
        model = CLASSES[config.model_type](config)
    model.model.vision_tower = tower
    model.model.language_model = language_model.model
    model.lm_head = language_model.lm_head
    if language_model.device.type != "meta":
        torch.manual_seed(seed)
        projector: Any = model.model.multi_modal_projector.to_empty(device="cpu")
        for module in projector.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    model.generation_config = language_model.generation_config
    return model


def text_only_loss(model: LlavaForConditionalGeneration) -> torch.Tensor:
    """Zero, but with a gradient path to the projector: a batch without images must not leave the
    projector out, or the processes of a distributed run wait for one another for ever."""
    vision: Any = model.config.vision_config
    projector = model.model.multi_modal_projector
    patches = (vision.image_size // vision.patch_size) ** 2
    weight = next(projector.parameters())
    features = torch.zeros(1, patches, vision.hidden_size, device=weight.device, dtype=weight.dtype)
    return projector(features).sum() * 0.0


# The two-layer MLP is stock LLaVA's. The LDP projector is MobileVLM's (arXiv 2312.16886, section
# 3.3), as PALO's 1.7B uses it; parameter names are the published ones, so weights move freely.
class ChannelLayerNorm(nn.LayerNorm):
    """LayerNorm over the channels of an image: (B, C, H, W) -> same."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(image.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SqueezeExcite(nn.Module):
    """Weighs channels by a gate computed from their means: (B, C, H, W) -> same."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        gate = image.mean(dim=(2, 3), keepdim=True)
        gate = nn.functional.relu(self.fc1(gate))
        return image * nn.functional.hardsigmoid(self.fc2(gate))


class InvertedResidual(nn.Module):
    """MobileNetV3 block: depthwise 3x3, squeeze-excite, pointwise; adds its input at stride 1."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        depthwise = nn.Sequential(
            nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False),
            ChannelLayerNorm(channels, eps=1e-5),
            nn.Hardswish(),
        )
        pointwise = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), ChannelLayerNorm(channels, eps=1e-5)
        )
        squeezed = squeezed_channels(channels)
        self.block = nn.Sequential(depthwise, SqueezeExcite(channels, squeezed), pointwise)
        self.residual = stride == 1

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        out = self.block(image)
        return image + out if self.residual else out


class LdpProjector(nn.Module):
    """(B, N, vision_size) -> (B, N/4, text_size); N is the square of an even number. Index 0 of
    `mlp` and of `mb_block` is an identity, as published."""

    def __init__(self, vision_size: int, text_size: int) -> None:
        super().__init__()
        first, second = nn.Linear(vision_size, text_size), nn.Linear(text_size, text_size)
        mlp = nn.Sequential(nn.Identity(), first, nn.GELU(), second)
        blocks = nn.Sequential(
            nn.Identity(), InvertedResidual(text_size, 1), InvertedResidual(text_size, 2)
        )
        self.model = nn.ModuleDict({"mlp": mlp, "mb_block": blocks})

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        tokens = self.model["mlp"](features)
        batch, count, size = tokens.shape
        side = math.isqrt(count)
        image = tokens.transpose(1, 2).reshape(batch, size, side, side)
        out: torch.Tensor = self.model["mb_block"](image)
        return out.flatten(2).transpose(1, 2)


def add_adapters(language_model: Any, lora: Lora, seed: int) -> Any:
    """Puts fresh adapters on every linear layer, then all that learns of the language model; the
    seed makes them start alike, whatever was drawn before. Returns peft's wrapper."""
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora import LoraLayer

    linears = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=linears
    )
    torch.manual_seed(seed)
    with torch.device("meta") if language_model.device.type == "meta" else nullcontext():
        adapted = get_peft_model(language_model, config)
    for module in adapted.modules():
        if isinstance(module, LoraLayer):
            # peft would widen each input to the adapters' fp32, drop out, and let autocast narrow
            # it again: the same numbers at several times the memory traffic
            module.cast_input_dtype_enabled = False
    return adapted
