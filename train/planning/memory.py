"""Devices, the memory of one by holder and by way of sharing; whether a stage fits.

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
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from palo.console import note
from palo.engines.open import has_gpu
from palo.errors import MissingResource, UserError, unknown
from palo.files import read_yaml
from palo.settings import LoopSettings, Profile, Sharding
from train.model.sizes import Sizes, parameters, sizes_of
from train.scale import (
    Checkpointing,
    LossKernel,
    Optimizer,
    ProjectorKind,
    Quantization,
    Scale,
    StageName,
)

GIB = 2**30
FULL_BYTES = 4  # fp32
MOMENTS = 2  # of AdamW
# Bytes of a 4-bit parameter: a constant for 64 of them, itself in 8 bits, and one in fp32 for 256
# constants: 0.127 bits a parameter (arXiv 2305.14314, section 3).
NF4_BYTES = (4 + 8 / 64 + 32 / (64 * 256)) / 8
EIGHT_BIT_MOMENT_BYTES = 1 + FULL_BYTES / 256  # a constant for 256 of them
CONTEXT_BYTES = int(1.5 * GIB)  # CUDA, cuBLAS and NCCL, before the first tensor
BUCKET_BYTES = 1 * GIB  # what sharding gathers and reduces at once
FRAGMENTS = 0.05  # of everything else: the allocator's gaps
# Of a row's text; answers are 83% of LLaVA's own conversations, without their image.
SUPERVISED_SHARE = 0.85
SHORTEST_TEXT = 24  # tokens beside an image: a caption, or a question with its template
MORE_DEVICES = (2, 4, 8, 16, 32)
LEAST_FIRST = (Checkpointing.NONE, Checkpointing.SELECTIVE, Checkpointing.FULL)
AUTO_SHARE = 0.9  # of the memory: `checkpointing: auto` trusts the estimate so far, and no further


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU, as gpus.yaml has it: what it can compute at most, and how much it holds."""

    name: str
    pattern: str
    peak_tflops: float
    memory_gib: float


GPUS = tuple(Gpu(**row) for row in read_yaml(__file__, "gpus.yaml"))
_ALIASES = {"a100": "a100-80", "h100-sxm": "h100"}


def peak_flops(device_name: str) -> float | None:
    """bf16 operations a second at most, by a device's name as torch gives it; None for one that is
    not in the table, and for a CPU: then there is no MFU."""
    known = (gpu for gpu in GPUS if re.search(gpu.pattern, device_name))
    return next((gpu.peak_tflops * 1e12 for gpu in known), None)


@dataclass(frozen=True)
class Hardware:
    """Equal devices, one process each; on a CPU all values are fp32 and nothing has a peak."""

    devices: int
    name: str
    memory_bytes: int  # of one device
    peak_flops: float | None
    is_gpu: bool = True
    is_here: bool = False  # then the memory is what is free of it now

    @property
    def short(self) -> int:
        """Bytes of a value that a GPU keeps in bf16."""
        return 2 if self.is_gpu else FULL_BYTES

    @property
    def memory(self) -> str:
        return f"{self.memory_bytes / GIB:.1f} GiB{' free' if self.is_here else ''}"

    def __str__(self) -> str:
        return f"{self.devices} x {self.name}, {self.memory}" if self.is_gpu else self.name


def hardware_for(
    is_standin: bool, gpu: str | None, gpus: int | None, memory_gib: float | None
) -> Hardware | None:
    """What a plan is for: as named, else this machine's GPU, else its CPU where that can train the
    scale; None where nothing is known of where it is to run.

    Raises UserError for an unknown GPU, or a number of no known kind.
    """
    if gpus is not None and gpus < 1:
        raise UserError(f"--gpus {gpus}: a run needs one at least.")
    devices = gpus or _processes()
    if gpu is not None:
        known = {kind.name: kind for kind in GPUS}
        kind = known.get(_ALIASES.get(gpu.lower(), gpu.lower()))
        if kind is None:
            raise unknown("GPU", gpu, known)
        memory = int((memory_gib or kind.memory_gib) * GIB)
        return Hardware(devices, kind.name, memory, kind.peak_tflops * 1e12)
    if memory_gib is not None:
        return Hardware(devices, "GPU", int(memory_gib * GIB), None)
    if (hardware := here(gpus)) is not None:
        return hardware
    if gpus is not None:
        raise UserError("--gpus: of which kind? There is none here: give --gpu too, as --gpu h100.")
    if not is_standin:
        return None
    import psutil

    free = psutil.virtual_memory().available
    return Hardware(devices, "CPU", free, None, is_gpu=False, is_here=True)


