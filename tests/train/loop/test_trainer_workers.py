"""Workers hand their steps over through /dev/shm, which is 64 MB in Docker unless asked."""

import os
from types import SimpleNamespace

import pytest

from palo.errors import UserError
from tests.train.loop.conftest import QUIET, make_job
from train.loop import trainer
from train.loop.trainer import require_shared_memory, run_stage


@pytest.fixture
def shared(monkeypatch):
    """Sets what is free in it."""

    def set_free(mib):
        there = SimpleNamespace(f_bavail=mib * 256, f_frsize=4096)
        monkeypatch.setattr(os, "statvfs", lambda path: there)

    return set_free


@pytest.fixture
def data():
    """As of 7b on eight GPUs: 16 pictures of 336 pixels a step and process, 5.2 MiB."""
    plan = SimpleNamespace(batch_size=128)
    pictures = SimpleNamespace(bytes_each=3 * 336 * 336)
    return SimpleNamespace(plan=plan, pictures=pictures, world_size=8)


def test_what_would_not_go_into_it_is_told_with_a_size_and_a_number_of_workers(shared, data):
    shared(64)
    with pytest.raises(UserError) as told:
        require_shared_memory(data, 8)
    assert str(told.value) == (
        "/dev/shm has 64 MiB free; 8 data workers a process hold up to 83 MiB of pictures in it. "
        "In Docker: --shm-size 166m (64m is its default); or train: loop: workers: 6 in "
        "pipelines.yaml."
    )
    require_shared_memory(data, 6)
    require_shared_memory(data, 0)
    shared(84)
    require_shared_memory(data, 8)


def test_the_processes_of_one_machine_share_it(shared, data, monkeypatch):
    shared(600)
    require_shared_memory(data, 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    with pytest.raises(UserError, match="up to 662 MiB"):
        require_shared_memory(data, 8)


def test_it_is_asked_before_the_first_step(shared, parts, tmp_path):
    learner, data = parts
    shared(0)
    with pytest.raises(UserError, match="2 data workers"):
        run_stage(learner, data, make_job(tmp_path, settings=with_workers(2)), trainer.note)
    assert data.plan.total_steps == 6
    assert not list(tmp_path.glob("checkpoint-*"))


def with_workers(count):
    return QUIET.model_copy(update={"workers": count})
