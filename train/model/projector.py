"""The two projectors from vision features to language-model embeddings.

The two-layer MLP is stock LLaVA's. The LDP projector is MobileVLM's (arXiv 2312.16886, section
3.3), as PALO's 1.7B uses it; parameter names are the published ones, so weights move freely.
"""

import math

import torch
from torch import nn

from train.model.sizes import squeezed_channels


class ChannelLayerNorm(nn.LayerNorm):
    """LayerNorm over the channels of an image: (B, C, H, W) -> same."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(image.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SqueezeExcite(nn.Module):
    """Weighs channels by a gate computed from their means: (B, C, H, W) -> same."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        gate = image.mean(dim=(2, 3), keepdim=True)
        gate = nn.functional.relu(self.fc1(gate))
        return image * nn.functional.hardsigmoid(self.fc2(gate))


class InvertedResidual(nn.Module):
    """MobileNetV3 block: depthwise 3x3, squeeze-excite, pointwise; adds its input at stride 1."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        depthwise = nn.Sequential(
            nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False),
            ChannelLayerNorm(channels, eps=1e-5),
            nn.Hardswish(),
        )
        pointwise = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), ChannelLayerNorm(channels, eps=1e-5)
        )
        squeezed = squeezed_channels(channels)
        self.block = nn.Sequential(depthwise, SqueezeExcite(channels, squeezed), pointwise)
        self.residual = stride == 1

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        out = self.block(image)
        return image + out if self.residual else out


class _LdpLayers(nn.Module):
    """`mlp` then `mb_block`; index 0 of both is an identity, as published."""

    def __init__(self, vision_size: int, text_size: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Identity(),
            nn.Linear(vision_size, text_size),
            nn.GELU(),
            nn.Linear(text_size, text_size),
        )
        self.mb_block = nn.Sequential(
            nn.Identity(), InvertedResidual(text_size, 1), InvertedResidual(text_size, 2)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        tokens = self.mlp(features)
        batch, count, size = tokens.shape
        side = math.isqrt(count)
        image = tokens.transpose(1, 2).reshape(batch, size, side, side)
        return self.mb_block(image).flatten(2).transpose(1, 2)


class LdpProjector(nn.Module):
    """(B, N, vision_size) -> (B, N/4, text_size); N is the square of an even number."""

    def __init__(self, vision_size: int, text_size: int) -> None:
        super().__init__()
        self.model = _LdpLayers(vision_size, text_size)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.model(features)
