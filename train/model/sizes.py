"""How large a scale's parts are, known without weights, and the operations that a step needs.

Sizes come from the model's own config.json where it is on this machine, else from sizes.yaml; a
stand-in's size follows from its settings. Nothing is downloaded.

Floating-point operations are those that training needs by its model's definition. The convention,
for a matrix of n parameters and each token that goes through it:

    2n  forward
    2n  backward, to what came in
    2n  backward, to the matrix itself: only where it is trained

So 6n a token where a part is trained in full (arXiv 2001.08361, section 2.1), and 4n where it is
frozen but lies between the loss and what learns, as the language model does in stage 1 and under
LoRA, whose own matrices are trained: 6n. The frozen tower only runs forward: 2n a place. The head
runs on supervised tokens alone, as the loop does. Embeddings are looked up: nothing. What is
computed again to save memory, padding, and tower layers that no one reads are never counted, so
they lower the utilisation (MFU) rather than raise it. Norms and the optimizer are left out.

Attention between tokens (queries x keys, weights x values) is counted where a step gives the sum
of its conversations' squared lengths; half of each square, for it is causal. MFU leaves it out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.errors import MissingResource
from palo.files import read_json, read_yaml
from palo.hub import hub_json
from palo.settings import Section
from train.scale import ModelSource, ProjectorKind, Scale, StageName, StandinTower

VOCABULARY_MULTIPLE = 64  # Vicuna's 32000 becomes 32064 with the image token inside
FORWARD, FROZEN, TRAINED = 2, 4, 6  # operations a parameter and token


class LanguageSize(Section):
    """A Llama; `vocabulary` counts rows of the embeddings once `<image>` has its place."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool = False  # the head is the embeddings
    head_size: int = 0  # 0: hidden / heads

    @property
    def queries(self) -> int:
        """Width of all heads' queries together."""
        return self.heads * (self.head_size or self.hidden // self.heads)

    @property
    def keys(self) -> int:
        """Width of all heads' keys together, and of their values."""
        return self.kv_heads * (self.head_size or self.hidden // self.heads)

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of one layer's linear maps, by their name in transformers."""
        return {
            "q_proj": (self.hidden, self.queries),
            "k_proj": (self.hidden, self.keys),
            "v_proj": (self.hidden, self.keys),
            "o_proj": (self.queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def matrices(self) -> int:
        """Parameters of one layer's linear maps."""
        return sum(ins * outs for ins, outs in self.linears.values())


class TowerSize(Section):
    """A CLIP vision tower."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    patch_size: int


class Sizes(Section):
    """The parts of a scale's model."""

    language: LanguageSize
    tower: TowerSize
    scale: Scale

    @property
    def patches(self) -> int:
        """Of one picture."""
        return (self.scale.image_size // self.tower.patch_size) ** 2

    @property
    def image_tokens(self) -> int:
        return self.patches // 4 if self.scale.projector is ProjectorKind.LDP else self.patches

    @property
    def adapters(self) -> int:
        """Parameters of LoRA's matrices."""
        rank = self.scale.lora.rank if self.scale.lora else 0
        linears = self.language.linears.values()
        return self.language.layers * rank * sum(ins + outs for ins, outs in linears)


class Parameters(Section):
    """Parameters of each part; a tied head is counted with the embeddings."""

    embeddings: int
    layers: int  # of the language model, its last norm included
    head: int
    projector: int
    tower: int
    adapters: int  # LoRA; merged into the layers at the end of training

    @property
    def language_model(self) -> int:
        return self.embeddings + self.layers + self.head

    @property
    def total(self) -> int:
        """Of the model once trained, its adapters merged."""
        return self.language_model + self.projector + self.tower


def parameters(sizes: Sizes) -> Parameters:
    language, tower = sizes.language, sizes.tower
    embeddings = language.vocabulary * language.hidden
    layer = language.matrices + 2 * language.hidden
    width, wide = tower.hidden, tower.intermediate
    places = width + 3 * tower.patch_size**2 * width + (sizes.patches + 1) * width
    tower_layer = 4 * (width * width + width) + 2 * width * wide + wide + width + 4 * width
    said = language.hidden
    projector = width * said + said + said * said + said  # two linear maps
    if sizes.scale.projector is ProjectorKind.LDP:  # and two blocks (train/model/assembly.py)
        squeezed = squeezed_channels(said)
        gate = 2 * said * squeezed + squeezed + said
        projector += 2 * (9 * said + 4 * said + gate + said * said)  # depthwise, norms, pointwise
    return Parameters(
        embeddings=embeddings,
        layers=language.layers * layer + language.hidden,
        head=0 if language.tied else embeddings,
        projector=projector,
        tower=places + tower.layers * tower_layer + 4 * width,  # the norms before and after
        adapters=sizes.adapters,
    )


def squeezed_channels(channels: int) -> int:
    """A quarter, rounded to a multiple of 8 and never more than 10% below (MobileNet's rule)."""
    wanted = channels / 4
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


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


def flop_count(sizes: Sizes, stage: StageName) -> FlopCount:
    language, tower, patches = sizes.language, sizes.tower, sizes.patches
    is_second = stage is StageName.STAGE2
    factor = TRAINED if is_second and sizes.scale.lora is None else FROZEN
    # The tower: the patches' convolution, then the layers up to the one that is read; no masks.
    places = patches + 1  # the class token
    convolution = 3 * tower.patch_size**2 * tower.hidden * patches
    matrices = 4 * tower.hidden**2 + 2 * tower.hidden * tower.intermediate
    read = sizes.scale.feature_layer  # all layers but the last for -2
    read = read if read >= 0 else tower.layers + 1 + read
    layers = read * places * (matrices + 2 * tower.hidden * places)
    # The projector is trained, but for its first map nothing lies before it that learns.
    said = language.hidden
    projector = patches * (FROZEN * tower.hidden * said + TRAINED * said * said)
    if sizes.scale.projector is ProjectorKind.LDP:
        block = 9 * said + said * said  # depthwise, pointwise
        gates = 2 * 2 * said * squeezed_channels(said)  # two maps, once an image and block
        # the second block strides over 2 x 2
        projector += TRAINED * ((patches + patches // 4) * block + gates)
    return FlopCount(
        per_token=factor * language.layers * language.matrices
        + (TRAINED * sizes.adapters if is_second else 0),
        per_supervised=factor * language.vocabulary * said,
        per_image=FORWARD * (convolution + layers) + projector,
        # Two products forward, four backward, 2 operations each, over half of the square.
        per_square=language.layers * language.queries * (2 + 4) * 2 / 2,
    )


def sizes_of(scale: Scale, models_dir: Path) -> Sizes:
    """`models_dir`: where built stand-ins lie. Raises MissingResource for an unknown model."""
    config = _config(scale.language_model, models_dir, "language_models")
    heads, rows = config["num_attention_heads"], config["vocab_size"]
    if scale.language_model.standin is None:  # in a stand-in `<image>` has its place already
        rows = (rows // VOCABULARY_MULTIPLE + 1) * VOCABULARY_MULTIPLE
    language = LanguageSize(
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        vocabulary=rows,
        tied=bool(config.get("tie_word_embeddings", False)),
        head_size=config.get("head_dim") or 0,
    )
    clip = _config(scale.vision_tower, models_dir, "vision_towers")
    vision = clip.get("vision_config") or clip  # of a whole CLIP, as the published ones are
    tower = TowerSize(  # what is left out is as CLIPVisionConfig's defaults have it
        hidden=vision.get("hidden_size", 768),
        intermediate=vision.get("intermediate_size", 3072),
        layers=vision.get("num_hidden_layers", 12),
        heads=vision.get("num_attention_heads", 12),
        patch_size=vision.get("patch_size", 32),
    )
    return Sizes(language=language, tower=tower, scale=scale)


def _config(source: ModelSource[Any], models_dir: Path, kind: str) -> dict[str, Any]:
    """The config.json where it is here; else what a stand-in's settings or sizes.yaml say."""
    standin: Any = source.standin
    if standin is None:
        config = hub_json(source.name, source.revision, "config.json", local_files_only=True)
    else:
        config = dict(read_json(models_dir / source.name / "config.json", {}))
    if config:
        return config
    if standin is not None:
        width = standin.hidden_size
        size = {
            "hidden_size": width,
            "num_hidden_layers": standin.layers,
            "num_attention_heads": standin.heads,
        }
        if isinstance(standin, StandinTower):  # sceneworld/standins/tower.py
            return size | {"intermediate_size": 2 * width, "patch_size": standin.patch_size}
        size["intermediate_size"] = width * 8 // 3 // 16 * 16  # sceneworld/standins/tiny.py
        return size | {"vocab_size": standin.vocab_size, "tie_word_embeddings": True}
    known: dict[str, dict[str, Any]] = read_yaml(__file__, "sizes.yaml")[kind]
    if source.name not in known:
        raise MissingResource(
            f"The size of {source.name} is not known here. Fetch its config.json "
            f"(hf download {source.name} config.json), or give its sizes in sizes.yaml. "
            f"Known: {' '.join(sorted(known))}"
        )
    return known[source.name]
