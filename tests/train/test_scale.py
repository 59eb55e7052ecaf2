from pathlib import Path

import pytest

from palo.errors import UserError
from train.scale import ProjectorKind, load_scale

SCALES = Path(__file__).parents[2] / "train" / "scales"


def test_the_published_recipe_of_7b():
    scale = load_scale("7b", SCALES)
    assert scale.language_model.name == "lmsys/vicuna-7b-v1.5"
    assert scale.vision_tower.name == "openai/clip-vit-large-patch14-336"
    assert (scale.image_size, scale.feature_layer, scale.max_length) == (336, -2, 2048)
    assert scale.projector is ProjectorKind.MLP2
    assert (scale.lora.rank, scale.lora.alpha, scale.lora.dropout) == (128, 256, 0.05)
    assert (scale.stage1.learning_rate, scale.stage1.batch_size) == (1e-3, 256)
    assert (scale.stage2.learning_rate, scale.stage2.projector_learning_rate) == (2e-4, 2e-5)
    assert (scale.stage2.batch_size, scale.stage2.epochs, scale.stage2.warmup_ratio) == (
        128,
        1,
        0.03,
    )
    assert scale.stage2.weight_decay == 0


def test_the_smallest_scale_is_tuned_in_full_with_the_ldp_projector():
    scale = load_scale("1.7b", SCALES)
    assert scale.language_model.name == "mtgv/MobileLLaMA-1.4B-Chat"
    assert scale.projector is ProjectorKind.LDP
    assert scale.lora is None
    assert scale.stage2.learning_rate == 2e-5


@pytest.mark.parametrize("folder", [SCALES, SCALES / "sample"])
def test_every_scale_file_is_valid_and_both_profiles_have_the_same_three(folder):
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    assert names == ["1.7b", "13b", "7b"]
    for name in names:
        scale = load_scale(name, folder)
        assert scale.name == name
        assert scale.is_standin == (folder.name == "sample")


def test_a_twin_has_the_projector_and_the_tuning_of_its_scale():
    for path in SCALES.glob("*.yaml"):
        name = path.stem
        real, twin = load_scale(name, SCALES), load_scale(name, SCALES / "sample")
        assert twin.projector is real.projector
        assert (twin.lora is None) == (real.lora is None)
        assert twin.feature_layer == real.feature_layer


def test_an_unknown_scale_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"Unknown scale '70b'\. Did you mean '7b'\?"):
        load_scale("70b", SCALES)


def test_an_unknown_setting_is_refused_with_the_nearest_name(tmp_path):
    text = (SCALES / "7b.yaml").read_text("utf-8")
    (tmp_path / "7b.yaml").write_text(text.replace("image_size", "imagesize"), "utf-8")
    with pytest.raises(UserError, match=r"'imagesize'\. Did you mean 'image_size'"):
        load_scale("7b", tmp_path)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "name: x"])
def test_a_file_that_is_no_scale_is_refused(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text, "utf-8")
    with pytest.raises(UserError, match=r"x\.yaml"):
        load_scale("x", tmp_path)
