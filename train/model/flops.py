"""Floating-point operations that a step of training needs by its model's definition.

The convention, for a matrix of n parameters and each token that goes through it:

    2n  forward
    2n  backward, to what came in
    2n  backward, to the matrix itself: only where it is trained

So 6n a token where a part is trained in full (arXiv 2001.08361, section 2.1), and 4n where it is
frozen but lies between the loss and what learns, as the language model does in stage 1 and under
LoRA, whose own matrices are trained: 6n. The frozen tower only runs forward: 2n a place. The head
runs on supervised tokens alone, as the loop does. Embeddings are looked up: nothing. What is
computed again to save memory, padding, and tower layers that no one reads are never counted, so
they lower the utilisation (MFU) rather than raise it. Norms, activations and the optimizer are
left out.

Attention between tokens (queries x keys, weights x values) is counted where a step gives the sum
of its conversations' squared lengths; half of each square, for it is causal. MFU leaves it out.
"""

from dataclasses import dataclass

from train.model.sizes import LanguageSize, Sizes, adapters_of, squeezed_channels
from train.scale import ProjectorKind, StageName

FORWARD, FROZEN, TRAINED = 2, 4, 6  # operations a parameter and token


@dataclass(frozen=True)
class FlopCount:
    """Operations of one stage, by what they go with."""

    per_token: float
    per_supervised: float
    per_image: float
    per_square: float

    def of(self, tokens: int, supervised: int, images: int, squares: int = 0) -> float:
        """Of some conversations: their tokens (an image's among them, no padding), tokens with a
        label, images, and the sum of their lengths' squares where attention shall count."""
        return (
            self.per_token * tokens
            + self.per_supervised * supervised
            + self.per_image * images
            + self.per_square * squares
        )

    @property
    def per_token_headline(self) -> float:
        """The "4N" (or 6N) of a text token with a label: what reports of others give."""
        return self.per_token + self.per_supervised

    def per_token_packed(self, length: int) -> float:
        """The same with attention, in a conversation of so many tokens."""
        return self.per_token_headline + self.per_square * length


def flop_count(sizes: Sizes, stage: StageName) -> FlopCount:
    language = sizes.language
    in_full = stage is StageName.STAGE2 and sizes.lora is None
    adapters = adapters_of(language, sizes.lora) if stage is StageName.STAGE2 else 0
    matrices = language.layers * sum(ins * outs for ins, outs in language.linears.values())
    factor = TRAINED if in_full else FROZEN
    return FlopCount(
        per_token=factor * matrices + TRAINED * adapters,
        per_supervised=factor * language.vocabulary * language.hidden,
        per_image=_tower(sizes) + _projector(sizes),
        per_square=_attention(language),
    )


def _attention(language: LanguageSize) -> float:
    """Two products forward, four backward, 2 operations each, over half of the square."""
    return language.layers * language.queries * (2 + 4) * 2 / 2


def _tower(sizes: Sizes) -> int:
    """The patches' convolution, then the layers up to the one that is read; no masks in it."""
    tower = sizes.tower
    places = sizes.patches + 1  # the class token
    convolution = 3 * tower.patch_size**2 * tower.hidden * sizes.patches
    matrices = 4 * tower.hidden**2 + 2 * tower.hidden * tower.intermediate
    attention = 2 * tower.hidden * places
    return FORWARD * (convolution + sizes.tower_layers_read * places * (matrices + attention))


def _projector(sizes: Sizes) -> int:
    """Trained, but for the first map nothing lies before it that learns."""
    seen, said = sizes.tower.hidden, sizes.language.hidden
    linears = sizes.patches * (FROZEN * seen * said + TRAINED * said * said)
    if sizes.projector is ProjectorKind.MLP2:
        return linears
    block = 9 * said + said * said  # depthwise, pointwise
    places = sizes.patches + sizes.patches // 4  # the second block strides over 2 x 2
    gates = 2 * 2 * said * squeezed_channels(said)  # two maps, once an image and block
    return linears + TRAINED * (places * block + gates)
