"""A hub cache of this machine: what is whole in it, and what only looks so."""

import json
import os
import subprocess
import sys

import pytest

from palo.engines.open import CPU_BYTES, missing, not_here, wants_gpu
from palo.engines.stream import Weights
from palo.files import write_digests
from palo.hub import damage, with_weights
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


@pytest.mark.parametrize("index", ["{}", '{"weight_map": {}}'])
def test_an_index_that_names_no_file_is_no_model(snapshot, index):
    (snapshot / "model.safetensors.index.json").write_text(index)
    assert with_weights(MODEL) is None


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


def shards(folder):
    names = [f"model-{number}-of-2.safetensors" for number in (1, 2)]
    index = {"weight_map": dict(zip("ab", names, strict=True))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return names


KINDS = {
    "whole": lambda folder: ["model.safetensors"],
    "sharded": shards,
    "adapter": lambda folder: ["adapter_model.safetensors"],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("digests", [True, False])
def test_weights_that_are_gone_cut_or_changed_are_told(tmp_path, kind, digests):
    names = KINDS[kind](tmp_path)
    assert damage(tmp_path) == "its weights are missing"
    for name in names:
        (tmp_path / name).write_bytes(b"weights")
    if digests:
        write_digests(tmp_path, [tmp_path / name for name in names])
    assert damage(tmp_path) is None
    last = tmp_path / names[-1]
    if digests:  # without them nothing says what the bytes were
        last.write_bytes(b"w")
        assert damage(tmp_path) == f"{last.name} has 1 bytes, not the 7 that were written"
        last.write_bytes(b"wEights")
        assert damage(tmp_path) == f"{last.name} was changed after it was written"
    last.unlink()
    assert damage(tmp_path) == (f"{last.name} is missing" if digests else "its weights are missing")


OFFLINE = """
import os
from palo import hub
hub.stay_offline()
from huggingface_hub import constants
print(constants.HF_HUB_OFFLINE, os.environ["DISABLE_SAFETENSORS_CONVERSION"])
hub.go_online()
print(constants.HF_HUB_OFFLINE, os.environ.get("HF_HUB_OFFLINE"))
"""


@pytest.mark.parametrize(
    ("given", "told"),
    [(None, "True 1 False None"), ("0", "False 1 False 0"), ("1", "True 1 True 1")],
)
def test_nothing_is_fetched_unless_the_user_or_the_hub_itself_is_meant(given, told):
    kept = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    kept |= {} if given is None else {"HF_HUB_OFFLINE": given}
    done = subprocess.run([sys.executable, "-c", OFFLINE], env=kept, capture_output=True, text=True)
    assert done.stdout.split() == told.split(), done.stderr


def test_the_front_door_goes_offline_before_anything_could_ask_the_hub():
    program = (
        "import sys, palo.cli; assert 'huggingface_hub' not in sys.modules\n"
        "palo.cli.guarded = lambda app: 0\n"
        "try: palo.cli.main()\n"
        "except SystemExit: pass\n"
        "from huggingface_hub import constants; print(constants.HF_HUB_OFFLINE)"
    )
    kept = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    done = subprocess.run([sys.executable, "-c", program], env=kept, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr
