"""DeepSpeed's files, the SLURM script, and the settings that choose between them."""

import os
import signal
import subprocess
import time

import pytest
from accelerate.utils.deepspeed import HfDeepSpeedConfig
from pydantic import ValidationError

from palo.errors import MissingResource
from palo.settings import LoopSettings, load_profile
from tests.train.conftest import ROOT
from train import scale as scales
from train.planning.memory import sharing_of

PARALLEL = ROOT / "train" / "parallel"


@pytest.mark.parametrize("stage", [2, 3])
def test_deepspeeds_files_leave_to_transformers_what_the_scale_says(stage):
    path = PARALLEL / f"deepspeed-zero{stage}.json"
    config = HfDeepSpeedConfig(str(path))
    assert (config.is_zero2(), config.is_zero3()) == (stage == 2, stage == 3)
    assert config.get_value("gradient_accumulation_steps") == 1  # the loop counts a step's rows
    for key in ("bf16.enabled", "gradient_clipping", "train_micro_batch_size_per_gpu"):
        assert config.get_value(key) == "auto", key
    assert not {"optimizer", "scheduler"} & config.config.keys()
    settings = LoopSettings(sharding="deepspeed", deepspeed_path=path)
    assert sharing_of(settings) == f"zero-{stage}"


def test_deepspeed_and_its_file_go_together():
    with pytest.raises(ValidationError, match=r"needs deepspeed_path, as train/parallel/"):
        LoopSettings(sharding="deepspeed")
    with pytest.raises(ValidationError, match="has no effect with sharding: fsdp2"):
        LoopSettings(sharding="fsdp2", deepspeed_path="ds.json")


def sharing(**settings):
    profile = load_profile("sample", ROOT / "pipelines.yaml")
    train = profile.train.model_copy(update={"loop": LoopSettings(**settings)})
    return profile.model_copy(update={"train": train})


def test_what_sharing_needs_is_asked_before_anything_is_loaded(monkeypatch, capsys):
    zero = sharing(sharding="deepspeed", deepspeed_path=PARALLEL / "deepspeed-zero2.json")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    scales.require_sharing(zero)
    assert "deepspeed has no effect in a single process" in " ".join(
        capsys.readouterr().out.split()
    )
    monkeypatch.setenv("WORLD_SIZE", "2")
    scales.require_sharing(sharing(sharding="fsdp2"))
    monkeypatch.setattr(scales, "has_gpu", lambda: False)
    with pytest.raises(MissingResource, match="needs NVIDIA GPUs"):
        scales.require_sharing(zero)
    monkeypatch.setattr(scales, "has_gpu", lambda: True)
    monkeypatch.setattr(scales, "find_spec", lambda name: None)
    with pytest.raises(MissingResource, match="pip install deepspeed"):
        scales.require_sharing(zero)


def program(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def cluster(tmp_path):
    """Stand-ins for SLURM's programs, which write down how they were called."""
    program(
        tmp_path,
        "scontrol",
        f'[ "$1" = show ] && echo node7 && echo node8 || echo "$@" >> {tmp_path}/scontrol.txt',
    )
    program(
        tmp_path,
        "srun",
        f'echo "$@" > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/srun.txt; $DO',
    )
    slurm = {"SLURM_JOB_ID": "4711", "SLURM_NNODES": "2", "SLURM_GPUS_ON_NODE": "4"}
    path = f"{tmp_path}:{os.environ['PATH']}"
    return os.environ | slurm | {"PATH": path, "SLURM_JOB_NODELIST": "node[7-8]"}


def test_the_slurm_script_starts_torchrun_on_every_machine(cluster, tmp_path):
    script = PARALLEL / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    for ending in (0, 3):
        do = cluster | {"DO": f"exit {ending}"}
        assert subprocess.run(["bash", script, "7b"], env=do, cwd=ROOT).returncode == ending
    words = (tmp_path / "srun.txt").read_text("utf-8").split()
    assert "--nnodes 2 --nproc-per-node 4 --rdzv-id 4711" in " ".join(words)
    assert f"--rdzv-endpoint node7:{20000 + 4711}" in " ".join(words)
    assert " ".join(words).endswith("-m palo train --scale 7b")
    refused = subprocess.run(["bash", script], env=cluster, capture_output=True, text=True)
    assert "say which scale" in refused.stderr


def test_before_its_time_is_up_the_job_goes_back_into_the_queue(cluster, tmp_path):
    do = cluster | {"DO": "exec sleep 60"}
    job = subprocess.Popen(["bash", PARALLEL / "slurm.sh", "7b"], env=do, cwd=ROOT)
    until = time.monotonic() + 30
    while not (tmp_path / "srun.txt").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(timeout=30) != 0
    assert (tmp_path / "scontrol.txt").read_text("utf-8") == "requeue 4711\n"
