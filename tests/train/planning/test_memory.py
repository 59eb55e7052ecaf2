import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from palo.errors import UserError
from palo.settings import LoopSettings
from tests.train.conftest import make_scale
from train.model.sizes import parameters, sizes_of
from train.planning.memory import (
    BUCKET_BYTES,
    CONTEXT_BYTES,
    GIB,
    LEAST_FIRST,
    Sharing,
    host_bytes,
    largest_row,
    memory_of,
    row_bytes,
    sharing_of,
    trained,
)
from train.scale import Checkpointing, LossKernel, StageName, load_scale

SCALES = Path(__file__).parents[3] / "train" / "scales"
ROOT = Path(__file__).parents[3]
NOWHERE = Path("/nowhere")
STAGE1, STAGE2 = StageName


def of(name, stage=STAGE2, sharing=Sharing.NONE, devices=1, **changes):
    changes = {"checkpointing": Checkpointing.FULL, **changes}
    scale = load_scale(name, SCALES).model_copy(update=changes)
    return memory_of(sizes_of(scale, NOWHERE), stage, sharing, devices)


def test_what_is_frozen_is_short_and_what_is_trained_has_sixteen_bytes():
    found = parameters(sizes_of(load_scale("7b", SCALES), NOWHERE))
    learned = found.projector + found.adapters
    memory = of("7b")
    frozen = found.language_model + found.tower
    assert memory.weights == 2 * frozen + 4 * learned
    assert (memory.gradients, memory.moments) == (4 * learned, 8 * learned)
    assert of("7b", STAGE1).weights == 2 * frozen + 4 * found.projector
    assert of("7b", STAGE1).moments == 8 * found.projector


def test_a_language_model_trained_in_full_is_stored_whole_from_stage_1_on():
    found = parameters(sizes_of(load_scale("1.7b", SCALES), NOWHERE))
    whole = found.language_model + found.projector
    assert of("1.7b", STAGE1).weights == 2 * found.tower + 4 * whole
    assert of("1.7b", STAGE1).moments == 8 * found.projector
    assert of("1.7b").moments == 8 * whole


@pytest.mark.parametrize(
    ("sharing", "weights", "gradients", "moments"),
    [
        (Sharing.NONE, 1, 1 / 2, 1),  # DDP's buckets hold the gradients once more
        (Sharing.ZERO1, 1, 1, 8),
        (Sharing.ZERO2, 1, 8, 8),
    ],
)
def test_what_eight_devices_divide(sharing, weights, gradients, moments):
    alone, shared = of("7b"), of("7b", sharing=sharing, devices=8)
    assert shared.weights == alone.weights / weights
    assert shared.gradients == alone.gradients / gradients
    assert shared.moments == alone.moments / moments


@pytest.mark.parametrize("sharing", [Sharing.ZERO3, Sharing.FSDP2])
def test_divided_weights_come_together_a_layer_at_a_time(sharing):
    scale = load_scale("7b", SCALES)
    sizes = sizes_of(scale, NOWHERE)
    alone, shared = of("7b"), of("7b", sharing=sharing, devices=8)
    held = trained(sizes, STAGE2)
    used = row_bytes(sizes, STAGE2, Checkpointing.FULL, *largest_row(sizes, STAGE2))
    assert shared.weights == -(-alone.weights // 8)
    assert shared.activations - used.kept == 2 * (2 * held.a_layer + held.outside)
    assert shared.gradients == alone.gradients / 8 + 4 * held.a_layer_trained
    inside = shared.total - shared.overhead
    assert shared.overhead == CONTEXT_BYTES + BUCKET_BYTES + int(inside * 0.05)


def test_the_largest_row_is_full_of_short_texts_with_images():
    scale = load_scale("7b", SCALES)
    sizes = sizes_of(scale, NOWHERE)
    assert largest_row(sizes, STAGE2) == (8192, 13, 6963)
    assert largest_row(sizes, STAGE1) == (8192, 13, 8192 - 13 * 576)


@pytest.mark.parametrize(("name", "gib"), [("1.7b", 32.6), ("7b", 26.8), ("13b", 44.5)])
def test_stage_2_of_the_published_scales_on_one_gpu(name, gib):
    assert round(of(name).total / GIB, 1) == gib


def test_less_is_kept_where_more_is_computed_again():
    none, selective, full = (of("7b", checkpointing=way).activations for way in LEAST_FIRST)
    assert none > selective > full


def test_the_liger_kernel_holds_no_logits():
    torchs, liger = (of("1.7b", loss_kernel=one) for one in (LossKernel.TORCH, LossKernel.LIGER))
    assert torchs.working == 12 * 32_064 * 6963
    assert liger.working < torchs.working


def test_on_a_cpu_all_is_whole_and_nothing_is_set_apart():
    scale = make_scale("7b")
    sizes = sizes_of(scale, NOWHERE)
    memory = memory_of(sizes, STAGE2, Sharing.NONE, 1, short=4)
    found = parameters(sizes)
    assert memory.weights == 4 * (found.total + found.adapters)
    assert memory.overhead == int((memory.total - memory.overhead) * 0.05)


@pytest.mark.parametrize(
    ("stage", "sharing"), [(0, "none"), (1, "zero-1"), (2, "zero-2"), (3, "zero-3")]
)
def test_deepspeeds_file_says_how_the_model_is_shared(tmp_path, stage, sharing):
    path = tmp_path / "ds.json"
    path.write_text(json.dumps({"zero_optimization": {"stage": stage}}), "utf-8")
    settings = LoopSettings(sharding="deepspeed", deepspeed_path=path)
    assert sharing_of(settings) == sharing


@pytest.mark.parametrize("text", ["{}", "[", '{"zero_optimization": {"stage": 9}}'])
def test_a_deepspeed_file_that_does_not_say_it_is_refused(tmp_path, text):
    path = tmp_path / "ds.json"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match=r"ds\.json does not say how to share the model"):
        sharing_of(LoopSettings(sharding="deepspeed", deepspeed_path=path))


def test_pictures_of_the_steps_that_workers_hold_ready():
    sizes = sizes_of(load_scale("7b", SCALES), NOWHERE)
    many = {"batch_size": 128, "devices": 8, "workers": 8}
    host = host_bytes(sizes, STAGE2, Sharing.NONE, **many)
    assert host["pictures"] == 16 * 3 * 336 * 336 * 17
    assert host["weights"] == host["weights_of_others"] == of("7b").weights
    shared = host_bytes(sizes, STAGE2, Sharing.FSDP2, **many)
    assert shared == {**host, "weights_of_others": 0}  # the first process reads for all


@pytest.mark.parametrize("kind", [("lora", "none"), ("full", "full")])
def test_a_real_step_takes_what_is_planned(kind):
    """The peak of a bf16 step on a CPU, of real classes: a fifth more than planned at most."""
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("step_peak.py")), *kind],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},
    )
    found = json.loads(run.stdout.splitlines()[-1])
    # 0.648 was seen beside other work: what is freed in time depends on it
    assert 0.6 < found["measured"] / found["planned"] < 1.2
