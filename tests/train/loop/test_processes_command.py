"""`torchrun -m palo train`, killed in between or not, gives the checkpoint of one process."""

import psutil
import pytest
import torch

from tests.train.loop.command import (
    FOREVER_S,
    TORCHRUN,
    finish,
    folders,
    put_aside,
    set_loop,
    start,
    wait_for,
    write_scale,
)
from train.loop.trainer import newest_complete
from train.model.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow

STAGES = {"max_steps": 4, "save_every_steps": 1, "learning_rate": 1e-3}


def ranks(torchrun):
    return [
        one
        for one in psutil.Process(torchrun.pid).children()
        if "palo" in one.cmdline() and one.environ().get("RANK") is not None
    ]


def assert_same(folder, wanted):
    model, _ = load_checkpoint(folder)
    assert model.config.palo["layout"] == "hf"
    found = put_aside(folder)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=1e-4, msg=name)


def test_a_killed_process_ends_the_others_and_the_run_goes_on(profile, tmp_path):
    config_path = tmp_path / "pipelines.yaml"
    write_scale(profile, "7b", **STAGES)
    folder, work = folders(profile, "7b")
    finish(start(config_path, "7b"))
    alone = put_aside(folder)
    torchrun = start(config_path, "7b", *TORCHRUN)
    wait_for((work / "stage2" / "checkpoint-1").is_dir, torchrun)
    ranks(torchrun)[1].kill()
    torchrun.communicate(timeout=FOREVER_S)
    assert torchrun.returncode != 0
    assert not folder.exists()
    assert newest_complete(work / "stage2") is not None
    finish(start(config_path, "7b", *TORCHRUN))
    assert not work.exists()
    assert_same(folder, alone)


def test_a_sharded_run_of_the_command_gives_the_checkpoint_of_one_process(profile, tmp_path):
    config_path = tmp_path / "pipelines.yaml"
    write_scale(profile, "1.7b", **STAGES)
    folder, _ = folders(profile, "1.7b")
    set_loop(config_path, sharding="fsdp2")
    assert "no effect in a single process" in finish(start(config_path, "1.7b"))
    alone = put_aside(folder)
    finish(start(config_path, "1.7b", *TORCHRUN))
    assert_same(folder, alone)
