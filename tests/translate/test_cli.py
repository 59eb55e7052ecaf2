"""The commands as a person runs them, with the scripted engine where a model is not the point."""

import json

import pytest
import typer
from typer.testing import CliRunner

from palo.errors import MissingResource, UserError
from palo.paths import DataPaths, source_root
from palo.settings import EngineKind, load_profile
from palo.shards import read_translated, shard_paths
from translate.cli import _tell_width, register


def test_first_line_names_the_profile_and_the_last_the_audit(project, palo):
    output = palo("translate", "--lang", "fr,ur", "--engine", "scripted")
    lines = output.strip().split("\n")
    assert lines[0].startswith("palo translate --lang fr,ur · profile test · data ")
    accounts = [line for line in lines if ": 40 samples, 160 turns = " in line]
    assert [line[:2] for line in accounts] == ["fr", "ur"]
    (together,) = [line for line in lines if line.startswith("together")]
    assert together.split() == ["together", "320", "0", "320", "0", "0", "98"]
    assert "Audit of fr, ur: all 320 source turns are in the shards;" in output
    assert len(shard_paths(project.translated("ur"))) == 3


def test_another_file_is_translated_beside_the_profiles_own_data(
    project, tmp_path, write_source, palo
):
    palo("translate", "--lang", "fr", "--engine", "scripted")
    before = [path.read_bytes() for path in shard_paths(project.source_dir)]
    other = write_source(tmp_path / "other.json", 3)
    palo("translate", "--lang", "fr", "--engine", "scripted", "--source", str(other))
    beside = DataPaths(source_root(project.root, other))
    (path,) = shard_paths(beside.translated("fr"))
    assert len(read_translated(path)) == 3
    assert [path.read_bytes() for path in shard_paths(project.source_dir)] == before


def test_malformed_samples_and_a_broken_tail_are_told(project, tmp_path, palo):
    text = (tmp_path / "llava.json").read_text()
    (tmp_path / "bad.json").write_text('[{"id": 1}, ' + text[1:-50])
    output = palo("translate", "--lang", "fr", "--engine", "scripted", "--source", "bad.json")
    assert "Set aside: 1 malformed samples" in output
    assert "bad.json is broken" in output
    assert "fr: 39 samples, 156 turns" in output


def test_everything_that_is_missing_is_listed_before_any_work(project, monkeypatch, palo):
    monkeypatch.setattr("palo.engines.open.has_gpu", lambda: False)
    with pytest.raises(MissingResource) as error:
        palo("translate", "--lang", "ur", "--profile", "real")
    lines = str(error.value).split("\n")
    assert lines[0] == "Profile 'real' cannot translate here. Missing:"
    assert "absent.json" in lines[1]
    assert "hf download palo-tests/none" in lines[2]
    assert "an NVIDIA GPU" in lines[3]
    assert not project.root.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("translate", "--lang", "urd"), "Did you mean 'ur'"),
        (("translate", "--lang", "en"), "source language"),
        (("translate", "--lang", "ur", "--engine", "vlm"), "Did you mean 'vllm'"),
        (("translate", "--lang", "ur", "--profile", "tes"), "Did you mean 'test'"),
        (("translate", "--lang", "ur", "--source", "none.json"), "check the path"),
        (("translate", "--lang", "ur"), "palo translator pretrain"),
        (("translator", "train", "--lang", "ur"), "palo translator pretrain"),
    ],
)
def test_mistakes_are_answered_with_what_to_do(project, arguments, said, palo):
    with pytest.raises(UserError, match=said):
        palo(*arguments)


def test_seed_translates_a_part_into_shards_of_its_own(project, palo):
    output = palo("translator", "seed", "--lang", "ur,fr", "--num", "5", "--engine", "scripted")
    assert "Seed: 5 samples" in output
    for lang in ("ur", "fr"):
        (path,) = shard_paths(project.seed_dir / lang)
        assert len(read_translated(path)) == 5
    # what the seed translated is in the memory: translating everything sends only the rest
    output = palo("translate", "--lang", "ur", "--engine", "scripted")
    assert " 0 segments sent" not in output
    whole = json.loads((project.translated("ur") / "manifest.json").read_text())
    assert whole["turns"] == 160


def test_lang_must_be_given():
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, ["translate"])
    assert result.exit_code == 2
    assert "--lang" in result.output


def test_the_first_lines_tell_which_gpus_a_run_will_use(project, monkeypatch, capsys):
    def told(gpus, **changes):
        for place in ("palo.engines.open", "translate.cli"):
            monkeypatch.setattr(f"{place}.visible_gpus", lambda: gpus)
        settings = load_profile("real").translator.model_copy(update=changes)
        _tell_width(EngineKind.VLLM, settings)
        return capsys.readouterr().out.strip()

    every = {"data_parallel_size": None}
    assert told(8, **every) == "GPUs: 8 of 8, 8 x the model on 1"
    assert told(7, tensor_parallel_size=2, **every) == "GPUs: 6 of 7, 3 x the model on 2"
    assert told(8) == "GPUs: 1 of 8, 1 x the model on 1; data_parallel_size: auto would use all"
    assert told(0, **every) == told(0) == ""
    with pytest.raises(UserError, match="want 4 GPUs"):
        told(2, data_parallel_size=4)
