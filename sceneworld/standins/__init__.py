"""Tiny towers, language models and translators in place of CLIP, Vicuna and a translation LLM.

BUILDERS are what makes the stand-ins of a scale with a `standin:` block.
"""

import json
from pathlib import Path
from typing import Any

from palo.console import progress
from palo.settings import Profile
from train.scale import Part, Scale


def build_tower(scale: Scale, profile: Profile, folder: Path) -> None:
    from sceneworld.standins.tower import label_patches, read_pixels, train_tower

    settings, images_dir = scale.vision_tower.standin, profile.train.captions_images_dir
    assert settings is not None
    rows = _read_lines(profile.train.patches_path)
    pixels = read_pixels([images_dir / row["image"] for row in rows], scale.image_size)
    labels = label_patches([row["cells"] for row in rows], scale.image_size // settings.patch_size)
    sizes = (scale.image_size, scale.feature_layer)
    with progress("stand-in vision tower", settings.steps) as tick:
        tower = train_tower(settings, *sizes, pixels, labels, lambda text: tick(1, text))
    tower.save_pretrained(folder)


def build_language_model(scale: Scale, profile: Profile, folder: Path) -> None:
    from sceneworld.standins.language import train_language_model
    from sceneworld.standins.text import make_tokenizer, read_scenes

    settings = scale.language_model.standin
    assert settings is not None
    scenes = read_scenes(_read_lines(profile.train.text_path))
    tokenizer = make_tokenizer(scenes, settings.vocab_size)
    with progress("stand-in language model", settings.steps) as tick:
        model = train_language_model(settings, scenes, tokenizer, lambda text: tick(1, text))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


BUILDERS = {Part.TOWER: build_tower, Part.LANGUAGE_MODEL: build_language_model}


def _read_lines(path: Path | None) -> list[dict[str, Any]]:
    assert path is not None
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
