"""Bytes that the forward pass of one row leaves for its backward pass, counted tensor by tensor.

For transformers' Llama with `documents` attention, by the method of "Reducing Activation
Recomputation in Large Transformer Models" (arXiv 2205.05198, section 4). A token and layer keep, in
widths h (hidden), q (queries), k (keys), i (MLP) and bytes of a value, w (2 in bf16):

    both norms: their input in fp32                                            2 x 4h
    attention: queries, keys, values, output                                   w (2q + 2k)
    MLP: gate, its activation, up                                              w 3i
    LoRA, for each of its maps: the input, dropout's mask, rank r in between   w in + in + w r
    or, trained in full: each map's input, and what the norms give in fp32     w in + 2 x 4h

A test counts what PyTorch really saves, and finds these and nothing more.
"""

from dataclasses import dataclass

from train.model.sizes import LanguageSize, Sizes
from train.scale import Checkpointing, Lora, ProjectorKind, StageName

FULL_BYTES = 4  # fp32


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
        if checkpointing is Checkpointing.SELECTIVE:
            return self.input + self.products
        return self.input

    def again(self, checkpointing: Checkpointing) -> int:
        """Of the one layer that is being computed again."""
        if checkpointing is Checkpointing.NONE:
            return 0
        if checkpointing is Checkpointing.SELECTIVE:
            return max(0, self.all - self.products)
        return self.all


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


@dataclass(frozen=True)
class RowBytes:
    """Of one row: what stays until the backward pass comes to it, and what is there for a while."""

    kept: int
    layer: int  # the last layer, computed again, and the gradients within it
    logits: int  # gone before the layers' backward pass begins

    @property
    def peak(self) -> int:
        return self.kept + max(self.layer, self.logits)


def row_bytes(
    sizes: Sizes,
    stage: StageName,
    checkpointing: Checkpointing,
    tokens: int,
    images: int,
    supervised: int,
    short: int = 2,
) -> RowBytes:
    language = sizes.language
    second = stage is StageName.STAGE2
    layer = layer_bytes(
        language,
        sizes.lora if second else None,
        in_full=second and sizes.lora is None,
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


def logit_bytes(vocabulary: int, supervised: int) -> int:
    """Of the supervised tokens: log-probabilities, their gradient and that of the logits, fp32."""
    return 3 * FULL_BYTES * vocabulary * supervised
