"""Memory of a device, by what holds it and by how several share one model; whether a stage fits.

What is kept where: weights that no stage trains in bf16, all others in fp32 (train/run.py), with
fp32 gradients and AdamW's two fp32 moments, 16 bytes a trained parameter in all; autocast's short
copies of fp32 weights; then what one row leaves behind. ZeRO's division of the rest is that of
arXiv 1910.02054, section 5; FSDP2 shares as ZeRO-3 does.

Bytes that the forward pass of one row leaves for its backward pass are counted tensor by tensor,
for transformers' Llama with `documents` attention, by the method of "Reducing Activation
Recomputation in Large Transformer Models" (arXiv 2205.05198, section 4). A token and layer keep, in
widths h (hidden), q (queries), k (keys), i (MLP) and bytes of a value, w (2 in bf16):

    both norms: their input in fp32                                            2 x 4h
    attention: queries, keys, values, output                                   w (2q + 2k)
    MLP: gate, its activation, up                                              w 3i
    LoRA, for each of its maps: the input, dropout's mask, rank r in between   w in + in + w r
    or, trained in full: each map's input, and what the norms give in fp32     w in + 2 x 4h

A test counts what PyTorch really saves, and finds these and nothing more.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from palo.console import note
from palo.errors import MissingResource, UserError
from palo.settings import LoopSettings, Profile, Sharding
from train.model.sizes import LanguageSize, Sizes, parameters, sizes_of
from train.planning.hardware import GIB, Hardware, here
from train.scale import Checkpointing, Lora, LossKernel, ProjectorKind, Scale, StageName

FULL_BYTES = 4  # fp32
MOMENTS = 2  # of AdamW
CONTEXT_BYTES = int(1.5 * GIB)  # CUDA, cuBLAS and NCCL, before the first tensor
BUCKET_BYTES = 1 * GIB  # what sharding gathers and reduces at once
FRAGMENTS = 0.05  # of everything else: the allocator's gaps
# Of a row's text; answers are 83% of LLaVA's own conversations, without their image.
SUPERVISED_SHARE = 0.85
SHORTEST_TEXT = 24  # tokens beside an image: a caption, or a question with its template
MORE_DEVICES = (2, 4, 8, 16, 32)


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


def sharing_of(settings: LoopSettings) -> Sharing:
    """As the profile asks for it. Raises UserError for a DeepSpeed file that says nothing."""
    if settings.sharding is not Sharding.DEEPSPEED:
        return Sharing(settings.sharding)
    path = settings.deepspeed_path
    assert path is not None  # the settings see to it
    try:
        stage = json.loads(path.read_text(encoding="utf-8"))["zero_optimization"]["stage"]
        return {0: Sharing.NONE, 1: Sharing.ZERO1, 2: Sharing.ZERO2, 3: Sharing.ZERO3}[stage]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} does not say how to share the model ({error}): it must hold "
            '"zero_optimization": {"stage": 1, 2 or 3}.'
        ) from None


# A row


@dataclass(frozen=True)
class LayerBytes:
    """Of one token in one layer of the language model."""

    all: int  # without recomputation
    products: int  # outputs of matrix products and attention: what `selective` keeps
    input: int  # the layer's own: what `full` keeps

    def kept(self, checkpointing: Checkpointing) -> int:
        """Of every layer, from its forward pass to its backward pass."""
        if checkpointing is Checkpointing.NONE:
            return self.all
        return self.input + (self.products if checkpointing is Checkpointing.SELECTIVE else 0)

    def again(self, checkpointing: Checkpointing) -> int:
        """Of the one layer that is being computed again."""
        if checkpointing is Checkpointing.NONE:
            return 0
        return max(0, self.all - (self.products if checkpointing is Checkpointing.SELECTIVE else 0))


def layer_bytes(
    language: LanguageSize, lora: Lora | None, in_full: bool, whole: bool, short: int = 2
) -> LayerBytes:
    """`lora`: of this stage; `in_full`: the language model is trained itself; `whole`: its weights
    are stored in fp32, so what flows between layers is, too. `short`: bytes of a bf16 value."""
    inputs = sum(ins for ins, _ in language.linears.values())
    outputs = sum(outs for _, outs in language.linears.values())
    attention = short * (2 * language.queries + 2 * language.keys)
    kept = 2 * FULL_BYTES * language.hidden + attention + 3 * short * language.intermediate
    products = short * (outputs + language.queries)
    if in_full:
        kept += short * inputs + 2 * FULL_BYTES * language.hidden
    if lora is not None:
        between = short * lora.rank * len(language.linears)
        kept += short * inputs + (inputs if lora.dropout else 0) + between
        products += short * outputs + between
    stream = (FULL_BYTES if whole else short) * language.hidden
    return LayerBytes(all=kept, products=products, input=stream)


def gradient_bytes(language: LanguageSize, short: int = 2) -> int:
    """Of one token: gradients alive at once where they are widest, within the MLP: those of its
    product, gate and up, and one of them in fp32 on its way through an adapter's dropout."""
    return (3 * short + FULL_BYTES) * language.intermediate + 2 * FULL_BYTES * language.hidden


