"""docs/real-run.md: its models and revisions are the settings', its hours the planner's."""

import json
import re

import pytest
import yaml

from benchmarks.harness import ROOT
from benchmarks.rehearsal import SMALLER, commands
from palo.settings import load_profile
from sceneworld import rehearsal
from tests.docs.page_commands import section
from train.model.sizes import flop_count, sizes_of
from train.planning.memory import hardware_for
from train.planning.plan import ASSUMED, ASSUMED_MFU, PUBLISHED, plan_steps, text_tokens
from train.scale import StageName, load_scale

MODELS = yaml.safe_load((rehearsal.PUBLISHED / "models.yaml").read_text("utf-8"))


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
    folder = rehearsal.PUBLISHED / model["name"].replace("/", "--")
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


@pytest.fixture
def gpu_hours(monkeypatch):
    """Of a stage, as `palo train --dry-run` without data; of one language's part alone."""
    profile = load_profile("palo", ROOT / "pipelines.yaml")

    def hours(scale, gpu, stage, lang=None):
        published = PUBLISHED[stage]
        part = {what: count for what, count in published.items() if lang in (what[0], None)}
        sizes = sizes_of(load_scale(scale, profile.train.scales_dir), ROOT / "nowhere")
        with monkeypatch.context() as patch:
            patch.setitem(PUBLISHED, stage, part)
            steps = plan_steps(sizes, stage, profile.train)
        operations = flop_count(sizes, stage).of(steps.tokens, steps.supervised, steps.images)
        peak = hardware_for(False, gpu, 1, None).peak_flops
        return operations / (peak * ASSUMED_MFU) / 3600

    return hours


def test_hours_of_training_are_the_planners(gpu_hours):
    page, rows = section("docs/real-run.md", "GPU-hours of training"), []
    for gpu, name in (("a100-80", "A100 80 GB"), ("h100", "H100")):
        for scale in ("1.7b", "7b", "13b"):
            stages = [gpu_hours(scale, gpu, stage) for stage in StageName]
            least, most = (gpu_hours(scale, gpu, StageName.STAGE2, lang) for lang in ("es", "bn"))
            told = f"{scale}, {name}" if scale == "1.7b" else scale
            cells = [told, *(f"{hours:.3g}" for hours in stages), f"{sum(stages) / 8:.1f} h"]
            rows.append(" | ".join([*cells, f"{least:.1f} to {most:.1f}"]))
    assert rows == re.findall(r"^\| ((?:1\.7b|7b|13b)\b.* to .*) \|$", page, re.MULTILINE)


def test_a_languages_part_of_training_is_the_planners(gpu_hours):
    page = section("docs/real-run.md", "GPU-hours of training")
    tables = [line.strip("| ").split(" | ") for line in page.splitlines() if "|" in line]
    (langs,) = (cells for cells in tables if cells[0] == "en")
    told = {cells[0]: cells[1:] for cells in tables}
    second = StageName.STAGE2
    assert set(langs) == {lang for lang, _ in PUBLISHED[second]}
    factors = [f"{ASSUMED['factors'][lang]:g}" for lang in langs]
    assert told["tokens for one of English"] == factors
    assert told["tokens of text a conversation"] == [str(text_tokens(second, on)) for on in langs]
    hours = [gpu_hours("7b", "h100", second, lang) for lang in langs]
    assert told["7b, H100-hours"] == [f"{each:.1f}" for each in hours]
    assert sum(hours) == pytest.approx(gpu_hours("7b", "h100", second))
