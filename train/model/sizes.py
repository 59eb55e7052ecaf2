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
they lower the utilisation (MFU) rather than raise it. Norms, activations and the optimizer are
left out.

Attention between tokens (queries x keys, weights x values) is counted where a step gives the sum
of its conversations' squared lengths; half of each square, for it is causal. MFU leaves it out.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from palo.errors import MissingResource
from palo.settings import Section
from train.scale import LanguageSource, Lora, ProjectorKind, Scale, StageName, TowerSource

PUBLISHED_PATH = Path(__file__).with_name("sizes.yaml")
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
    projector: ProjectorKind
    lora: Lora | None
    image_size: int
    feature_layer: int

    @property
    def patches(self) -> int:
        """Of one picture."""
        return (self.image_size // self.tower.patch_size) ** 2

    @property
    def image_tokens(self) -> int:
        return self.patches // 4 if self.projector is ProjectorKind.LDP else self.patches

    @property
    def tower_layers_read(self) -> int:
        """Layers that the features depend on: all but the last for feature layer -2."""
        layer = self.feature_layer
        return layer if layer >= 0 else self.tower.layers + 1 + layer


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
    if sizes.projector is ProjectorKind.LDP:  # and two blocks (train/model/assembly.py)
        squeezed = squeezed_channels(said)
        gate = 2 * said * squeezed + squeezed + said
        projector += 2 * (9 * said + 4 * said + gate + said * said)  # depthwise, norms, pointwise
    return Parameters(
        embeddings=embeddings,
        layers=language.layers * layer + language.hidden,
        head=0 if language.tied else embeddings,
        projector=projector,
        tower=places + tower.layers * tower_layer + 4 * width,  # the norms before and after
        adapters=_adapters(sizes),
    )


def _adapters(sizes: Sizes) -> int:
    if sizes.lora is None:
        return 0
    linears = sizes.language.linears.values()
    return sizes.language.layers * sizes.lora.rank * sum(ins + outs for ins, outs in linears)


def squeezed_channels(channels: int) -> int:
    """A quarter, rounded to a multiple of 8 and never more than 10% below (MobileNet's rule)."""
    wanted = channels / 4
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


# Operations


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
    language, is_second = sizes.language, stage is StageName.STAGE2
    factor = TRAINED if is_second and sizes.lora is None else FROZEN
    adapters = TRAINED * _adapters(sizes) if is_second else 0
    # Two products forward, four backward, 2 operations each, over half of the square.
    attention = language.layers * language.queries * (2 + 4) * 2 / 2
    return FlopCount(
        per_token=factor * language.layers * language.matrices + adapters,
        per_supervised=factor * language.vocabulary * language.hidden,
        per_image=_tower_flops(sizes) + _projector_flops(sizes),
        per_square=attention,
    )


def _tower_flops(sizes: Sizes) -> int:
    """The patches' convolution, then the layers up to the one that is read; no masks in it."""
    tower = sizes.tower
    places = sizes.patches + 1  # the class token
    convolution = 3 * tower.patch_size**2 * tower.hidden * sizes.patches
    matrices = 4 * tower.hidden**2 + 2 * tower.hidden * tower.intermediate
    attention = 2 * tower.hidden * places
    return FORWARD * (convolution + sizes.tower_layers_read * places * (matrices + attention))


def _projector_flops(sizes: Sizes) -> int:
    """Trained, but for the first map nothing lies before it that learns."""
    seen, said = sizes.tower.hidden, sizes.language.hidden
    linears = sizes.patches * (FROZEN * seen * said + TRAINED * said * said)
    if sizes.projector is ProjectorKind.MLP2:
        return linears
    block = 9 * said + said * said  # depthwise, pointwise
    places = sizes.patches + sizes.patches // 4  # the second block strides over 2 x 2
    gates = 2 * 2 * said * squeezed_channels(said)  # two maps, once an image and block
    return linears + TRAINED * (places * block + gates)


# Where sizes come from


def sizes_of(scale: Scale, models_dir: Path) -> Sizes:
    """`models_dir` is where stand-ins lie once they are built.

    Raises MissingResource for a model that is neither here nor in sizes.yaml.
    """
    return Sizes(
        language=_language_size(scale.language_model, models_dir),
        tower=_tower_size(scale.vision_tower, models_dir),
        projector=scale.projector,
        lora=scale.lora,
        image_size=scale.image_size,
        feature_layer=scale.feature_layer,
    )


def _language_size(source: LanguageSource, models_dir: Path) -> LanguageSize:
    config, settings = _config(source, models_dir), source.standin
    if config is not None:
        heads = config["num_attention_heads"]
        size = LanguageSize(
            hidden=config["hidden_size"],
            intermediate=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            vocabulary=config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings", False)),
            head_size=config.get("head_dim") or 0,
        )
    elif settings is not None:
        size = LanguageSize(
            hidden=settings.hidden_size,
            intermediate=settings.hidden_size * 8 // 3 // 16 * 16,  # sceneworld/standins/tiny.py
            layers=settings.layers,
            heads=settings.heads,
            kv_heads=settings.heads,
            vocabulary=settings.vocab_size,
            tied=True,
        )
    else:
        size = LanguageSize.model_validate(_published("language_models", source.name))
    if settings is not None:
        return size  # `<image>` has its place already
    rows = (size.vocabulary // VOCABULARY_MULTIPLE + 1) * VOCABULARY_MULTIPLE
    return size.model_copy(update={"vocabulary": rows})


def _tower_size(source: TowerSource, models_dir: Path) -> TowerSize:
    config, settings = _config(source, models_dir), source.standin
    if config is not None:  # of a tower, or of a whole CLIP, as the published ones are
        vision = config.get("vision_config") or config
        return TowerSize(  # what is left out is as CLIPVisionConfig's defaults have it
            hidden=vision.get("hidden_size", 768),
            intermediate=vision.get("intermediate_size", 3072),
            layers=vision.get("num_hidden_layers", 12),
            heads=vision.get("num_attention_heads", 12),
            patch_size=vision.get("patch_size", 32),
        )
    if settings is None:
        return TowerSize.model_validate(_published("vision_towers", source.name))
    return TowerSize(
        hidden=settings.hidden_size,
        intermediate=settings.hidden_size * 2,  # sceneworld/standins/tower.py
        layers=settings.layers,
        heads=settings.heads,
        patch_size=settings.patch_size,
    )


def _config(source: LanguageSource | TowerSource, models_dir: Path) -> dict[str, Any] | None:
    """The config.json of a stand-in, of a folder or of the local hub cache; None where there is
    none."""
    folder = Path(source.name) if source.standin is None else models_dir / source.name
    path = folder / "config.json"
    if not path.is_file():
        if source.standin is not None or folder.is_absolute():
            return None
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(source.name, "config.json", revision=source.revision)
        if not isinstance(cached, str):
            return None
        path = Path(cached)
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return config


def _published(kind: str, name: str) -> dict[str, Any]:
    known: dict[str, dict[str, Any]] = yaml.safe_load(PUBLISHED_PATH.read_text("utf-8"))[kind]
    if name not in known:
        raise MissingResource(
            f"The size of {name} is not known here. Fetch its config.json "
            f"(hf download {name} config.json), or give its sizes in {PUBLISHED_PATH.name}. "
            f"Known: {' '.join(sorted(known))}"
        )
    return known[name]