def image_bytes(sizes: Sizes, short: int = 2, norms: int = FULL_BYTES) -> int:
    """Of one image in the projector, which is trained.

    Both linear maps keep their input, and the activation its own. Each block of the LDP keeps what
    went into its depthwise convolution, norm, activation, gate and pointwise convolution with its
    norm: a GPU's autocast runs norms in fp32 and what follows stays so, a CPU's does not (`norms`).
    After its stride the second block has a quarter of the places.
    """
    seen, said = sizes.tower.hidden, sizes.language.hidden
    linears = short * (seen + 2 * said)
    if sizes.projector is ProjectorKind.MLP2:
        return sizes.patches * linears
    after = (short + 4 * norms) * said
    first = short * said
    return sizes.patches * (linears + 2 * first + after) + sizes.patches // 4 * after


def logit_bytes(vocabulary: int, supervised: int) -> int:
    """Of the supervised tokens: log-probabilities, their gradient and that of the logits, fp32."""
    return 3 * FULL_BYTES * vocabulary * supervised


@dataclass(frozen=True)
class RowBytes:
    """Of one row: what stays until the backward pass comes to it, and what is there for a while."""

    kept: int
    layer: int  # the last layer, computed again, and the gradients within it
    logits: int  # gone before the layers' backward pass begins


def row_bytes(
    sizes: Sizes,
    stage: StageName,
    checkpointing: Checkpointing,
    tokens: int,
    images: int,
    supervised: int,
    short: int = 2,
) -> RowBytes:
    language, is_second = sizes.language, stage is StageName.STAGE2
    layer = layer_bytes(
        language,
        sizes.lora if is_second else None,
        in_full=is_second and sizes.lora is None,
        whole=sizes.lora is None,
        short=short,
    )
    embeddings = (2 if sizes.lora else 3) * FULL_BYTES * language.hidden  # and the last norm
    return RowBytes(
        kept=tokens * (language.layers * layer.kept(checkpointing) + embeddings)
        + images * image_bytes(sizes, short),
        layer=tokens * (layer.again(checkpointing) + gradient_bytes(language, short)),
        logits=logit_bytes(language.vocabulary, supervised),
    )


