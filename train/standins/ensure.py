"""Finds the tower and language model of a scale; builds stand-ins that are missing or stale.

Stand-ins lie in data/<profile>/models/ with a record of what they were made from: the same
settings and the same text and pictures are never trained on twice.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.console import progress
from palo.files import digest, file_digest, replaced_folder, uptodate, write_json
from palo.settings import Profile
from train.scale import Scale

RECORD = "palo.json"
VERSION = "12"  # raise it when the same settings train another stand-in


@dataclass(frozen=True)
class Source:
    """Where to load a model from: a folder or a hub id, and what it depends on."""

    name: str
    revision: str | None
    inputs: str


def tower_source(scale: Scale, profile: Profile) -> Source:
    chosen = scale.vision_tower
    if chosen.standin is None:
        return Source(chosen.name, chosen.revision, digest([chosen.name, chosen.revision]))
    assert profile.train.patches_path is not None
    made_from = digest(
        [
            VERSION,
            chosen.standin.model_dump(),
            scale.image_size,
            scale.feature_layer,
            file_digest(profile.train.patches_path),
        ]
    )
    return Source(str(profile.data_dir / "models" / chosen.name), None, made_from)


def language_source(scale: Scale, profile: Profile) -> Source:
    chosen = scale.language_model
    if chosen.standin is None:
        return Source(chosen.name, chosen.revision, digest([chosen.name, chosen.revision]))
    assert profile.train.text_path is not None
    made_from = digest([VERSION, chosen.standin.model_dump(), file_digest(profile.train.text_path)])
    return Source(str(profile.data_dir / "models" / chosen.name), None, made_from)


def ensure_tower(scale: Scale, profile: Profile) -> Source:
    source, settings = tower_source(scale, profile), scale.vision_tower.standin
    if settings is None or _is_current(source):
        return source
    from train.standins.tower import label_patches, read_pixels, train_tower

    rows = _read_lines(profile.train.patches_path)
    images_dir = profile.train.captions_images_dir
    pixels = read_pixels([images_dir / row["image"] for row in rows], scale.image_size)
    labels = label_patches([row["cells"] for row in rows], scale.image_size // settings.patch_size)
    with progress("stand-in vision tower", settings.steps) as tick:
        tower = train_tower(
            settings, scale.image_size, scale.feature_layer, pixels, labels, _say(tick)
        )
    _keep(source, tower.save_pretrained)
    return source


def ensure_language_model(scale: Scale, profile: Profile) -> Source:
    source, settings = language_source(scale, profile), scale.language_model.standin
    if settings is None or _is_current(source):
        return source
    from train.standins.language import train_language_model
    from train.standins.text import make_tokenizer, read_scenes

    scenes = read_scenes(_read_lines(profile.train.text_path))
    tokenizer = make_tokenizer(scenes, settings.vocab_size)
    with progress("stand-in language model", settings.steps) as tick:
        model = train_language_model(settings, scenes, tokenizer, _say(tick))
    _keep(source, model.save_pretrained, tokenizer.save_pretrained)
    return source


def _say(tick: Callable[..., None]) -> Callable[[str], None]:
    return lambda text: tick(1, text)


def _is_current(source: Source) -> bool:
    return uptodate(Path(source.name) / RECORD, source.inputs) is not None


def _keep(source: Source, *writers: Callable[[Path], Any]) -> None:
    with replaced_folder(Path(source.name)) as fresh:
        for write in writers:
            write(fresh)
        write_json(fresh / RECORD, {"inputs": source.inputs})


def _read_lines(path: Path | None) -> list[dict[str, Any]]:
    assert path is not None
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]
