"""A hub cache of this machine: what is whole in it, and what only looks so."""

import json

import pytest

from palo.engines.open import CPU_BYTES, missing, not_here, wants_gpu
from palo.engines.stream import Weights
from palo.hub import with_weights
from palo.settings import EngineKind

MODEL, REVISION = "palo-tests/small", "0" * 40


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """The folder of a snapshot with a config alone, as asking for one leaves it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--palo-tests--small" / "snapshots" / REVISION
    folder.mkdir(parents=True)
    (folder.parents[1] / "refs").mkdir()
    (folder.parents[1] / "refs" / "main").write_text(REVISION)
    (folder / "config.json").write_text("{}")
    return folder


def test_a_snapshot_with_a_config_alone_is_no_model(snapshot, monkeypatch):
    monkeypatch.setattr("palo.engines.open.has_gpu", lambda: True)
    assert with_weights(MODEL) is None
    (lack,) = missing(EngineKind.TRANSFORMERS, Weights(MODEL))
    assert lack == f"model {MODEL} in the Hugging Face cache: run `hf download {MODEL}`"
    (snapshot / "model.safetensors").write_bytes(b"w")
    assert with_weights(MODEL) == with_weights(MODEL, REVISION) == snapshot
    assert missing(EngineKind.TRANSFORMERS, Weights(MODEL)) == []


@pytest.mark.parametrize("kind", ["model.safetensors", "pytorch_model.bin"])
def test_a_download_that_was_cut_short_is_no_model(snapshot, kind):
    parts = [f"part-{number}-of-2.{kind.rpartition('.')[2]}" for number in (1, 2)]
    index = {"weight_map": {"a": parts[0], "b": parts[1], "c": parts[1]}}
    (snapshot / f"{kind}.index.json").write_text(json.dumps(index))
    (snapshot / parts[0]).write_bytes(b"w")
    assert with_weights(MODEL) is None
    (snapshot / parts[1]).symlink_to(snapshot / "gone")  # the cache's files are links
    assert with_weights(MODEL) is None
    (snapshot / "gone").write_bytes(b"w")
    assert with_weights(MODEL) == snapshot


def test_weights_in_either_format_do(snapshot):
    index = {"weight_map": {"a": "part-1.bin"}}
    (snapshot / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (snapshot / "model.safetensors").write_bytes(b"w")
    assert with_weights(MODEL) == snapshot


def test_a_folder_is_its_own_and_an_unknown_name_is_nowhere(snapshot, tmp_path):
    (snapshot / "pytorch_model.bin").write_bytes(b"w")
    assert with_weights(str(snapshot)) == snapshot
    assert with_weights("palo-tests/none") is None
    assert with_weights(str(tmp_path / "none")) is None


def test_only_a_model_too_large_for_a_cpu_wants_a_gpu(snapshot, monkeypatch):
    monkeypatch.setattr("palo.engines.open.has_gpu", lambda: False)
    assert wants_gpu(MODEL, None)  # what is not here can't be weighed
    for size, wanted in ((CPU_BYTES, False), (CPU_BYTES + 1, True)):
        with (snapshot / "model.safetensors").open("wb") as file:
            file.truncate(size)  # a hole, not a gigabyte
        assert wants_gpu(MODEL, None) == wanted
        assert len(missing(EngineKind.TRANSFORMERS, Weights(MODEL))) == wanted


def test_what_is_missing_is_told_with_its_size_and_its_revision():
    line = not_here("vision tower", "openai/clip", "abc", 1.7)
    assert line == (
        "vision tower openai/clip in the Hugging Face cache, 1.7 GB: "
        "run `hf download openai/clip --revision abc`"
    )
