import pytest

from train.model.layout import (
    Naming,
    classic_name,
    from_published,
    is_computed,
    other_name,
    stored_as_classic,
)

# In memory (transformers 5), in our files, in published files: written down by hand.
ROWS = [
    (
        "model.vision_tower.embeddings.class_embedding",
        "vision_tower.vision_model.embeddings.class_embedding",
        "model.vision_tower.vision_tower.vision_model.embeddings.class_embedding",
    ),
    (
        "model.multi_modal_projector.linear_1.weight",
        "multi_modal_projector.linear_1.weight",
        "model.mm_projector.0.weight",
    ),
    (
        "model.multi_modal_projector.linear_2.bias",
        "multi_modal_projector.linear_2.bias",
        "model.mm_projector.2.bias",
    ),
    (
        "model.multi_modal_projector.model.mb_block.1.block.0.0.weight",
        "multi_modal_projector.model.mb_block.1.block.0.0.weight",
        "model.mm_projector.model.mb_block.1.block.0.0.weight",
    ),
    (
        "model.language_model.embed_tokens.weight",
        "language_model.model.embed_tokens.weight",
        "model.embed_tokens.weight",
    ),
    (
        "model.language_model.layers.31.mlp.up_proj.weight",
        "language_model.model.layers.31.mlp.up_proj.weight",
        "model.layers.31.mlp.up_proj.weight",
    ),
    (
        "model.language_model.norm.weight",
        "language_model.model.norm.weight",
        "model.norm.weight",
    ),
    ("lm_head.weight", "language_model.lm_head.weight", "lm_head.weight"),
]


@pytest.mark.parametrize(("memory", "classic", "published"), ROWS)
def test_names_go_both_ways(memory, classic, published):
    assert classic_name(memory) == classic
    assert other_name(classic, Naming.MEMORY) == memory
    assert other_name(classic, Naming.PUBLISHED) == published
    assert from_published(published) == classic


@pytest.mark.parametrize(
    ("stored", "classic"),
    [
        ("language_model.model.norm.weight", "language_model.model.norm.weight"),
        ("language_model.lm_head.weight", "language_model.lm_head.weight"),
        ("vision_tower.vision_model.x", "vision_tower.vision_model.x"),
        ("multi_modal_projector.model.x", "multi_modal_projector.model.x"),
        ("model.language_model.norm.weight", "language_model.model.norm.weight"),
        ("lm_head.weight", "language_model.lm_head.weight"),
        ("model.vision_tower.vision_model.x", "vision_tower.vision_model.x"),
        ("vision_tower.x", "vision_tower.vision_model.x"),
        ("image_newline", None),
    ],
)
def test_every_versions_spelling_is_understood(stored, classic):
    assert stored_as_classic(stored) == classic


@pytest.mark.parametrize(
    "name",
    [
        "model.mm_projector.1.weight",
        "model.mm_projector.weight",
        "model.vision_tower.x",
        "model.vision_tower.vision_tower.text_model.x",
        "transformer.wte.weight",
    ],
)
def test_what_ours_has_no_place_for_has_no_name(name):
    assert from_published(name) is None


def test_tables_that_are_computed_are_known():
    assert is_computed("model.layers.0.self_attn.rotary_emb.inv_freq")
    assert is_computed("model.vision_tower.vision_tower.vision_model.embeddings.position_ids")
    assert not is_computed("model.layers.0.self_attn.q_proj.weight")
