"""7b with random weights from its first step to served answers, and its translator's adapter.

    make test-gpu                                                # the true size, on an NVIDIA GPU
    .venv/bin/python -m pytest tests/test_true_size.py -k tiny   # the same, narrow, on a CPU

The true size wants a GPU of 40 GiB and, below pytest's temporary folder, 60 GB of disk (45 with one
GPU alone). What runs is in tests/true_size.py.
"""

import math
import shutil

import pytest
import torch

from benchmarks.harness import apart
from tests import true_size
from tests.true_size import ANSWER_TOKENS, STEPS, Project
from train.model.sizes import parameters, sizes_of
from train.scale import StageName

pytest.importorskip("vllm", reason="vLLM is not installed")
SIZES = [
    pytest.param(False, id="tiny", marks=pytest.mark.slow),
    pytest.param(True, id="true", marks=[pytest.mark.gpu, pytest.mark.timeout(2400)]),
]
# Of what the plan says, the least and the most that a stage may take; it is for rows full of text
# and pictures, which the micro world's are not quite. A CPU's libraries take memory of their own.
BOUNDS = {True: (0.8, 1.05), False: (0.25, 4)}
UNLEARNED = math.log(32_000)  # the loss of one who says each piece as often


@pytest.fixture(scope="module", params=SIZES)
def project(request, tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("size"), request.param)
    apart(true_size.build, made)
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture(scope="module")
def memory(project):
    """(taken, planned) bytes by stage; the scale is trained then."""
    return {stage: apart(true_size.learn, project, stage) for stage in StageName}


def test_both_stages_take_the_memory_that_the_plan_says(project, memory):
    least, most = BOUNDS[project.is_true]
    for stage, (taken, planned) in memory.items():
        assert least < taken / planned < most, (stage, taken, planned)


def test_losses_begin_as_those_of_random_weights(project, memory):
    losses = project.losses()
    assert [len(losses[stage]) for stage in StageName] == [STEPS, STEPS]
    assert all(UNLEARNED - 0.5 < loss < UNLEARNED + 2 for each in losses.values() for loss in each)


def test_the_checkpoint_is_whole_and_holds_what_was_learned(project, memory):
    from train.model.checkpoint import load_checkpoint

    model, _ = load_checkpoint(project.profile.paths.checkpoint("7b"), torch.bfloat16)
    sizes = sizes_of(project.scale(), project.folder)
    assert sum(tensor.numel() for tensor in model.parameters()) == parameters(sizes).total
    weights = project.folder / "language_model" / "pytorch_model.bin"
    began = torch.load(weights, mmap=True, weights_only=True)
    for name in ("q_proj", "down_proj"):  # LoRA's, merged
        of_layer = "self_attn" if name == "q_proj" else "mlp"
        place = f"layers.0.{of_layer}.{name}"
        ends = model.model.language_model.get_submodule(place).weight
        assert not ends.equal(began[f"model.{place}.weight"].to(torch.bfloat16)), name


@pytest.mark.vllm
def test_vllm_answers_every_question_from_the_checkpoint(project, memory):
    said = true_size.ask(project)
    assert said["mean"]["questions"] == sum(row["questions"] for row in said["languages"].values())
    assert len(said["languages"]) == 10
    assert all(row["answer"] for row in said["examples"])


def test_two_processes_that_share_the_model_learn_the_same(project, memory):
    if torch.cuda.device_count() == 1:
        pytest.skip("needs two GPUs, or none")
    true_size.learn_together(project)
    ours, theirs = project.losses("7b-shared"), project.losses()
    for stage in StageName:
        assert ours[stage] == pytest.approx(theirs[stage], rel=0.01)


@pytest.mark.vllm
def test_vllm_translates_with_the_adapter_that_was_trained(project):
    loss = apart(true_size.tune, project)
    assert loss is not None and loss > 0
    alone, adapted = true_size.translate(project)
    assert len(alone) == len(adapted) == len(true_size.pairs())
    for result in (*alone, *adapted):
        assert not result.error and 0 < result.output_tokens <= ANSWER_TOKENS
    assert [result.text for result in alone] != [result.text for result in adapted]
