"""How large a scale's parts are, known without weights: what plans and the FLOP count start from.

From the model's own config.json where it is on this machine, else from sizes.yaml; a stand-in's
size follows from its settings. Nothing is downloaded.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from palo.errors import MissingResource
from palo.settings import Section
from train.scale import LanguageSource, Lora, ProjectorKind, Scale, TowerSource

PUBLISHED_PATH = Path(__file__).with_name("sizes.yaml")
VOCABULARY_MULTIPLE = 64  # train/model/assembly.py: 32000 and the image token give 32064


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
    language = sizes.language
    embeddings = language.vocabulary * language.hidden
    layer = sum(ins * outs for ins, outs in language.linears.values()) + 2 * language.hidden
    return Parameters(
        embeddings=embeddings,
        layers=language.layers * layer + language.hidden,
        head=0 if language.tied else embeddings,
        projector=_projector(sizes),
        tower=_tower(sizes),
        adapters=adapters_of(language, sizes.lora),
    )


def adapters_of(language: LanguageSize, lora: Lora | None) -> int:
    if lora is None:
        return 0
    return language.layers * sum(
        lora.rank * (ins + outs) for ins, outs in language.linears.values()
    )


def _projector(sizes: Sizes) -> int:
    """Two linear maps; the LDP adds two blocks (train/model/projector.py)."""
    seen, said = sizes.tower.hidden, sizes.language.hidden
    linears = seen * said + said + said * said + said
    if sizes.projector is ProjectorKind.MLP2:
        return linears
    squeezed = squeezed_channels(said)
    depthwise, norms = 9 * said, 4 * said
    gate = 2 * said * squeezed + squeezed + said
    return linears + 2 * (depthwise + norms + gate + said * said)


def squeezed_channels(channels: int) -> int:
    """A quarter, rounded to a multiple of 8 and never more than 10% below (MobileNet's rule)."""
    wanted = channels / 4
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _tower(sizes: Sizes) -> int:
    tower = sizes.tower
    width, wide = tower.hidden, tower.intermediate
    embeddings = width + 3 * tower.patch_size**2 * width + (sizes.patches + 1) * width
    attention = 4 * (width * width + width)
    layer = attention + 2 * width * wide + wide + width + 4 * width
    return embeddings + tower.layers * layer + 4 * width  # the norms before and after


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
    if source.standin is None:
        config = _config(source.name, source.revision)
        size = (
            LanguageSize.model_validate(_published("language_models", source.name))
            if config is None
            else _language_of(config)
        )
        return size.model_copy(update={"vocabulary": _with_image_token(size.vocabulary)})
    built = models_dir / source.name / "config.json"
    if built.is_file():
        return _language_of(_read(built))
    settings = source.standin
    return LanguageSize(
        hidden=settings.hidden_size,
        intermediate=settings.hidden_size * 8 // 3 // 16 * 16,  # sceneworld/standins/tiny.py
        layers=settings.layers,
        heads=settings.heads,
        kv_heads=settings.heads,
        vocabulary=settings.vocab_size,
        tied=True,
    )


def _tower_size(source: TowerSource, models_dir: Path) -> TowerSize:
    settings = source.standin
    if settings is None:
        config = _config(source.name, source.revision)
        if config is None:
            return TowerSize.model_validate(_published("vision_towers", source.name))
        return _tower_of(config)
    built = models_dir / source.name / "config.json"
    if built.is_file():
        return _tower_of(_read(built))
    return TowerSize(
        hidden=settings.hidden_size,
        intermediate=settings.hidden_size * 2,  # sceneworld/standins/tower.py
        layers=settings.layers,
        heads=settings.heads,
        patch_size=settings.patch_size,
    )


def _with_image_token(rows: int) -> int:
    return (rows + 1 + VOCABULARY_MULTIPLE - 1) // VOCABULARY_MULTIPLE * VOCABULARY_MULTIPLE


def _language_of(config: Mapping[str, Any]) -> LanguageSize:
    heads = config["num_attention_heads"]
    return LanguageSize(
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        vocabulary=config["vocab_size"],
        tied=bool(config.get("tie_word_embeddings", False)),
        head_size=config.get("head_dim") or 0,
    )


def _tower_of(config: Mapping[str, Any]) -> TowerSize:
    """Of a vision tower's config, or of a whole CLIP's, as the published ones are.

    What a CLIP's config leaves out is as CLIPVisionConfig's defaults have it.
    """
    vision = config.get("vision_config") or config
    return TowerSize(
        hidden=vision.get("hidden_size", 768),
        intermediate=vision.get("intermediate_size", 3072),
        layers=vision.get("num_hidden_layers", 12),
        heads=vision.get("num_attention_heads", 12),
        patch_size=vision.get("patch_size", 32),
    )


def _config(name: str, revision: str | None) -> dict[str, Any] | None:
    """The config.json of a folder or of the local hub cache; None where there is neither."""
    folder = Path(name)
    if (folder / "config.json").is_file():
        return _read(folder / "config.json")
    if folder.is_absolute():
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json", revision=revision)
    return _read(Path(found)) if isinstance(found, str) else None


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _published(kind: str, name: str) -> dict[str, Any]:
    known = _table(PUBLISHED_PATH)[kind]
    if name not in known:
        raise MissingResource(
            f"The size of {name} is not known here. Fetch its config.json "
            f"(hf download {name} config.json), or give its sizes in {PUBLISHED_PATH.name}. "
            f"Known: {' '.join(sorted(known))}"
        )
    return known[name]


@cache
def _table(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
