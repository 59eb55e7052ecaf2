"""`kill -9` at any moment costs the steps since the last checkpoint, and changes no bit."""

import random
import signal
import time

import pytest
from safetensors.torch import load_file

from tests.train.loop.command import finish, folders, put_aside, start, wait_for, write_scale
from train.loop.trainer import TRAINABLE, WRITING, newest_complete

pytestmark = pytest.mark.slow

FIRST_STEPS, STEPS = 2, 8
SEEDS = {"13b": (5, 7, 6, 1), "1.7b": (9, 6)}  # 13b: adapters with dropout; 1.7b: all is trained


def done(stage):
    newest = newest_complete(stage)
    return int(newest.name.split("-")[1]) if newest else 0


def kill_somewhere(process, work, draw):
    """At a drawn step of the stage that is at work: while it is written, or a moment later."""
    name, last = "stage1", FIRST_STEPS
    if done(work / name) == last:
        name, last = "stage2", STEPS
    stage = work / name
    step = min(done(stage) + draw.randint(1, 3), last)
    beside = stage / WRITING / f"checkpoint-{step}"
    if draw.random() < 0.6:
        wait_for(lambda: beside.is_dir() or (stage / beside.name).is_dir(), process)
    else:
        wait_for((stage / beside.name).is_dir, process)
        time.sleep(draw.uniform(0, 0.05))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("name", SEEDS)
def test_runs_that_are_killed_again_and_again_end_with_the_very_weights(profile, tmp_path, name):
    config_path = tmp_path / "pipelines.yaml"
    write_scale(profile, name, FIRST_STEPS, max_steps=STEPS, save_every_steps=1)
    folder, work = folders(profile, name)
    finish(start(config_path, name))
    undisturbed = put_aside(folder)
    for seed in SEEDS[name]:
        process = start(config_path, name)
        kill_somewhere(process, work, random.Random(seed))
        assert not folder.exists()
    held = load_file(newest_complete(work / "stage2") / TRAINABLE)
    assert any("multi_modal_projector" in key for key in held)
    assert any("lora_A" in key for key in held) == (name == "13b")
    finish(start(config_path, name))
    assert not work.exists()
    resumed = load_file(folder / "model.safetensors")
    assert resumed.keys() == undisturbed.keys()
    assert all(resumed[key].equal(tensor) for key, tensor in undisturbed.items())
