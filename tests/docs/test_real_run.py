"""docs/real-run.md is what the rehearsal walks: its models and revisions are the settings' own."""

import json
import re

import pytest
import yaml

from benchmarks.harness import ROOT
from benchmarks.rehearsal import SMALLER, commands
from palo.settings import load_profile
from sceneworld.rehearsal import PUBLISHED
from train.scale import load_scale

MODELS = yaml.safe_load((PUBLISHED / "models.yaml").read_text("utf-8"))


def settings_models():
    profile = load_profile("palo", ROOT / "pipelines.yaml")
    wanted = {(profile.translator.model, profile.translator.revision)}
    for name in (path.stem for path in profile.train.scales_dir.glob("*.yaml")):
        scale = load_scale(name, profile.train.scales_dir)
        for source in (scale.language_model, scale.vision_tower):
            wanted.add((source.name, source.revision))
    return wanted


def test_the_page_downloads_each_model_of_the_profile_at_its_revision():
    line = re.compile(r"hf download (\S+) --revision ([0-9a-f]{40})")
    page = [found.groups() for found in map(line.fullmatch, commands()) if found]
    assert len(page) == len(set(page)) == 5
    assert set(page) == settings_models()


def test_the_rehearsal_has_the_same_models():
    assert {(model["name"], model["revision"]) for model in MODELS} == settings_models()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["name"])
def test_each_published_file_is_told_where_it_was_seen_and_narrow_fields_are_its_own(model):
    folder = PUBLISHED / model["name"].replace("/", "--")
    stored = {path.name for path in folder.iterdir()}
    unstored = {"tokenizer.model", "tokenizer.json"}  # stand-ins of the same kind and size
    assert stored <= set(model["seen"]) <= stored | unstored
    config = json.loads((folder / "config.json").read_text("utf-8"))
    for name in model["narrow"]:
        section, _, field = name.rpartition(".")
        assert field in config[section] if section else field in config


def test_every_command_is_of_the_palo_profile_and_smaller_numbers_are_the_pages():
    others = [line for line in commands() if not line.startswith("hf download ")]
    assert len(others) > 20
    assert all(line.endswith(" --profile palo") for line in others)
    text = "\n".join(others)
    assert all(real in text for real, _ in SMALLER)
