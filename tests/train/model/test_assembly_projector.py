from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from train.model.assembly import LdpProjector, squeezed_channels

GOLDEN = Path(__file__).parents[2] / "golden" / "ldp_projector.safetensors"


@pytest.fixture(scope="module")
def golden():
    tensors = load_file(GOLDEN)
    projector = LdpProjector(24, 40)
    weights = {k.removeprefix("weight."): v for k, v in tensors.items() if k.startswith("weight.")}
    projector.load_state_dict(weights, strict=True)
    return projector, tensors


def test_ldp_output_equals_the_published_one(golden):
    projector, tensors = golden
    with torch.no_grad():
        output = projector(tensors["input"])
    torch.testing.assert_close(output, tensors["output"], atol=1e-5, rtol=0)


def test_ldp_at_the_published_size_has_the_published_parameter_count_and_tokens():
    with torch.device("meta"):
        projector = LdpProjector(1024, 2048)
        output = projector(torch.empty(2, 576, 1024))
    assert sum(parameter.numel() for parameter in projector.parameters()) == 18_936_832
    assert output.shape == (2, 144, 2048)


def test_ldp_makes_one_token_of_four_patches(golden):
    projector, _ = golden
    assert projector(torch.zeros(3, 16, 24)).shape == (3, 4, 40)


@pytest.mark.parametrize(("channels", "squeezed"), [(40, 16), (2048, 512), (128, 32), (8, 8)])
def test_squeezed_channels_follow_the_mobilenet_rule(channels, squeezed):
    assert squeezed_channels(channels) == squeezed