def here(gpus: int | None = None) -> Hardware | None:
    """This process's GPU with the memory that is free of it; None where there is none."""
    if not has_gpu():
        return None
    import torch

    if not torch.cuda.is_available():
        return None
    device = int(os.environ.get("LOCAL_RANK", "0"))  # torchrun's; each process looks at its own
    free, _ = torch.cuda.mem_get_info(device)
    name = torch.cuda.get_device_name(device)
    return Hardware(gpus or _processes(), name, free, peak_flops(name), is_here=True)


def _processes() -> int:
    """That torchrun started; one without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


class Sharing(StrEnum):
    NONE = "none"
    FSDP2 = "fsdp2"
    ZERO1 = "zero-1"
    ZERO2 = "zero-2"
    ZERO3 = "zero-3"


# How many of these are divided over the devices: moments, gradients, weights.
_DIVIDED = {Sharing.NONE: 0, Sharing.ZERO1: 1, Sharing.ZERO2: 2, Sharing.ZERO3: 3, Sharing.FSDP2: 3}


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


def layer_bytes(
    sizes: Sizes, stage: StageName, checkpointing: Checkpointing, short: int = 2
) -> tuple[int, int]:
    """Of one token in one layer of the language model: what each layer keeps until its backward
    pass, and what is there of the one that is computed again for it.

    `short`: bytes of a bf16 value. Where there is no LoRA the weights are stored in fp32 from stage
    1 on, so what flows between layers is, too.
    """
    language, lora, learns = sizes.language, sizes.scale.lora, stage is StageName.STAGE2
    assert checkpointing is not Checkpointing.AUTO, "settle it first"
    inputs = sum(ins for ins, _ in language.linears.values())
    outputs = sum(outs for _, outs in language.linears.values())
    attention = short * (2 * language.queries + 2 * language.keys)
    kept = 2 * FULL_BYTES * language.hidden + attention + 3 * short * language.intermediate
    products = short * (outputs + language.queries)  # of matrices and attention
    if learns and lora is None:
        kept += short * inputs + 2 * FULL_BYTES * language.hidden
    if learns and lora is not None:
        between = short * lora.rank * len(language.linears)
        kept += short * inputs + (inputs if lora.dropout else 0) + between
        products += short * outputs + between
    if checkpointing is Checkpointing.NONE:
        return kept, 0
    products = products if checkpointing is Checkpointing.SELECTIVE else 0
    stream = (FULL_BYTES if lora is None else short) * language.hidden  # the layer's own input
    return stream + products, max(0, kept - products)


def image_bytes(sizes: Sizes, short: int = 2, norms: int = FULL_BYTES) -> int:
    """Of one image in the projector, which is trained.

    Both linear maps keep their input, and the activation its own. Each block of the LDP keeps what
    went into its depthwise convolution, norm, activation, gate and pointwise convolution with its
    norm: a GPU's autocast runs norms in fp32 and what follows stays so, a CPU's does not (`norms`).
    After its stride the second block has a quarter of the places.
    """
    seen, said = sizes.tower.hidden, sizes.language.hidden
    linears = short * (seen + 2 * said)
    if sizes.scale.projector is ProjectorKind.MLP2:
        return sizes.patches * linears
    after = (short + 4 * norms) * said
    first = short * said
    return sizes.patches * (linears + 2 * first + after) + sizes.patches // 4 * after


@dataclass(frozen=True)
class RowBytes:
    """Of one row: what stays until the backward pass comes to it, and what is there for a while."""

    kept: int
    layer: int  # the last layer, computed again, and the gradients within it
    logits: int  # fp32, with their gradient and log-probabilities; gone before the layers' turn


def row_bytes(
    sizes: Sizes,
    stage: StageName,
    checkpointing: Checkpointing,
    tokens: int,
    images: int,
    supervised: int,
    short: int = 2,
) -> RowBytes:
    language, (kept, again) = sizes.language, layer_bytes(sizes, stage, checkpointing, short)
    embeddings = (2 if sizes.scale.lora else 3) * FULL_BYTES * language.hidden  # and the last norm
    # Alive at once where they are widest, within the MLP: the gradients of its product, gate and
    # up, and one of them in fp32 on its way through an adapter's dropout.
    gradients = (3 * short + FULL_BYTES) * language.intermediate + 2 * FULL_BYTES * language.hidden
    return RowBytes(
        kept=tokens * (language.layers * kept + embeddings) + images * image_bytes(sizes, short),
        layer=tokens * (again + gradients),
        logits=3 * FULL_BYTES * language.vocabulary * supervised,
    )


def largest_row(sizes: Sizes, stage: StageName) -> tuple[int, int, int]:
    """Of the row that memory must do for: full, of the shortest texts that still have an image."""
    chosen = sizes.scale.stage(stage)
    images = min(chosen.batch_size, chosen.row_tokens // (sizes.image_tokens + SHORTEST_TEXT))
    supervised = int(chosen.row_tokens * SUPERVISED_SHARE)
    if stage is StageName.STAGE1:  # every caption has its image
        supervised = chosen.row_tokens - images * sizes.image_tokens
    return chosen.row_tokens, images, supervised


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

    tiny: int  # frozen, 4 bits
    short: int  # frozen, bf16
    whole: int  # fp32, trained or not
    trained: int
    a_layer: int
    a_layer_trained: int
    outside: int  # embeddings, head, projector, tower

    def weight_bytes(self, short: int) -> int:
        return int(self.tiny * NF4_BYTES) + self.short * short + self.whole * FULL_BYTES


def trained(sizes: Sizes, stage: StageName) -> Trained:
    count, layers = parameters(sizes), sizes.language.layers
    is_second, frozen = stage is StageName.STAGE2, count.language_model if sizes.scale.lora else 0
    adapters = count.adapters if is_second else 0
    in_full = is_second and sizes.scale.lora is None
    language = sizes.language
    tiny = language.layers * language.matrices if sizes.scale.quantization else 0
    return Trained(
        tiny=tiny,
        short=count.tower + frozen - tiny,
        whole=count.projector + adapters + count.language_model - frozen,
        trained=count.projector + adapters + (count.language_model if in_full else 0),
        a_layer=(count.layers + adapters) // layers,
        a_layer_trained=((count.layers if in_full else 0) + adapters) // layers,
        outside=count.embeddings + count.head + count.projector + count.tower,
    )


def memory_of(
    sizes: Sizes, stage: StageName, sharing: Sharing, devices: int, short: int = 2
) -> Memory:
    """`short`: bytes of a value that a GPU keeps in bf16; 4 on a CPU, where all is fp32."""
    held, scale = trained(sizes, stage), sizes.scale
    for_moments, for_gradients, for_weights = (
        devices if place < _DIVIDED[sharing] else 1 for place in range(3)
    )
    weights, gathered = math.ceil(held.weight_bytes(short) / for_weights), 0
    gradients = math.ceil(held.trained * FULL_BYTES / for_gradients)
    if for_weights > 1:  # the layer at work and the next one, and all that is not a layer
        gathered = short * (2 * held.a_layer + held.outside)
        gradients += held.a_layer_trained * FULL_BYTES
    elif short < FULL_BYTES:
        gathered = held.whole * short  # autocast's copies
    if sharing is Sharing.NONE and devices > 1:
        gradients *= 2  # DDP's buckets
    row = largest_row(sizes, stage)
    used = row_bytes(sizes, stage, scale.checkpointing, *row, short=short)
    activations = gathered + used.kept
    logits = 0 if scale.loss_kernel is LossKernel.LIGER else used.logits
    step = math.ceil(held.trained * FULL_BYTES / for_moments)  # as long as it is not yet taken
    working = max(used.layer, logits, step - activations)
    if scale.quantization:  # the matrix at work, in bf16
        working += short * max(ins * outs for ins, outs in sizes.language.linears.values())
    moments = math.ceil(_moment_bytes(sizes, held) / for_moments)
    inside = weights + gradients + moments + activations + working
    buffers = BUCKET_BYTES if sharing is not Sharing.NONE and devices > 1 else 0
    context = CONTEXT_BYTES if short < FULL_BYTES else 0
    overhead = context + buffers + int(inside * FRAGMENTS)
    return Memory(weights, gradients, moments, activations, working, overhead)


def _moment_bytes(sizes: Sizes, held: Trained) -> int:
    """Of AdamW's moments; those of embeddings stay fp32 whatever the optimizer."""
    if sizes.scale.optimizer is Optimizer.ADAMW:
        return held.trained * MOMENTS * FULL_BYTES
    count = parameters(sizes)
    whole = count.embeddings if held.trained > count.language_model else 0
    return MOMENTS * (int((held.trained - whole) * EIGHT_BIT_MOMENT_BYTES) + whole * FULL_BYTES)


