"""Memory of a device, by what holds it and by how several devices share one model.

What is kept where: weights that no stage trains in bf16, all others in fp32 (train/run.py), with
fp32 gradients and AdamW's two fp32 moments, 16 bytes a trained parameter in all; autocast's short
copies of fp32 weights; then what one row leaves behind (train/planning/activations.py). ZeRO's
division of the rest is that of arXiv 1910.02054, section 5; FSDP2 shares as ZeRO-3 does.
"""

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from palo.errors import UserError
from palo.settings import LoopSettings, Sharding
from train.model.sizes import Parameters, Sizes, parameters
from train.planning.activations import FULL_BYTES, row_bytes
from train.scale import LossKernel, Scale, StageName

GIB = 2**30
MOMENTS = 2  # of AdamW
CONTEXT_BYTES = int(1.5 * GIB)  # CUDA, cuBLAS and NCCL, before the first tensor
BUCKET_BYTES = 1 * GIB  # what sharding gathers and reduces at once
FRAGMENTS = 0.05  # of everything else: the allocator's gaps
# Of a row's text; answers are 83% of LLaVA's own conversations, without their image.
SUPERVISED_SHARE = 0.85
SHORTEST_TEXT = 24  # tokens beside an image: a caption, or a question with its template


class Sharing(StrEnum):
    NONE = "none"
    FSDP2 = "fsdp2"
    ZERO1 = "zero-1"
    ZERO2 = "zero-2"
    ZERO3 = "zero-3"


# What is divided over the devices: weights, gradients, moments.
_DIVIDED = {
    Sharing.NONE: (False, False, False),
    Sharing.ZERO1: (False, False, True),
    Sharing.ZERO2: (False, True, True),
    Sharing.ZERO3: (True, True, True),
    Sharing.FSDP2: (True, True, True),
}


@dataclass(frozen=True)
class Memory:
    """Bytes of one device at the peak of a step."""

    weights: int
    gradients: int
    moments: int  # AdamW's
    activations: int  # what waits for the backward pass, and short or gathered copies of weights
    working: int  # the most of: a layer computed again with its gradients, logits, AdamW's step
    overhead: int  # CUDA's own, buffers of sharding, gaps

    @property
    def total(self) -> int:
        return sum(vars(self).values())


@dataclass(frozen=True)
class Trained:
    """Parameters of a stage by how they are kept; `a_layer` is one language-model layer's."""

    short: int  # frozen, bf16
    whole: int  # fp32, trained or not
    trained: int
    a_layer: int
    a_layer_trained: int
    outside: int  # embeddings, head, projector, tower


def trained(sizes: Sizes, stage: StageName) -> Trained:
    found, layers = parameters(sizes), sizes.language.layers
    adapters = found.adapters if stage is StageName.STAGE2 else 0
    in_full = stage is StageName.STAGE2 and sizes.lora is None
    whole = found.projector + adapters + (found.language_model if sizes.lora is None else 0)
    return Trained(
        short=found.tower + (found.language_model if sizes.lora else 0),
        whole=whole,
        trained=trained_parameters(found, stage, in_full),
        a_layer=(found.layers + adapters) // layers,
        a_layer_trained=((found.layers if in_full else 0) + adapters) // layers,
        outside=found.embeddings + found.head + found.projector + found.tower,
    )


def trained_parameters(found: Parameters, stage: StageName, in_full: bool) -> int:
    if stage is StageName.STAGE1:
        return found.projector
    return found.projector + (found.language_model if in_full else found.adapters)


@dataclass(frozen=True)
class LargestRow:
    """The row that memory must do for: full, of the shortest texts that still have an image."""

    tokens: int
    images: int
    supervised: int


def largest_row(scale: Scale, sizes: Sizes, stage: StageName) -> LargestRow:
    chosen = scale.stage(stage)
    images = min(chosen.batch_size, chosen.row_tokens // (sizes.image_tokens + SHORTEST_TEXT))
    if stage is StageName.STAGE1:  # every caption has its image
        supervised = chosen.row_tokens - images * sizes.image_tokens
    else:
        supervised = int(chosen.row_tokens * SUPERVISED_SHARE)
    return LargestRow(chosen.row_tokens, images, supervised)


def memory_of(
    scale: Scale, sizes: Sizes, stage: StageName, sharing: Sharing, devices: int, short: int = 2
) -> Memory:
    """`short`: bytes of a value that a GPU keeps in bf16; 4 on a CPU, where all is fp32."""
    held, row = trained(sizes, stage), largest_row(scale, sizes, stage)
    divided = [devices if one else 1 for one in _DIVIDED[sharing]]
    stored = held.short * short + held.whole * FULL_BYTES
    weights, gathered = math.ceil(stored / divided[0]), 0
    gradients = math.ceil(held.trained * FULL_BYTES / divided[1])
    if divided[0] > 1:  # the layer at work and the next one, and all that is not a layer
        gathered = short * (2 * held.a_layer + held.outside)
        gradients += held.a_layer_trained * FULL_BYTES
    elif short < FULL_BYTES:
        gathered = held.whole * short  # autocast's copies
    if sharing is Sharing.NONE and devices > 1:
        gradients *= 2  # DDP's buckets
    used = row_bytes(
        sizes, stage, scale.checkpointing, row.tokens, row.images, row.supervised, short
    )
    activations = gathered + used.kept
    logits = 0 if scale.loss_kernel is LossKernel.LIGER else used.logits
    step = math.ceil(held.trained * FULL_BYTES / divided[2])  # as long as it is not yet taken
    working = max(used.layer, logits, step - activations)
    moments = math.ceil(held.trained * MOMENTS * FULL_BYTES / divided[2])
    inside = weights + gradients + moments + activations + working
    buffers = BUCKET_BYTES if sharing is not Sharing.NONE and devices > 1 else 0
    context = CONTEXT_BYTES if short < FULL_BYTES else 0
    return Memory(
        weights=weights,
        gradients=gradients,
        moments=moments,
        activations=activations,
        working=working,
        overhead=context + buffers + int(inside * FRAGMENTS),
    )


def sharing_of(settings: LoopSettings) -> Sharing:
    """As the profile asks for it. Raises UserError for a DeepSpeed file that says nothing."""
    if settings.sharding is Sharding.NONE:
        return Sharing.NONE
    if settings.sharding is Sharding.FSDP2:
        return Sharing.FSDP2
    assert settings.deepspeed_path is not None  # the settings see to it
    return _zero(settings.deepspeed_path)


def _zero(path: Path) -> Sharing:
    try:
        stage = json.loads(path.read_text(encoding="utf-8"))["zero_optimization"]["stage"]
        return {0: Sharing.NONE, 1: Sharing.ZERO1, 2: Sharing.ZERO2, 3: Sharing.ZERO3}[stage]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} does not say how to share the model ({error}): it must hold "
            '"zero_optimization": {"stage": 1, 2 or 3}.'
        ) from None


def host_bytes(
    sizes: Sizes, stage: StageName, batch_size: int, devices: int, workers: int
) -> dict[str, int]:
    """Of one process in the machine's own memory: weights on their way, pictures of the steps that
    workers hold ready (each two) and of the one at work."""
    held = trained(sizes, stage)
    picture = 3 * sizes.image_size**2 * FULL_BYTES
    ready = 2 * workers + 1
    return {
        "weights": held.short * 2 + held.whole * FULL_BYTES,
        "pictures": math.ceil(batch_size / devices) * picture * ready,
    }
