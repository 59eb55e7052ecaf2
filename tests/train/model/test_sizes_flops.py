from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.utils.flop_counter import FlopCounterMode

from tests.train.conftest import make_model, make_scale, make_tokenizer
from tests.train.model.test_sizes import TARGETS
from train.model.sizes import FlopCount, LanguageSize, Sizes, TowerSize, flop_count, sizes_of
from train.scale import Lora, StageName, load_scale

SCALES = Path(__file__).parents[3] / "train" / "scales"
NOWHERE = Path("/nowhere")
SMALL = Sizes(
    language=LanguageSize(
        hidden=4, intermediate=6, layers=3, heads=2, kv_heads=1, vocabulary=10, tied=True
    ),
    tower=TowerSize(hidden=2, intermediate=5, layers=4, heads=1, patch_size=1),
    scale=make_scale("7b", lora=Lora(rank=1, alpha=1), image_size=2),
)
# q and o 4x4, k and v 4x2, gate, up and down 4x6; with rank 1, their sums of sides.
MATRICES, ADAPTERS = 3 * (2 * 16 + 2 * 8 + 3 * 24), 3 * (2 * 8 + 2 * 6 + 3 * 10)


def test_a_small_model_by_hand():
    under_lora, projector_alone = (flop_count(SMALL, stage) for stage in reversed(StageName))
    assert under_lora.per_token == 4 * MATRICES + 6 * ADAPTERS
    assert projector_alone.per_token == 4 * MATRICES
    assert under_lora.per_supervised == 4 * 40
    # 4 patches of 3 colours; 3 layers read, of 5 places each: 4 x 2x2, 2 x 2x5, 2 x 5 x width 2.
    tower = 2 * (4 * 3 * 2 + 3 * 5 * (16 + 20 + 20))
    assert under_lora.per_image == tower + 4 * (4 * 2 * 4 + 6 * 4 * 4)
    assert under_lora.per_square == 3 * 4 * 6
    in_full = flop_count(
        SMALL.model_copy(update={"scale": make_scale("7b", lora=None, image_size=2)}),
        StageName.STAGE2,
    )
    assert (in_full.per_token, in_full.per_supervised) == (6 * MATRICES, 6 * 40)


def test_a_step_is_the_sum_of_what_it_holds():
    count = FlopCount(per_token=2, per_supervised=3, per_image=5, per_square=7)
    assert count.of(tokens=10, supervised=4, images=1) == 37
    assert count.of(tokens=10, supervised=4, images=1, squares=50) == 387
    assert (count.per_token_headline, count.of(1, 1, 0, squares=10)) == (5, 75)


def test_7b_needs_what_others_report_for_a_7b_under_lora():
    """About 30 GFLOP a token at 2,048 packed tokens (4N)."""
    sizes = sizes_of(load_scale("7b", SCALES), NOWHERE)
    count = flop_count(sizes, StageName.STAGE2)
    assert count.per_token_headline / 1e9 == pytest.approx(28.35, abs=0.01)
    assert count.of(1, 1, 0, squares=2048) / 1e9 == pytest.approx(29.96, abs=0.01)
    assert count.per_token_headline > 4 * 6.6e9


@pytest.mark.parametrize(
    ("name", "stage"),
    [(name, stage) for name in ("7b", "1.7b") for stage in StageName],
)
def test_torchs_own_counter_agrees(name, stage):
    """Of every operation that torch counts in a step of the real classes, nothing more or less.

    But for three things: torch counts causal attention as whole squares, and the depthwise weights'
    gradient as if every channel met every other; the tower is read at its last layer, for
    transformers runs that whether anyone reads it or not.
    """
    scale = make_scale(name)
    model = make_model(scale, make_tokenizer())
    config = model.config
    sizes = Sizes(
        language=LanguageSize(
            hidden=16, intermediate=config.text_config.intermediate_size, layers=1, heads=2,
            kv_heads=2, vocabulary=config.text_config.vocab_size, tied=True,
        ),
        tower=TowerSize(hidden=16, intermediate=32, layers=2, heads=2, patch_size=16),
        scale=scale.model_copy(update={"image_size": 64, "feature_layer": -1}),
    )  # fmt: skip
    config.vision_feature_layer = -1
    model.requires_grad_(False)
    if stage is StageName.STAGE2 and scale.lora:
        lora = LoraConfig(r=scale.lora.rank, target_modules=TARGETS)
        get_peft_model(model.model.language_model, lora)
    elif stage is StageName.STAGE2:
        model.model.language_model.requires_grad_(True)
        model.lm_head.requires_grad_(True)
    model.model.multi_modal_projector.requires_grad_(True)
    model.set_attn_implementation("eager")
    length, labels = 60, 7
    ids = torch.full((1, length), 10)
    ids[0, : sizes.image_tokens] = config.image_token_id
    pixels = torch.randn(1, 3, 64, 64)
    with FlopCounterMode(display=False) as counter:
        hidden = model.model(input_ids=ids, pixel_values=pixels, use_cache=False)
        model.lm_head(hidden.last_hidden_state[0, -labels:]).sum().backward()
    counted = flop_count(sizes, stage).of(length, labels, 1, squares=2 * length**2)
    if name == "1.7b":  # the LDP's 16 channels: 15 that do not meet, at 16 places and then 4
        counted += 2 * 9 * 16 * 15 * (16 + 4)
    assert counter.get_total_flops() == counted
