"""Where a scale's vision tower and language model come from; stand-ins are built where missing.

A model is of a hub or of a folder. One with a `standin:` block is built on the spot, by builders
that the front door puts in (sceneworld's): nothing here knows how a toy is made. Stand-ins lie in
data/<profile>/models/ with a record of what they were made from: the same settings and the same
text and pictures are never trained on twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from palo.files import digest, file_digest, replaced_folder, uptodate, write_json
from palo.settings import Profile
from train.scale import Scale

RECORD = "palo.json"
VERSION = "12"  # raise it when the same settings train another stand-in


class Part(StrEnum):
    TOWER = "vision_tower"
    LANGUAGE_MODEL = "language_model"


Builder = Callable[[Scale, Profile, Path], None]  # saves a stand-in in an empty folder
standin_builders: dict[Part, Builder] = {}


@dataclass(frozen=True)
class Source:
    """Where to load a model from: a folder or a hub id, and what it depends on."""

    name: str
    revision: str | None
    inputs: str


def source_of(part: Part, scale: Scale, profile: Profile) -> Source:
    chosen = scale.vision_tower if part is Part.TOWER else scale.language_model
    if chosen.standin is None:
        return Source(chosen.name, chosen.revision, digest([chosen.name, chosen.revision]))
    settings = profile.train
    made_from: list[object] = [VERSION, chosen.standin.model_dump()]
    if part is Part.TOWER:
        made_from += [scale.image_size, scale.feature_layer]
    learned_from = settings.patches_path if part is Part.TOWER else settings.text_path
    assert learned_from is not None
    inputs = digest([*made_from, file_digest(learned_from)])
    return Source(str(profile.data_dir / "models" / chosen.name), None, inputs)


def ensure(part: Part, scale: Scale, profile: Profile) -> Source:
    """The source, after building the stand-in that it names where that is missing or stale."""
    source = source_of(part, scale, profile)
    folder = Path(source.name)
    chosen = scale.vision_tower if part is Part.TOWER else scale.language_model
    if chosen.standin is None or uptodate(folder / RECORD, source.inputs):
        return source
    with replaced_folder(folder) as fresh:
        standin_builders[part](scale, profile, fresh)
        write_json(fresh / RECORD, {"inputs": source.inputs})
    return source
