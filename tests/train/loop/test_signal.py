"""A signal before the end: all processes save, and the next run ends with the very weights."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch

from tests.train.conftest import ROOT
from tests.train.loop.command import (
    FOREVER_S,
    end,
    environment,
    finish,
    folders,
    put_aside,
    set_loop,
    start,
    wait_for,
    write_scale,
)
from tests.train.loop.conftest import QUIET, STAGE, make_data, make_job, make_learner, tick
from train.loop import trainer
from train.loop.processes import heeding_signals, was_asked_to_end
from train.loop.trainer import EndedEarly, newest_complete, run_stage

STAGES = {"max_steps": 8, "save_every_steps": 100, "learning_rate": 1e-3}


def start_two(config_path, name):
    """Two processes that train together, started as SLURM does: one by one."""
    with socket.create_server(("localhost", 0)) as held:
        port = held.getsockname()[1]
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "palo", "train", "--scale", name],
            env=environment(config_path) | together | {"RANK": rank, "LOCAL_RANK": rank},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in "01"
    ]


def ended(both):
    """What each printed, and its exit code."""
    try:
        return [(each.communicate(timeout=FOREVER_S)[0], each.returncode) for each in both]
    except subprocess.TimeoutExpired:
        for each in both:
            end(each)
        raise


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sent", "to"), [("13b", signal.SIGUSR1, 1), ("1.7b", signal.SIGTERM, 0)]
)
def test_one_process_is_told_and_all_save_and_end(profile, tmp_path, name, sent, to):
    config_path = tmp_path / "pipelines.yaml"
    write_scale(profile, name, **STAGES)
    if name == "1.7b":
        set_loop(config_path, sharding="fsdp2")
    folder, work = folders(profile, name)
    assert [code for _, code in ended(start_two(config_path, name))] == [0, 0]
    undisturbed = put_aside(folder)
    both = start_two(config_path, name)
    wait_for((work / "stage2" / "started.json").is_file, both[0])
    both[to].send_signal(sent)
    for said, code in ended(both):
        assert code == os.EX_TEMPFAIL, said[-4000:]
        assert "The same command goes on from there." in said
    last = newest_complete(work / "stage2")
    assert last is not None and not folder.exists()
    assert [code for _, code in ended(start_two(config_path, name))] == [0, 0]
    resumed = put_aside(folder)
    assert resumed.keys() == undisturbed.keys()
    assert all(torch.equal(resumed[key], held) for key, held in undisturbed.items())


@pytest.mark.slow
def test_a_process_alone_is_ended_too(profile, tmp_path):
    config_path = tmp_path / "pipelines.yaml"
    write_scale(profile, "7b", **STAGES)
    folder, work = folders(profile, "7b")
    process = start(config_path, "7b")
    wait_for((work / "stage2" / "started.json").is_file, process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=FOREVER_S)
    assert process.returncode == os.EX_TEMPFAIL, said[-4000:]
    finish(start(config_path, "7b"))
    assert folder.is_dir() and not work.exists()


def test_a_signal_is_remembered_within_and_as_before_outside():
    before = signal.getsignal(signal.SIGUSR1)
    with heeding_signals():
        assert not was_asked_to_end()
        signal.raise_signal(signal.SIGUSR1)
        assert was_asked_to_end()
    assert signal.getsignal(signal.SIGUSR1) is before
    with heeding_signals():
        assert not was_asked_to_end()


def test_a_forked_worker_can_still_be_ended():
    def work():
        begun.set()
        time.sleep(60)

    fork = multiprocessing.get_context("fork")
    begun = fork.Event()
    with heeding_signals():
        worker = fork.Process(target=work)
        worker.start()
        assert begun.wait(60)
        worker.terminate()
        worker.join(30)
        assert worker.exitcode is not None and not was_asked_to_end()


def test_the_step_after_the_signal_is_saved_and_the_last(tmp_path):
    learner, tokenizer = make_learner()
    stage = STAGE.model_copy(update={"save_every_steps": 100})
    data = make_data(tmp_path, learner, tokenizer, stage)
    seen = []

    def at(advance=1, text=""):
        seen.append(advance)
        if sum(seen) == 2:
            signal.raise_signal(signal.SIGUSR1)

    with heeding_signals(), pytest.raises(EndedEarly, match="saved step 3 of 6") as told:
        run_stage(learner, data, make_job(tmp_path, stage), at)
    assert told.value.exit_code == 75
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-3"


def test_the_first_process_saves_by_the_clock(tmp_path, monkeypatch):
    learner, tokenizer = make_learner()
    stage = STAGE.model_copy(update={"save_every_steps": 100, "save_last": 9})
    data = make_data(tmp_path, learner, tokenizer, stage)
    settings = QUIET.model_copy(update={"save_every_minutes": 2.0})
    minutes = iter(range(1000))
    clock = SimpleNamespace(monotonic=lambda: 60.0 * next(minutes))
    monkeypatch.setattr(trainer, "time", clock)
    run_stage(learner, data, make_job(tmp_path, stage, settings), tick)
    steps = sorted(int(path.name[11:]) for path in tmp_path.glob("checkpoint-*"))
    assert steps[-1] == 6 and len(steps) > 1
