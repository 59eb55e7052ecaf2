"""A small source, a scripted run, and a tiny translator that was really trained."""

import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from palo.paths import DataPaths
from palo.settings import SourceSettings, TranslatorSettings
from translate.cli import register
from translate.ingest import ingest
from translate.job import TranslationJob, load_prompt


def conversation(number):
    """Repeats questions, so that equal segments stand in several samples and shards."""
    human = f"<image>\nWhat is in part {number % 7} of the picture?"
    answer = f"Part {number % 7} shows star {number}, see https://example.org/{number}."
    values = [human, answer, "How many?\n<image>", "Two."]
    roles = ("human", "gpt")
    turns = [{"from": roles[at % 2], "value": text} for at, text in enumerate(values)]
    return {"id": number % 5, "image": f"{number}.jpg", "conversations": turns}


@pytest.fixture
def write_source():
    """Writes a LLaVA file of so many samples; the first ones are always the same."""

    def write(path: Path, num_samples=40):
        samples = [conversation(at) for at in range(num_samples)]
        path.write_text(json.dumps(samples), encoding="utf-8")
        return path

    return write


@pytest.fixture
def paths(tmp_path, write_source):
    """A data folder whose source has 40 samples in 6 shards."""
    source_path = write_source(tmp_path / "llava.json")
    found = DataPaths(tmp_path / "data")
    ingest(SourceSettings(path=source_path, shard_rows=7), found.source_dir)
    return found


@pytest.fixture
def settings(tmp_path):
    return TranslatorSettings(model="none", finetuned_dir=tmp_path / "tuned", max_attempts=3)


@pytest.fixture
def make_job(settings):
    def make(lang="fr", signature="scripted", **changes):
        changed = settings.model_copy(update=changes)
        return TranslationJob(lang, load_prompt(lang), signature, changed)

    return make


@pytest.fixture
def project(tmp_path, write_source, monkeypatch):
    """A folder with a pipelines.yaml of its own; returns its data folder."""
    write_source(tmp_path / "llava.json")
    translator = {"model": "data/model", "finetuned_dir": "data/tuned"}
    profile = {
        "description": "test",
        "data_dir": "data",
        "source": {"path": "llava.json", "shard_rows": 15},
        "translator": translator,
        "train": {"scales_dir": "s", "captions_path": "c", "captions_images_dir": "i"},
        "evaluate": {"questions_path": "q", "images_dir": "i"},
    }
    real = {**profile, "translator": {**translator, "model": "palo-tests/none", "engine": "vllm"}}
    real["source"] = {"path": "absent.json"}
    config = {"default_profile": "test", "profiles": {"test": profile, "real": real}}
    (tmp_path / "pipelines.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    return DataPaths(tmp_path / "data")


@pytest.fixture
def palo():
    """Runs a command of the stage; raises what it raises, returns what it prints."""

    def run(*arguments):
        app = typer.Typer()
        register(app)
        result = CliRunner().invoke(app, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run
