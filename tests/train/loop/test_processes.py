"""Two processes on the CPU (gloo) learn what one does, and go on from each other's checkpoints."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from palo.settings import Sharding
from tests.train.conftest import ROOT
from tests.train.loop.conftest import assert_close, paint
from tests.train.loop.stages import Case, as_json, named, train
from train.loop.trainer import OPTIMIZER, TRAINABLE, newest_complete

pytestmark = pytest.mark.slow

HANGS_S = 240  # a run takes some 20 s; processes that wait for one another never end
SHARED = [Sharding.NONE, Sharding.FSDP2]
FULL, LORA = Case("", "", "1.7b", untied=True), Case("", "", "7b", lora=True, recomputed=True)
KINDS = {"full": FULL, "lora": LORA, "empty": Case("", "", "1.7b", batch=1, untied=True)}


def environment():
    kept = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")}
    return kept | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}


def torchrun(*words, timeout=HANGS_S, **options):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*command, "--nproc-per-node", "2", *words],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        **options,
    )


def two_processes(cases):
    done = torchrun("-m", "tests.train.loop.stages", as_json(cases))
    assert done.returncode == 0, done.stderr[-4000:]


def learned(folder):
    return load_file(newest_complete(folder) / TRAINABLE)


def losses(folder):
    return [
        {key: value for key, value in row.items() if key.startswith("loss") or key == "grad_norm"}
        for row in json.loads((folder / "log.json").read_text("utf-8"))
        if "loss" in row
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of every kind, with one process and with two, whole and cut off after step 3."""
    root = tmp_path_factory.mktemp("processes")
    images = str(paint(root / "images"))
    alone, together = [], []
    for kind, case in KINDS.items():
        case = named(case, "", images=images)
        alone.append(named(case, root / "one" / kind))
        for sharding in SHARED:
            several = [
                named(case, root / sharding / kind),
                named(case, root / f"{sharding}-again" / kind, stop=4),
                named(case, root / f"{sharding}-again" / kind),
                named(case, root / f"{sharding}-then-one" / kind, stop=4),
            ]
            together += [named(one, one.folder, sharding=sharding) for one in several]
    begun = named(LORA, root / "one-then-two", images=images)
    alone.append(named(begun, begun.folder, stop=4))
    together.append(named(begun, begun.folder, sharding=Sharding.FSDP2))
    for case in alone:
        log = train(case)
        (root / case.folder / "log.json").write_text(json.dumps(log), "utf-8")
    two_processes(together)
    return root


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sharding", SHARED)
def test_losses_by_language_norms_and_weights_are_those_of_one_process(trained, sharding, kind):
    ours, theirs = losses(trained / sharding / kind), losses(trained / "one" / kind)
    assert len(ours) == len(theirs) == 6
    for mine, one in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(one, rel=1e-4, abs=1e-5)
    assert_close(learned(trained / sharding / kind), learned(trained / "one" / kind), 1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sharding", SHARED)
def test_a_resumed_run_of_two_processes_ends_with_the_very_weights(trained, sharding, kind):
    whole, again = learned(trained / sharding / kind), learned(trained / f"{sharding}-again" / kind)
    assert all(again[name].equal(tensor) for name, tensor in whole.items())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sharding", SHARED)
def test_one_process_goes_on_from_a_checkpoint_of_two(trained, sharding, kind):
    folder = trained / f"{sharding}-then-one" / kind
    assert newest_complete(folder).name == "checkpoint-2"
    train(named(KINDS[kind], folder, images=str(trained / "images")))
    assert_close(learned(folder), learned(trained / "one" / kind), 1e-5)


def test_two_processes_go_on_from_a_checkpoint_of_one(trained):
    assert_close(learned(trained / "one-then-two"), learned(trained / "one" / "lora"), 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sharded_checkpoint_has_the_files_names_and_shapes_of_one_process(trained, kind):
    one, two = (newest_complete(trained / of / kind) for of in ("one", Sharding.FSDP2))
    shapes = [{k: v.shape for k, v in load_file(path / TRAINABLE).items()} for path in (one, two)]
    assert shapes[0] == shapes[1]
    states = [torch.load(path / OPTIMIZER, weights_only=True) for path in (one, two)]
    assert states[0]["state"].keys() == states[1]["state"].keys()
    for index, state in states[0]["state"].items():
        for name, tensor in state.items():
            other = states[1]["state"][index][name]
            torch.testing.assert_close(other, tensor, atol=1e-5, rtol=1e-4)
    projector = [name for name in shapes[1] if "multi_modal_projector" in name]
    assert projector
