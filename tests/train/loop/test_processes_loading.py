"""A model that two processes share is read by the first of them alone."""

import json

import pytest
import torch

from tests.train.conftest import make_scale
from tests.train.loop.command import set_loop, write_scale
from tests.train.loop.test_processes import torchrun
from train.scale import Part, ensure

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "short"), [("7b", True), ("1.7b", False)])
def test_only_the_first_process_holds_the_whole_model_and_all_get_its_very_tensors(
    profile, tmp_path, name, short
):
    config_path = tmp_path / "pipelines.yaml"
    write_scale(profile, name)
    set_loop(config_path, sharding="fsdp2")
    for part in Part:
        ensure(part, make_scale(name), profile)
    given = {"config": str(config_path), "scale": name, "folder": str(tmp_path), "short": short}
    done = torchrun("-m", "tests.train.loop.loading", json.dumps(given))
    assert done.returncode == 0, done.stderr[-4000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text("utf-8")) for rank in (0, 1))
    assert (second["first"], second["all"]) == (0, first["all"])
    assert first["first"] == first["all"] > 0
    assert first["smallest"] == second["smallest"] == 6
    wanted = torch.load(tmp_path / "all-0.pt")
    assert any("inv_freq" in key for key in wanted)
    for rank in (0, 1):
        tensors = torch.load(tmp_path / f"first-{rank}.pt")
        assert tensors.keys() == wanted.keys()
        for key, tensor in wanted.items():
            assert tensors[key].dtype == tensor.dtype, key
            assert tensors[key].equal(tensor), key
