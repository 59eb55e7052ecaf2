"""A language model in 4 bits and moments in 8, where bitsandbytes is not: all but its kernels."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.quantizers.base import HfQuantizer

from palo.errors import MissingResource, UserError
from palo.settings import LoopSettings, Sharding
from tests.train.conftest import make_scale
from tests.train.loop.conftest import make_data, make_job, make_learner
from train import run
from train import scale as scales
from train.loop import trainer
from train.loop.trainer import StageTrainer
from train.model import assembly
from train.model.checkpoint import load_checkpoint
from train.model.sizes import parameters, sizes_of
from train.planning.memory import GIB, Hardware, Sharing, hardware_for, memory_of, why_not
from train.planning.plan import dry_run
from train.run import stage1_inputs, train_scale
from train.scale import Optimizer, Quantization, StageName, load_scale, missing_for

SCALES = Path(__file__).parents[2] / "train" / "scales"
NOWHERE = Path("/nowhere")
BOTH = {"quantization": "nf4", "optimizer": "adamw_8bit"}
FULL = {"checkpointing": "full"}
STAGE2 = StageName.STAGE2


def published(name, **changes):
    scale = load_scale(name, SCALES)
    return type(scale).model_validate(scale.model_dump() | FULL | changes)


def sizes(name, **changes):
    return sizes_of(published(name, **changes), NOWHERE)


def shared(profile, sharding):
    loop = LoopSettings(sharding=sharding)
    train = profile.train.model_copy(update={"loop": loop})
    return profile.model_copy(update={"train": train})


def test_what_is_trained_in_full_is_not_quantised():
    assert make_scale("7b", **BOTH).quantization is Quantization.NF4
    assert make_scale("1.7b", optimizer="adamw_8bit").optimizer is Optimizer.ADAMW_8BIT
    with pytest.raises(ValidationError, match="quantization: nf4 needs lora"):
        make_scale("1.7b", quantization="nf4")


@pytest.mark.parametrize("setting", BOTH)
def test_neither_can_be_cut_over_processes(profile, setting, monkeypatch, capsys):
    asked, cut = make_scale("7b", **{setting: BOTH[setting]}), shared(profile, Sharding.FSDP2)
    said = rf"^{setting}: {BOTH[setting]} of 7b cannot go with train\.loop\.sharding: fsdp2: .*"
    monkeypatch.setattr(scales, "missing_for", lambda *unused, **unneeded: [])
    monkeypatch.setattr(run, "_assemble", None)
    with pytest.raises(UserError, match=said + "in the scale"):
        train_scale(asked, cut)
    with pytest.raises(UserError, match=said):
        dry_run(asked, cut, StageName.STAGE1, gpu="l4", gpus=2)
    scales.require_sharing(asked, profile)
    scales.require_sharing(make_scale("7b"), cut)


def test_without_the_package_or_a_gpu_nothing_is_loaded(profile, monkeypatch):
    scale = make_scale("7b", **BOTH)
    monkeypatch.setattr(scales, "has_gpu", lambda: False)
    monkeypatch.setattr(scales, "find_spec", lambda name: None)
    monkeypatch.setattr(run, "_assemble", None)
    asked = "quantization: nf4 and optimizer: adamw_8bit"
    with pytest.raises(MissingResource) as error:
        train_scale(scale, profile)
    assert str(error.value).endswith(
        f"Missing:\n  - an NVIDIA GPU for {asked}: run on a machine that has one"
        f"\n  - the package bitsandbytes for {asked}: pip install bitsandbytes"
    )
    assert missing_for(scale, profile, STAGE2, needs_gpu=False) == []  # to be run elsewhere
    assert missing_for(make_scale("7b"), profile, STAGE2, needs_gpu=True) == []


def test_projects_without_them_have_the_inputs_that_they_had(profile, monkeypatch):
    dumped = []
    real = run.digest
    monkeypatch.setattr(run, "digest", lambda parts: dumped.append(parts) or real(parts))
    plain = stage1_inputs(make_scale("7b"), profile)
    assert not {*BOTH} & {*dumped[-1][2]}
    others = {stage1_inputs(make_scale("7b", **{key: BOTH[key]}), profile) for key in BOTH}
    assert len({plain, *others}) == 3


def test_qloras_settings():
    config = assembly.in_4_bits()
    assert (config.load_in_4bit, config.load_in_8bit) == (True, False)
    assert (config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == ("nf4", True)
    assert config.bnb_4bit_compute_dtype is torch.bfloat16
    assert config.llm_int8_skip_modules is None  # or the head would be quantised


def test_the_language_models_linear_maps_are_quantised_and_its_head_is_not():
    size = sizes("7b").language
    config = LlamaConfig(
        vocab_size=size.vocabulary, hidden_size=size.hidden, intermediate_size=size.intermediate,
        num_hidden_layers=size.layers, num_attention_heads=size.heads,
    )  # fmt: skip
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    left_out = HfQuantizer.get_modules_to_not_convert(model)
    quantised = {
        name: module.weight.numel()
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and name not in left_out
    }
    assert {name.rsplit(".", 1)[1] for name in quantised} == {*size.linears}
    assert len(quantised) == 7 * size.layers
    assert sum(quantised.values()) == size.layers * size.matrices


def test_the_plan_counts_a_half_byte_and_its_constants():
    plain, small = sizes("7b"), sizes("7b", **BOTH)
    before, after = (memory_of(of, STAGE2, Sharing.NONE, 1) for of in (plain, small))
    matrices = plain.language.layers * plain.language.matrices
    # bytes: 4 bits, an 8-bit constant for 64 and an fp32 for 64 x 256: 4.127 bits
    assert before.weights - after.weights == 2 * matrices - int(matrices * 4.126953125 / 8)
    count = parameters(plain)
    learned = count.projector + count.adapters
    assert after.moments == 2 * int(learned * (1 + 4 / 256))
    assert before.moments == 8 * learned
    assert after.working == before.working + 2 * 4096 * 11008  # a matrix in bf16
    assert after.gradients == before.gradients


def test_moments_of_embeddings_stay_whole():
    count = parameters(sizes("1.7b"))
    small = memory_of(sizes("1.7b", optimizer="adamw_8bit"), STAGE2, Sharing.NONE, 1)
    rest = count.projector + count.language_model - count.embeddings
    assert small.moments == 2 * (int(rest * (1 + 4 / 256)) + 4 * count.embeddings)


@pytest.mark.parametrize(
    ("name", "gpu", "advice"),
    [
        (
            "7b",
            "rtx-4090",
            "\n  - stage2: row_tokens: 2048 in the scale (22.7 GiB)"
            "\n  - quantization: nf4 in the scale (17.5 GiB)"
            "\n  - train: loop: sharding: fsdp2 in the profile, on 2 GPUs (19.6 GiB)",
        ),
        (
            "13b",
            "rtx-4090",
            "\n  - optimizer: adamw_8bit, quantization: nf4 in the scale (23.2 GiB)"
            "\n  - train: loop: sharding: fsdp2 in the profile, on 4 GPUs (21.3 GiB)",
        ),
    ],
)
def test_a_card_of_24_gb_is_told_what_would_fit(name, gpu, advice):
    text = why_not(sizes(name), STAGE2, Sharing.NONE, hardware_for(False, gpu, 1, None))
    assert text.endswith(f"What would help:{advice}")


def test_what_was_advised_fits_and_no_more_of_it_is_advised_where_it_is_set():
    card = hardware_for(False, "rtx-4090", 1, None)
    for name in ("7b", "13b"):
        assert why_not(sizes(name, **BOTH), STAGE2, Sharing.NONE, card) is None
    small = Hardware(1, "small", 12 * GIB, None)
    text = why_not(sizes("13b", **BOTH), STAGE2, Sharing.NONE, small)
    assert "fsdp2" not in text
    assert "nf4" not in text.split("What would help:")[1]


def test_the_trainer_makes_the_optimizer_that_the_scale_asks_for(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(trainer, "eight_bit_adamw", lambda *given: made.append(given) or "8 bit")
    learner, tokenizer = make_learner()
    learner.model.model.vision_tower.requires_grad_(False)
    data = make_data(tmp_path, learner, tokenizer)
    job = make_job(tmp_path / "stage", optimizer=Optimizer.ADAMW_8BIT)
    assert StageTrainer(learner, data, job).create_optimizer() == "8 bit"
    ((of, groups, how),) = made
    assert how == {"betas": (0.9, 0.999), "weight_decay": 0.1}
    assert [group["lr"] for group in groups] == [1e-2, 1e-2]
    trained = [p for p in of.parameters() if p.requires_grad]
    assert sum(len(group["params"]) for group in groups) == len(trained)
    plain = StageTrainer(learner, data, make_job(tmp_path / "plain")).create_optimizer()
    assert type(plain) is torch.optim.AdamW


@pytest.mark.slow
def test_a_quantised_run_is_tried_and_written_with_weights_that_are_not(profile, monkeypatch):
    """In 4 bits of 16 here: the same weights as without, by the way of a run that has them."""
    plain = train_scale(make_scale("7b"), profile)
    wanted = load_checkpoint(plain.rename(plain.with_name("plain")))[0].state_dict()
    loaded, load = [], assembly.load_language_model

    def spy(source, revision, dtype, is_empty, quantization):
        loaded.append(quantization)
        return load(source, revision, dtype, is_empty, quantization)

    monkeypatch.setattr(assembly, "load_language_model", spy)
    monkeypatch.setattr(assembly, "in_4_bits", lambda: None)
    monkeypatch.setattr(scales, "missing_for", lambda *unused, **unneeded: [])
    folder = train_scale(make_scale("7b", quantization="nf4"), profile)
    assert loaded == [None, Quantization.NF4, None]
    model, _ = load_checkpoint(folder)
    assert all(tensor.equal(wanted[name]) for name, tensor in model.state_dict().items())


@pytest.mark.gpu
def test_a_model_in_4_bits_learns_and_is_merged_in_16(tmp_path):
    bitsandbytes = pytest.importorskip("bitsandbytes")
    from sceneworld.standins.tiny import tiny_llama
    from tests.train.conftest import make_tokenizer

    tokenizer, folder = make_tokenizer(), str(tmp_path / "lm")
    tiny_llama(tokenizer, 64, 2, 2).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, _ = assembly.load_language_model(
        folder, None, torch.bfloat16, quantization=Quantization.NF4
    )
    model.requires_grad_(False)
    assembly.add_adapters(model.model, make_scale("7b").lora, 1)
    tiny = [m for m in model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    assert len(tiny) == 14
    assert all(2 * m.weight.nbytes == m.in_features * m.out_features for m in tiny)
    learned = [p for p in model.parameters() if p.requires_grad]
    how = {"betas": (0.9, 0.999), "weight_decay": 0.0, "lr": 1e-2}
    optimizer = trainer.eight_bit_adamw(model, [{"params": learned}], how)
    ids, losses = torch.arange(5, 45, device=device)[None], []
    for _ in range(5):
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