def host_bytes(
    sizes: Sizes,
    stage: StageName,
    sharing: Sharing,
    batch_size: int,
    devices: int,
    workers: int,
) -> dict[str, int]:
    """Of one process in the machine's own memory: weights on their way (of the first process, and
    of each other one), pictures (a byte a colour) of the steps that workers hold ready (each two)
    and of the one at work."""
    picture = 3 * sizes.scale.image_size**2
    weights = trained(sizes, stage).weight_bytes(2)
    return {
        "weights": weights,
        "weights_of_others": 0 if sharing is Sharing.FSDP2 else weights,
        "pictures": math.ceil(batch_size / devices) * picture * (2 * workers + 1),
    }


def settled(sizes: Sizes, stage: StageName, sharing: Sharing, hardware: Hardware | None) -> Sizes:
    """With what `checkpointing: auto` means on these devices: the least that leaves a tenth free,
    and all of it without a GPU."""
    if sizes.scale.checkpointing is not Checkpointing.AUTO:
        return sizes
    for way in LEAST_FIRST:
        scale = sizes.scale.model_copy(update={"checkpointing": way})
        changed = sizes.model_copy(update={"scale": scale})
        if way is Checkpointing.FULL or hardware is None or not hardware.is_gpu:
            continue
        need = memory_of(changed, stage, sharing, hardware.devices, hardware.short)
        if need.total <= AUTO_SHARE * hardware.memory_bytes:
            break
    return changed


