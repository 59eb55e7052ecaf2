"""Whether a finished checkpoint is believed; what happens then stands in test_run.py."""

import os

import pytest

from palo.files import write_digests, write_json
from tests.train.conftest import make_scale
from train import run
from train.run import RECORD, stage2_inputs, train_scale


class Trains(Exception):
    pass


@pytest.fixture
def finished(profile, monkeypatch):
    """A checkpoint that says to be made of what the profile has, with weights and digests."""

    def fit(*unused):
        raise Trains

    monkeypatch.setattr(run, "require_fit", fit)
    scale = make_scale("7b")
    folder = profile.paths.checkpoint("7b")
    folder.mkdir(parents=True)
    write_json(folder / RECORD, {"inputs": stage2_inputs(scale, profile)})
    (folder / "model.safetensors").write_bytes(b"weights")
    write_digests(folder, folder.glob("*.safetensors"))
    return scale, profile, folder


def test_a_checkpoint_with_its_weights_is_up_to_date(finished, capsys):
    scale, profile, folder = finished
    assert train_scale(scale, profile) == folder
    (folder / "digests.json").unlink()  # one of before there were any
    assert train_scale(scale, profile) == folder
    assert "is up to date" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("digests", "data"),
    [(True, None), (True, b""), (True, b"weight"), (True, b"wEights"), (False, None)],
)
def test_a_checkpoint_without_its_weights_is_trained_again(finished, capsys, digests, data):
    scale, profile, folder = finished
    path = folder / "model.safetensors"
    path.write_bytes(data) if data is not None else path.unlink()
    if not digests:
        (folder / "digests.json").unlink()
    with pytest.raises(Trains):
        train_scale(scale, profile)
    assert "it is trained again" in capsys.readouterr().out


def test_an_adapter_that_cannot_be_used_is_told_and_nothing_trained(finished, capsys):
    scale, profile, folder = finished
    loop = profile.train.loop.model_copy(update={"keep_adapter": True})
    train = profile.train.model_copy(update={"loop": loop})
    assert train_scale(scale, profile.model_copy(update={"train": train})) == folder
    said = " ".join(capsys.readouterr().out.split())
    assert "7b-adapter/base cannot be used (its weights are missing)" in said
    assert "remove" in said and "train again" in said


@pytest.mark.parametrize("name", ["PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"])
def test_memory_grows_in_segments_unless_the_user_says_otherwise(finished, monkeypatch, name):
    scale, profile, _ = finished
    both = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
    for each in both:
        monkeypatch.setenv(each, "")  # so that it is as before afterwards
        monkeypatch.delenv(each)
    train_scale(scale, profile)
    assert os.environ["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
    monkeypatch.delenv("PYTORCH_ALLOC_CONF")
    monkeypatch.setenv(name, "backend:native")
    train_scale(scale, profile)
    assert [os.environ[each] for each in both if each in os.environ] == ["backend:native"]
