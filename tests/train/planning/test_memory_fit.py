from dataclasses import replace
from pathlib import Path

import pytest

from palo.errors import UserError
from train import run
from train.model.sizes import sizes_of
from train.planning import memory
from train.planning.memory import (
    AUTO_SHARE,
    GIB,
    LEAST_FIRST,
    Hardware,
    Sharing,
    checkpointing_of,
    hardware_for,
    memory_of,
    require_fit,
    settled,
    why_not,
)
from train.scale import Checkpointing, StageName, load_scale

SCALES = Path(__file__).parents[3] / "train" / "scales"
NOWHERE = Path("/nowhere")


def problem(name, gpu, gpus=1, sharing=Sharing.NONE, **changes):
    scale = load_scale(name, SCALES).model_copy(update=changes)
    sizes = sizes_of(scale, NOWHERE)
    hardware = hardware_for(False, gpu, gpus, None)
    return why_not(sizes, StageName.STAGE2, sharing, hardware)


def test_the_published_runs_fit_their_eight_a100s():
    for name in ("1.7b", "7b", "13b"):
        assert problem(name, "a100-80", 8) is None


def test_need_and_what_there_is_and_each_way_out_are_said():
    assert problem("13b", "a100-40") == (
        "stage2 of 13b needs 44.5 GiB a device (weights 26.8, gradients 2.0, moments 4.0, "
        "activations 4.6, working 3.7, overhead 3.5); a100-40 has 39.4 GiB. What would help:\n"
        "  - stage2: row_tokens: 2048 in the scale (38.8 GiB)\n"
        "  - quantization: nf4 in the scale (26.3 GiB)\n"
        "  - train: loop: sharding: fsdp2 in the profile, on 2 GPUs (29.9 GiB)"
    )


def test_recomputation_is_advised_where_it_is_off():
    text = problem("7b", "a100-80", checkpointing=Checkpointing.NONE)
    assert "  - checkpointing: full in the scale (26.8 GiB)\n" in text
    assert "  - stage2: row_tokens: 4096 in the scale (53.6 GiB)" in text


@pytest.mark.parametrize("name", ["1.7b", "7b", "13b"])
def test_auto_computes_again_as_little_as_leaves_a_tenth_free(name):
    sizes = sizes_of(load_scale(name, SCALES), NOWHERE)
    stage = StageName.STAGE2

    def chosen(memory_bytes):
        device = Hardware(1, "card", int(memory_bytes), None)
        return settled(sizes, stage, Sharing.NONE, device).scale.checkpointing

    needs = []
    for way in LEAST_FIRST:
        scale = sizes.scale.model_copy(update={"checkpointing": way})
        of = sizes.model_copy(update={"scale": scale})
        needs.append(memory_of(of, stage, Sharing.NONE, 1).total / AUTO_SHARE)
    assert needs == sorted(needs, reverse=True)
    none, selective, _ = needs
    assert [chosen(none + 1), chosen(none - 1)] == [Checkpointing.NONE, Checkpointing.SELECTIVE]
    assert chosen(selective - 1) is Checkpointing.FULL
    assert chosen(GIB) is Checkpointing.FULL  # it does not fit, and is refused elsewhere


def test_auto_is_settled_stage_by_stage_and_is_everything_without_a_gpu(profile):
    scale = load_scale("7b", SCALES)
    card = hardware_for(False, "a100-80", 8, None)
    assert [*checkpointing_of(scale, profile, card).values()] == ["none", "full"]
    cpu = Hardware(1, "CPU", 2**50, None, is_gpu=False)
    for nothing in (None, cpu):
        assert {*checkpointing_of(scale, profile, nothing).values()} == {Checkpointing.FULL}
    unknown = scale.language_model.model_copy(update={"name": "someone/new-llama"})
    new = scale.model_copy(update={"language_model": unknown})
    assert {*checkpointing_of(new, profile, card).values()} == {Checkpointing.FULL}
    asked = scale.model_copy(update={"checkpointing": Checkpointing.SELECTIVE})
    assert {*checkpointing_of(asked, profile, card).values()} == {Checkpointing.SELECTIVE}


def test_the_runs_first_lines_tell_what_auto_has_become(profile, capsys):
    scale, card = load_scale("7b", SCALES), hardware_for(False, "h100", 1, None)
    assert run._checkpointing(scale, profile, replace(card, is_here=True)) == {
        StageName.STAGE1: Checkpointing.NONE,
        StageName.STAGE2: Checkpointing.FULL,
    }
    told = "checkpointing auto: none in stage1, full in stage2 (79.1 GiB free)\n"
    assert capsys.readouterr().out == told
    run._checkpointing(scale.model_copy(update={"checkpointing": "full"}), profile, card)
    assert capsys.readouterr().out == ""


def test_more_gpus_are_advised_where_the_model_is_shared_already():
    text = problem("13b", "l4", 2, sharing=Sharing.FSDP2)
    assert text.endswith("  - 4 GPUs (21.3 GiB)")


def test_what_no_single_change_mends_may_fit_with_all():
    scale = load_scale("13b", SCALES).model_copy(update={"checkpointing": Checkpointing.NONE})
    small = Hardware(1, "small", 20 * GIB, None)
    text = why_not(sizes_of(scale, NOWHERE), StageName.STAGE2, Sharing.NONE, small)
    assert "  - all of these: checkpointing: full, stage2: row_tokens: 2048, train: loop:" in text


def test_a_gpu_that_nothing_helps_is_said_to_be_too_small():
    tiny = Hardware(1, "tiny", GIB, None)
    scale = load_scale("7b", SCALES)
    text = why_not(sizes_of(scale, NOWHERE), StageName.STAGE2, Sharing.NONE, tiny)
    assert text.endswith("take GPUs with more memory")


def test_a_run_that_cannot_fit_never_starts(profile, monkeypatch):
    scale = load_scale("7b", SCALES)
    monkeypatch.setattr(memory, "here", lambda: Hardware(1, "NVIDIA L4", 22 * GIB, None))
    with pytest.raises(UserError, match=r"stage2 of 7b needs 26\.8 GiB a device"):
        require_fit(scale, profile, list(StageName))
    require_fit(scale, profile, [StageName.STAGE1])
    little = Hardware(1, "NVIDIA L4", GIB, None, is_here=True)
    monkeypatch.setattr(memory, "here", lambda: little)
    with pytest.raises(UserError, match=r"NVIDIA L4 has 1\.0 GiB free\."):
        require_fit(scale, profile, [StageName.STAGE1])
    monkeypatch.setattr(memory, "here", lambda: None)
    require_fit(scale, profile, list(StageName))


def test_a_model_of_unknown_size_is_not_held_up(profile, monkeypatch, capsys):
    scale = load_scale("7b", SCALES)
    source = scale.language_model.model_copy(update={"name": "someone/new-llama"})
    monkeypatch.setattr(memory, "here", lambda: Hardware(1, "NVIDIA L4", GIB, None))
    changed = scale.model_copy(update={"language_model": source})
    require_fit(changed, profile, [StageName.STAGE2])
    assert "Whether 7b fits is not known beforehand." in capsys.readouterr().out