def checkpointing_of(
    scale: Scale, profile: Profile, hardware: Hardware | None
) -> dict[StageName, Checkpointing]:
    """What each stage computes again. A model of unknown size: all of it for `auto`."""
    asked = scale.checkpointing
    try:
        sizes = sizes_of(scale, profile.data_dir / "models")
    except MissingResource:
        return dict.fromkeys(
            StageName, Checkpointing.FULL if asked is Checkpointing.AUTO else asked
        )
    sharing = sharing_of(profile.train.loop)
    return {name: settled(sizes, name, sharing, hardware).scale.checkpointing for name in StageName}


def require_fit(scale: Scale, profile: Profile, stages: Sequence[StageName]) -> None:
    """Raises UserError before anything is loaded; asks nothing where there is no GPU."""
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
        if problem := why_not(sizes, stage, sharing, hardware):
            raise UserError(problem)


def why_not(sizes: Sizes, stage: StageName, sharing: Sharing, hardware: Hardware) -> str | None:
    """Need, what there is, and what would help; None where it fits."""
    sizes = settled(sizes, stage, sharing, hardware)
    need = memory_of(sizes, stage, sharing, hardware.devices, hardware.short)
    if need.total <= hardware.memory_bytes:
        return None
    parts = ", ".join(f"{name} {value / GIB:.1f}" for name, value in vars(need).items())
    return (
        f"{stage} of {sizes.scale.name} needs {need.total / GIB:.1f} GiB a device ({parts}); "
        f"{hardware.name} has {hardware.memory}. What would help:"
        + "".join(f"\n  - {line}" for line in _advice(sizes, stage, sharing, hardware))
    )


