"""Muon, an optimizer for weight matrices: momentum, made orthogonal (Jordan et al. 2024).

On the stand-in translator it needs less than half of AdamW's steps. torch has one too, but it
works in bfloat16, which is slow on processors without it; this one stays in the weights' type.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

# Newton-Schulz iteration of degree five, with the published coefficients
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5
_EPS = 1e-7


class Muon:
    """Matrices of one shape are worked on together, as one batch. No weight decay."""

    def __init__(
        self, matrices: Iterable[Any], learning_rate: float, momentum: float = 0.95
    ) -> None:
        import torch

        self.learning_rate = learning_rate
        self._momentum = momentum
        by_shape: dict[tuple[int, ...], list[Any]] = defaultdict(list)
        for matrix in matrices:
            by_shape[tuple(matrix.shape)].append(matrix)
        self._groups = [
            (group, torch.zeros(len(group), *shape)) for shape, group in by_shape.items()
        ]

    def step(self) -> None:
        """One step along the gradients there are; they stay for the caller to clear."""
        import torch

        with torch.no_grad():
            for group, velocity in self._groups:
                gradient = torch.stack([matrix.grad for matrix in group])
                velocity.mul_(self._momentum).add_(gradient)
                update = orthogonal(gradient.add(velocity, alpha=self._momentum))  # Nesterov's
                rows, columns = update.shape[-2:]
                scale = self.learning_rate * max(1.0, rows / columns) ** 0.5
                for matrix, change in zip(group, update, strict=True):
                    matrix.sub_(change, alpha=scale)


def orthogonal(matrices: Any) -> Any:
    """About the nearest (semi-)orthogonal matrix of each, shape (n, rows, columns)."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + _EPS)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.mT if tall else x
