"""`palo train` as users start it: a process of its own, or several under torchrun."""

import os
import subprocess
import sys
import time

import psutil
import yaml
from safetensors.torch import load_file

from tests.train.conftest import ROOT, make_scale

FOREVER_S = 240  # a run takes some 20 s; processes that wait for one another never end
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def write_scale(profile, name, first_steps=2, **stages):
    """The micro scale as a file, so that the command finds it; `first_steps`: of stage 1."""
    scale = make_scale(name).model_dump(mode="json", exclude={"name"})
    for stage in ("stage1", "stage2"):
        scale[stage] |= stages
    scale["stage1"]["max_steps"] = first_steps
    path = profile.train.scales_dir / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(scale), "utf-8")


def set_loop(config_path, **settings):
    config = yaml.safe_load(config_path.read_text("utf-8"))
    config["profiles"]["sample"]["train"]["loop"] = settings
    config_path.write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")


def environment(config_path):
    """One thread a process: what is bit-equal is so for one number of threads."""
    kept = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")}
    kept |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    return kept | {"PALO_CONFIG": str(config_path)}


def start(config_path, name, *launcher):
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "palo", "train", "--scale", name],
        env=environment(config_path),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    """What it printed; fails where it hangs or ends badly."""
    try:
        said, _ = process.communicate(timeout=FOREVER_S)
    except subprocess.TimeoutExpired:
        end(process)
        raise
    assert process.returncode == 0, said[-4000:]
    return said


def end(process):
    for one in [*psutil.Process(process.pid).children(recursive=True), process]:
        one.kill()


def wait_for(happens, process):
    """Until it happens; fails where the process ends before."""
    began = time.monotonic()
    while not happens():
        assert process.poll() is None, process.communicate()[0][-4000:]
        assert time.monotonic() - began < FOREVER_S
        time.sleep(0.001)


def folders(profile, name):
    """The checkpoint, and where it lies while it is being trained."""
    folder = profile.paths.checkpoint(name)
    return folder, folder.with_name(f"{name}.work")


def put_aside(folder):
    """The weights of a finished checkpoint, which is then not there any more."""
    weights = load_file(folder / "model.safetensors")
    folder.rename(folder.with_name(f"{folder.name}-{time.monotonic_ns()}"))
    return weights
