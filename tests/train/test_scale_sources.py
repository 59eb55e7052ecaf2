"""Where models come from, and that a stand-in is built once, by whoever brought a builder."""

import json

import pytest

from palo.files import digest
from tests.train.conftest import make_scale
from train import scale as scales
from train.scale import Part, Source, ensure, source_of


@pytest.fixture
def built(monkeypatch):
    """The parts that a builder was asked for, in order."""
    asked = []

    def build(part):
        def save(scale, profile, folder):
            assert list(folder.iterdir()) == []
            (folder / "model.safetensors").write_text(scale.name)
            asked.append(part)

        return save

    monkeypatch.setattr(scales, "standin_builders", {part: build(part) for part in Part})
    return asked


def test_a_model_of_a_hub_is_what_its_name_and_revision_say_and_nothing_is_built(profile, built):
    scale = make_scale("7b")
    chosen = scale.vision_tower.model_copy(update={"name": "a/tower", "standin": None})
    scale = scale.model_copy(update={"vision_tower": chosen})
    expected = Source("a/tower", None, digest(["a/tower", None]))
    assert source_of(Part.TOWER, scale, profile) == ensure(Part.TOWER, scale, profile) == expected
    assert built == []


@pytest.mark.parametrize("part", Part)
def test_a_stand_in_is_built_once_and_again_when_its_settings_change(part, profile, built):
    scale = make_scale("7b")
    source = ensure(part, scale, profile)
    folder = profile.data_dir / "models" / getattr(scale, part).name
    assert source.name == str(folder)
    assert json.loads((folder / scales.STANDIN_RECORD).read_text()) == {"inputs": source.inputs}
    assert ensure(part, scale, profile) == source
    assert built == [part]
    (folder / "model.safetensors").unlink()
    assert ensure(part, scale, profile) == source
    assert built == [part, part]
    chosen = getattr(scale, part)
    settings = chosen.standin.model_copy(update={"seed": 8})
    changed = scale.model_copy(update={part: chosen.model_copy(update={"standin": settings})})
    assert ensure(part, changed, profile).inputs != source.inputs
    assert built == [part, part, part]


def test_the_tower_depends_on_the_image_size_and_the_language_model_does_not(profile):
    scale = make_scale("7b")
    other = scale.model_copy(update={"image_size": 96})
    assert source_of(Part.TOWER, scale, profile) != source_of(Part.TOWER, other, profile)
    language = [source_of(Part.LANGUAGE_MODEL, each, profile) for each in (scale, other)]
    assert language[0] == language[1]