def _advice(sizes: Sizes, stage: StageName, sharing: Sharing, hardware: Hardware) -> list[str]:
    """On these devices one change at a time where that is enough, else all of them together; then
    on more of them."""
    scale, now, fewest = sizes.scale, hardware.devices, sizes.scale.max_length

    def first_fit(ways: Iterable[tuple[str, Scale, Sharing, int]]) -> list[str]:
        for what, changed, how, devices in ways:
            of = sizes.model_copy(update={"scale": changed})
            need = memory_of(of, stage, how, devices, hardware.short).total
            if need <= hardware.memory_bytes:
                return [f"{what} ({need / GIB:.1f} GiB)"]
        return []

    def with_rows(changed: Scale, tokens: int) -> Scale:
        rows = scale.stage(stage).model_copy(update={"row_tokens": tokens})
        return changed.model_copy(update={str(stage): rows})

    recomputed = scale.model_copy(update={"checkpointing": Checkpointing.FULL})
    tokens, shorter = scale.stage(stage).row_tokens, list[int]()
    while tokens > fewest:
        tokens = max(tokens // 2, fewest)
        shorter.append(tokens)
    shared = Sharing.FSDP2 if sharing is Sharing.NONE else sharing
    more = [devices for devices in sorted({now, *MORE_DEVICES}) if devices >= max(2, now)]
    turn_on = "" if sharing is shared else f"train: loop: sharding: {shared} in the profile, on "
    rows, every = f"{stage}: row_tokens: ", "all of these: checkpointing: full, "
    can_shrink = sharing is Sharing.NONE and hardware.is_gpu  # 4-bit weights can't be cut
    more = [] if scale.of_bitsandbytes else more
    least = with_rows(recomputed, fewest)
    alone: list[Iterable[tuple[str, Scale, Sharing, int]]] = [
        [("checkpointing: full in the scale", recomputed, sharing, now)],
        ((f"{rows}{n} in the scale", with_rows(scale, n), sharing, now) for n in shorter),
        ((f"{way} in the scale", it, sharing, now) for way, it in _smaller(scale) if can_shrink),
    ]
    together = [(f"{every}{rows}{fewest}", least, sharing, now)]
    together += [
        (f"{every}{rows}{fewest}, {way}", changed, sharing, now)
        for way, changed in _smaller(least)
        if can_shrink
    ]
    advice = [line for ways in alone for line in first_fit(ways)] or first_fit(together)
    advice += first_fit((f"{turn_on}{n} GPUs", scale, shared, n) for n in more) or first_fit(
        (f"{every}{rows}{fewest}, {turn_on}{n} GPUs", least, shared, n) for n in more
    )
    return advice or ["nothing here alone or together: take GPUs with more memory"]


def _smaller(scale: Scale) -> list[tuple[str, Scale]]:
    """With what bitsandbytes makes smaller and the scale has not yet: each alone, then both."""
    changes: dict[str, StrEnum] = {}
    if scale.optimizer is Optimizer.ADAMW:
        changes["optimizer"] = Optimizer.ADAMW_8BIT
    if scale.lora and not scale.quantization:
        changes["quantization"] = Quantization.NF4
    ways = [{name: value} for name, value in changes.items()]
    if len(changes) > 1:
        ways.append(changes)
    return [
        (", ".join(f"{name}: {value}" for name, value in way.items()), scale.model_copy(update=way))
        for way in ways
    ]