def largest_row(scale: Scale, sizes: Sizes, stage: StageName) -> tuple[int, int, int]:
    """Tokens, images and supervised tokens of the row that memory must do for: full, of the
    shortest texts that still have an image."""
    chosen = scale.stage(stage)
    images = min(chosen.batch_size, chosen.row_tokens // (sizes.image_tokens + SHORTEST_TEXT))
    supervised = int(chosen.row_tokens * SUPERVISED_SHARE)
    if stage is StageName.STAGE1:  # every caption has its image
        supervised = chosen.row_tokens - images * sizes.image_tokens
    return chosen.row_tokens, images, supervised


# A device


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
    count, layers = parameters(sizes), sizes.language.layers
    is_second, frozen = stage is StageName.STAGE2, count.language_model if sizes.lora else 0
    adapters = count.adapters if is_second else 0
    in_full = is_second and sizes.lora is None
    return Trained(
        short=count.tower + frozen,
        whole=count.projector + adapters + count.language_model - frozen,
        trained=count.projector + adapters + (count.language_model if in_full else 0),
        a_layer=(count.layers + adapters) // layers,
        a_layer_trained=((count.layers if in_full else 0) + adapters) // layers,
        outside=count.embeddings + count.head + count.projector + count.tower,
    )


def memory_of(
    scale: Scale, sizes: Sizes, stage: StageName, sharing: Sharing, devices: int, short: int = 2
) -> Memory:
    """`short`: bytes of a value that a GPU keeps in bf16; 4 on a CPU, where all is fp32."""
    held = trained(sizes, stage)
    for_weights, for_gradients, for_moments = (
        devices if is_divided else 1 for is_divided in _DIVIDED[sharing]
    )
    weights, gathered = math.ceil(_weight_bytes(held, short) / for_weights), 0
    gradients = math.ceil(held.trained * FULL_BYTES / for_gradients)
    if for_weights > 1:  # the layer at work and the next one, and all that is not a layer
        gathered = short * (2 * held.a_layer + held.outside)
        gradients += held.a_layer_trained * FULL_BYTES
    elif short < FULL_BYTES:
        gathered = held.whole * short  # autocast's copies
    if sharing is Sharing.NONE and devices > 1:
        gradients *= 2  # DDP's buckets
    row = largest_row(scale, sizes, stage)
    used = row_bytes(sizes, stage, scale.checkpointing, *row, short=short)
    activations = gathered + used.kept
    logits = 0 if scale.loss_kernel is LossKernel.LIGER else used.logits
    step = math.ceil(held.trained * FULL_BYTES / for_moments)  # as long as it is not yet taken
    working = max(used.layer, logits, step - activations)
    moments = math.ceil(held.trained * MOMENTS * FULL_BYTES / for_moments)
    inside = weights + gradients + moments + activations + working
    buffers = BUCKET_BYTES if sharing is not Sharing.NONE and devices > 1 else 0
    context = CONTEXT_BYTES if short < FULL_BYTES else 0
    overhead = context + buffers + int(inside * FRAGMENTS)
    return Memory(weights, gradients, moments, activations, working, overhead)


def _weight_bytes(held: Trained, short: int) -> int:
    return held.short * short + held.whole * FULL_BYTES


def host_bytes(
    sizes: Sizes, stage: StageName, batch_size: int, devices: int, workers: int
) -> dict[str, int]:
    """Of one process in the machine's own memory: weights on their way, pictures of the steps that
    workers hold ready (each two) and of the one at work."""
    picture = 3 * sizes.image_size**2 * FULL_BYTES
    return {
        "weights": _weight_bytes(trained(sizes, stage), 2),
        "pictures": math.ceil(batch_size / devices) * picture * (2 * workers + 1),
    }


# Whether it fits


class CannotFit(UserError):
    """A stage needs more memory than a device has."""


def require_fit(scale: Scale, profile: Profile, stages: Sequence[StageName]) -> None:
    """Raises CannotFit before anything is loaded; asks nothing where there is no GPU."""
    hardware = here()
    if hardware is None:
        return
    try:
        sizes = sizes_of(scale, profile.data_dir / "models")
    except MissingResource as error:  # to be downloaded yet
        note(f"Whether {scale.name} fits is not known beforehand. {error}")
        return
    sharing = sharing_of(profile.train.loop)
    for stage in stages:
        if problem := why_not(scale, sizes, stage, sharing, hardware):
            raise CannotFit(problem)


def why_not(
    scale: Scale, sizes: Sizes, stage: StageName, sharing: Sharing, hardware: Hardware
) -> str | None:
    """Need, what there is, and what would help; None where it fits."""
    need = memory_of(scale, sizes, stage, sharing, hardware.devices, hardware.short)
    if need.total <= hardware.memory_bytes:
        return None
    parts = ", ".join(f"{name} {value / GIB:.1f}" for name, value in vars(need).items())
    advice = list(_advice(scale, sizes, stage, sharing, hardware))
    if not advice:
        advice = ["nothing here alone or together: take GPUs with more memory"]
    return (
        f"{stage} of {scale.name} needs {need.total / GIB:.1f} GiB a device ({parts}); "
        f"{hardware.name} has {hardware.memory}. What would help:"
        + "".join(f"\n  - {line}" for line in advice)
    )


def _advice(
    scale: Scale, sizes: Sizes, stage: StageName, sharing: Sharing, hardware: Hardware
) -> Iterator[str]:
    """One change at a time where that is enough, else all of them together."""

    def fits(changed: Scale, how: Sharing, devices: int) -> str | None:
        need = memory_of(changed, sizes, stage, how, devices, hardware.short).total
        return f"({need / GIB:.1f} GiB)" if need <= hardware.memory_bytes else None

    def with_rows(changed: Scale, tokens: int) -> Scale:
        rows = scale.stage(stage).model_copy(update={"row_tokens": tokens})
        return changed.model_copy(update={str(stage): rows})

    def on(devices: int) -> str:
        if sharing is Sharing.NONE:
            return f"train: loop: sharding: fsdp2 in the profile, on {devices} GPUs"
        return f"{devices} GPUs"

    now, any_helps = hardware.devices, False
    recomputed = scale.model_copy(update={"checkpointing": Checkpointing.FULL})
    need = fits(recomputed, sharing, now)
    if need and scale.checkpointing is not Checkpointing.FULL:
        yield f"checkpointing: full in the scale {need}"
        any_helps = True
    tokens = scale.stage(stage).row_tokens
    while tokens > scale.max_length:
        tokens = max(tokens // 2, scale.max_length)
        if need := fits(with_rows(scale, tokens), sharing, now):
            yield f"{stage}: row_tokens: {tokens} in the scale {need}"
            any_helps = True
            break
    shared = Sharing.FSDP2 if sharing is Sharing.NONE else sharing
    more = [devices for devices in sorted({now, *MORE_DEVICES}) if devices >= max(2, now)]
    for devices in more:
        if (devices, shared) == (now, sharing):
            continue
        if need := fits(scale, shared, devices):
            yield f"{on(devices)} {need}"
            return
    fewest = with_rows(recomputed, scale.max_length)
    for devices in [] if any_helps else more:
        if need := fits(fewest, shared, devices):
            yield (
                f"all of these: checkpointing: full, {stage}: row_tokens: {scale.max_length}, "
                f"{on(devices)} {need}"
            )
            return
