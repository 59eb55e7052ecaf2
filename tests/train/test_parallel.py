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
from tests.train.conftest import ROOT, make_scale
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
    scale = make_scale("7b")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    scales.require_sharing(scale, zero)
    assert "deepspeed has no effect in a single process" in " ".join(
        capsys.readouterr().out.split()
    )
    monkeypatch.setenv("WORLD_SIZE", "2")
    scales.require_sharing(scale, sharing(sharding="fsdp2"))
    monkeypatch.setattr(scales, "has_gpu", lambda: False)
    with pytest.raises(MissingResource, match="needs NVIDIA GPUs"):
        scales.require_sharing(scale, zero)
    monkeypatch.setattr(scales, "has_gpu", lambda: True)
    monkeypatch.setattr(scales, "find_spec", lambda name: None)
    with pytest.raises(MissingResource, match="pip install deepspeed"):
        scales.require_sharing(scale, zero)


def program(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def cluster(tmp_path):
    """A folder to run the script in, with stand-ins for SLURM's programs and for Python, which
    write down how they were called; $DO is what a task does then."""
    program(
        tmp_path,
        "scontrol",
        f'[ "$1" = show ] && echo node7 && echo node8 || echo "$@" >> {tmp_path}/scontrol.txt',
    )
    program(
        tmp_path,
        "srun",
        f'echo $1 $2 > {tmp_path}/srun.txt; shift 2\nSLURM_PROCID=5 SLURM_LOCALID=1 exec "$@"',
    )
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program(
        tmp_path / ".venv" / "bin",
        "python",
        f'(echo "$@"; env) > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/python.txt; $DO',
    )
    slurm = {
        "SLURM_JOB_ID": "4711",
        "SLURM_NTASKS": "8",
        "SLURM_NTASKS_PER_NODE": "4",
        "SLURM_CPUS_PER_TASK": "12",
        "SLURM_JOB_NODELIST": "node[7-8]",
    }
    return os.environ | slurm | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_the_slurm_script_starts_a_task_a_gpu(cluster, tmp_path):
    script = PARALLEL / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    subprocess.run(["bash", script, "7b"], env=cluster, cwd=tmp_path, check=True)
    asked, *told = (tmp_path / "python.txt").read_text("utf-8").splitlines()
    assert asked == "-m palo train --scale 7b"
    assert {
        "RANK=5",
        "LOCAL_RANK=1",
        "WORLD_SIZE=8",
        "LOCAL_WORLD_SIZE=4",
        "MASTER_ADDR=node7",
        f"MASTER_PORT={20000 + 4711}",
        "SRUN_CPUS_PER_TASK=12",
        "PROFILE=palo",
    } <= set(told)
    # as soon as the first one ended srun would kill those that still save
    assert (tmp_path / "srun.txt").read_text("utf-8") == "--kill-on-bad-exit=0 --wait=120\n"
    refused = subprocess.run(["bash", script], env=cluster, capture_output=True, text=True)
    assert "say which scale" in refused.stderr


@pytest.mark.parametrize("ending", [0, 1, 3, os.EX_TEMPFAIL])
def test_a_job_goes_back_into_the_queue_after_it_has_saved_alone(cluster, tmp_path, ending):
    do = cluster | {"DO": f"exit {ending}"}
    job = subprocess.run(["bash", PARALLEL / "slurm.sh", "7b"], env=do, cwd=tmp_path)
    assert job.returncode == ending
    told = tmp_path / "scontrol.txt"
    assert (told.read_text("utf-8") if told.exists() else "") == (
        "requeue 4711\n" if ending == os.EX_TEMPFAIL else ""
    )


def test_a_job_that_is_cancelled_saves_and_stays_out_of_the_queue(cluster, tmp_path):
    program(tmp_path, "saves", f"until [ -e {tmp_path}/go ]; do sleep 0.02; done; exit 75")
    do = cluster | {"DO": "exec saves"}
    job = subprocess.Popen(["bash", PARALLEL / "slurm.sh", "7b"], env=do, cwd=tmp_path)
    until = time.monotonic() + 30
    while not (tmp_path / "python.txt").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)
    (tmp_path / "go").touch()
    assert job.wait(timeout=30) == os.EX_TEMPFAIL
    assert not (tmp_path / "scontrol.txt").exists()
