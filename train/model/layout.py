"""The two layouts of a checkpoint, what tells them apart, and their names side by side.

`hf` is ours: transformers' LLaVA under classic names. `llava` is the layout that LLaVA-1.5, PALO
and MobileVLM publish. A folder's `config.json` says which it is; its own name never does.
"""

import re
from enum import IntEnum, StrEnum
from pathlib import Path

BASE, ADAPTER = "base", "adapter"  # the two folders of a checkpoint that is not merged


def model_dir(folder: Path) -> Path | None:
    """Where a checkpoint's whole model lies: in the folder, or in its base beside an adapter."""
    base, adapter = folder / BASE, folder / ADAPTER
    if (folder / "config.json").is_file():
        return folder
    has_both = (base / "config.json").is_file() and (adapter / "adapter_config.json").is_file()
    return base if has_both else None


class Layout(StrEnum):
    HF = "hf"
    LLAVA = "llava"


class Part(StrEnum):
    """How much of a model a folder holds."""

    FULL = "full"
    PROJECTOR = "projector"  # stage 1 of the published trainer: the projector alone
    LORA = "lora"  # adapters on a language model that lies elsewhere, and the projector


class PublishedType(StrEnum):
    """`model_type` of the published layout: which code base loads the folder."""

    LLAVA = "llava"  # LLaVA-1.5 as first released
    LLAVA_LLAMA = "llava_llama"  # LLaVA from 1.6 on
    PALO = "palo"
    MOBILEVLM = "mobilevlm"


TOWER = "model.vision_tower.vision_tower."  # what precedes a CLIPVisionModel's names, published
PROJECTOR = "model.mm_projector."
PUBLISHED_EMBEDDINGS, PUBLISHED_HEAD = "model.embed_tokens.weight", "lm_head.weight"
EMBEDDINGS, HEAD = "language_model.model.embed_tokens.weight", "language_model.lm_head.weight"


class Naming(IntEnum):
    """How a module is called."""

    MEMORY = 0
    CLASSIC = 1  # in our files
    PUBLISHED = 2


_NAMES = (
    ("model.vision_tower.", "vision_tower.vision_model.", TOWER + "vision_model."),
    ("model.multi_modal_projector.linear_1.", "multi_modal_projector.linear_1.", PROJECTOR + "0."),
    ("model.multi_modal_projector.linear_2.", "multi_modal_projector.linear_2.", PROJECTOR + "2."),
    ("model.multi_modal_projector.model.", "multi_modal_projector.model.", PROJECTOR + "model."),
    ("model.language_model.", "language_model.model.", "model."),
    ("lm_head.", "language_model.lm_head.", "lm_head."),
)
# Spellings of transformers' versions between and since; all mean the first name above.
_TOWER_SPELLING = re.compile(r"^(model\.)?vision_tower\.(vision_model\.)?")
# Tables that older transformers stored and every version computes for itself.
_COMPUTED = (".rotary_emb.inv_freq", ".embeddings.position_ids")


def stored_as_classic(name: str) -> str | None:
    """The classic name of what some version of transformers has stored; None: not LLaVA's."""
    if name.startswith(tuple(classic for _, classic, _ in _NAMES)):
        return name
    return _renamed(_TOWER_SPELLING.sub("model.vision_tower.", name), Naming.MEMORY, Naming.CLASSIC)


def classic_name(name: str) -> str:
    """The name under which a parameter of a model in memory is stored."""
    classic = stored_as_classic(name)
    assert classic is not None, f"no classic name for parameter {name}"
    return classic


def other_name(classic: str, naming: Naming) -> str:
    """The name in memory, as adapters carry it, or the published one."""
    name = _renamed(classic, Naming.CLASSIC, naming)
    assert name is not None, f"no other name for {classic}"
    return name


def from_published(name: str) -> str | None:
    """The classic name of a published one; None where ours has no such parameter."""
    classic = _renamed(name, Naming.PUBLISHED, Naming.CLASSIC)
    is_other = name.startswith((PROJECTOR, "model.vision_tower."))  # than the language model's
    is_text = classic is not None and classic.startswith("language_model.")
    return None if is_other and is_text else classic


def projector_key(name: str) -> str:
    """The published name of a projector's tensor, whatever wrapper stands before it."""
    return PROJECTOR + name.split("mm_projector.", 1)[1]


def is_computed(name: str) -> bool:
    """A buffer of older versions, of either layout."""
    return name.endswith(_COMPUTED)


def _renamed(name: str, source: Naming, target: Naming) -> str | None:
    for row in _NAMES:
        if name.startswith(row[source]):
            return row[target] + name.removeprefix(row[source])
    return None
