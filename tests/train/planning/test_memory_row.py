from collections.abc import Callable

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import CLIPVisionConfig, LlamaConfig, LlamaForCausalLM, LlavaConfig
from transformers.models.llava.modeling_llava import LlavaMultiModalProjector

import train.loop.loss  # noqa: F401  (registers `documents`)
from tests.train.conftest import make_scale
from tests.train.model.test_sizes import TARGETS
from train.model.assembly import LdpProjector
from train.model.sizes import LanguageSize, Sizes, TowerSize
from train.planning.memory import LEAST_FIRST, image_bytes, layer_bytes, row_bytes
from train.scale import Attention, Checkpointing, Lora, ProjectorKind, StageName

LANGUAGE = LanguageSize(hidden=64, intermediate=176, layers=2, heads=4, kv_heads=2, vocabulary=128)
RANK, TOKENS = 8, 96
LORA = Lora(rank=RANK, alpha=RANK)
NORMS, ATTENTION = 2 * 4, 4 * 4  # bytes a token: both norms' scales, softmax's sums of four heads


def saved_bytes(run: Callable[[], object], module: torch.nn.Module) -> int:
    """What autograd keeps of a bf16 forward pass, each storage once, parameters apart."""
    known = {p.untyped_storage().data_ptr() for p in module.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        at = tensor.untyped_storage().data_ptr()
        if at not in known:
            kept.setdefault(at, tensor)
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", dtype=torch.bfloat16),
    ):
        run()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def llama(layers: int, adapters: bool, in_full: bool, again: bool):
    config = LlamaConfig(
        vocab_size=128, hidden_size=64, intermediate_size=176, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    config._attn_implementation = Attention.DOCUMENTS.value
    model = LlamaForCausalLM(config).model
    model.requires_grad_(in_full)
    if not in_full:
        model.to(torch.bfloat16)
    if adapters:
        get_peft_model(model, LoraConfig(r=RANK, target_modules=TARGETS))
    if again:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model.train()


def saved_by_a_layer(adapters: bool, in_full: bool, again: bool = False) -> int:
    """Bytes that the second layer adds."""
    found = []
    for layers in (1, 2):
        model = llama(layers, adapters, in_full, again)
        dtype = torch.float32 if in_full else torch.bfloat16
        embeddings = torch.randn(1, TOKENS, 64, dtype=dtype).requires_grad_()
        found.append(
            saved_bytes(lambda m=model, x=embeddings: m(inputs_embeds=x, use_cache=False), model)
        )
    return found[1] - found[0]


TOWER = TowerSize(hidden=8, intermediate=16, layers=2, heads=2, patch_size=4)
SIZES = Sizes(language=LANGUAGE, tower=TOWER, scale=make_scale("7b", lora=LORA, image_size=8))


def layer_of(lora, stage=StageName.STAGE2, way=Checkpointing.NONE):
    scale = make_scale("7b", lora=lora, image_size=8)
    return layer_bytes(SIZES.model_copy(update={"scale": scale}), stage, way)


MATRICES = sum(ins * outs for ins, outs in LANGUAGE.linears.values())
ADAPTERS = sum(RANK * (ins + outs) for ins, outs in LANGUAGE.linears.values())


@pytest.mark.parametrize(
    ("stage", "lora", "copies"),
    [
        (StageName.STAGE2, LORA, ADAPTERS),
        (StageName.STAGE2, None, MATRICES),
        (StageName.STAGE1, LORA, 0),
    ],
)
def test_a_layer_keeps_what_pytorch_keeps_of_it_to_the_byte(stage, lora, copies):
    expected, _ = layer_of(lora, stage)
    learns = stage is StageName.STAGE2
    measured = saved_by_a_layer(learns and lora is not None, lora is None)
    assert measured == TOKENS * (expected + NORMS + ATTENTION) + 2 * copies


@pytest.mark.parametrize("lora", [LORA, None])
def test_with_full_recomputation_a_layer_keeps_its_input_alone(lora):
    expected, _ = layer_of(lora, way=Checkpointing.FULL)
    measured = saved_by_a_layer(lora is not None, lora is None, again=True)
    assert measured == TOKENS * expected


def test_a_gpus_dropout_adds_a_byte_an_input():
    with_dropout = LORA.model_copy(update={"dropout": 0.1})
    inputs = sum(ins for ins, _ in LANGUAGE.linears.values())
    for way in (Checkpointing.NONE, Checkpointing.SELECTIVE):
        plain, dropped = (layer_of(lora, way=way) for lora in (LORA, with_dropout))
        assert sum(dropped) - sum(plain) == inputs
        assert (dropped[0] == plain[0]) == (way is Checkpointing.SELECTIVE)


def test_selective_recomputation_lies_between_the_two_others():
    none, selective, full = (layer_of(LORA, way=way) for way in LEAST_FIRST)
    # seven outputs of 64+32+32+64+176+176+64, twice, the attention's 64 and seven times rank 8
    assert [full[0], selective[0]] == [128, 128 + 2 * (2 * 608 + 64 + 56)]
    assert selective[0] < none[0]
    assert [none[1], selective[1], full[1]] == [0, none[0] - (selective[0] - 128), none[0]]


@pytest.mark.parametrize("kind", ProjectorKind)
def test_the_projector_keeps_what_pytorch_keeps_of_an_image(kind):
    sizes = Sizes(
        language=LanguageSize(
            hidden=64, intermediate=128, layers=1, heads=4, kv_heads=4, vocabulary=64
        ),
        tower=TowerSize(hidden=32, intermediate=64, layers=2, heads=4, patch_size=4),
        scale=make_scale("7b", projector=kind, lora=None, image_size=96),
    )
    if kind is ProjectorKind.LDP:
        projector = LdpProjector(32, 64)
    else:
        vision = CLIPVisionConfig(hidden_size=32, num_attention_heads=4)
        config = LlavaConfig(vision_config=vision, text_config=LlamaConfig(hidden_size=64))
        projector = LlavaMultiModalProjector(config)
    found = []
    for images in (1, 2):
        features = torch.randn(images, sizes.patches, 32, dtype=torch.bfloat16)
        found.append(saved_bytes(lambda x=features: projector(x), projector))
    added = found[1] - found[0]
    # A CPU's autocast runs norms in bf16; the gate's few values and the norms' scales are left out.
    assert added == pytest.approx(image_bytes(sizes, norms=2), rel=0.02)
    assert added >= image_bytes(sizes, norms=2)


def test_a_row_is_its_layers_and_what_is_computed_again_and_its_images():
    sizes, (stream, again) = SIZES, layer_of(LORA, way=Checkpointing.FULL)
    row = row_bytes(sizes, StageName.STAGE2, Checkpointing.FULL, 10, images=3, supervised=5)
    assert row.kept == 10 * (2 * stream + 2 * 4 * 64) + 3 * 4 * 2 * (8 + 2 * 64)
    assert row.layer == 10 * (again + (3 * 2 + 4) * 176 + 2 * 4 * 64)
    assert row.logits == 12 * 128 * 5
    first = row_bytes(sizes, StageName.STAGE1, Checkpointing.FULL, 10, images=3, supervised=5)
    _, frozen = layer_of(LORA, StageName.STAGE1, Checkpointing.FULL)
    assert row.layer - first.layer == 10 * (again - frozen)
