import pytest
import torch

from translate.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 24), (2, 24, 8)])
def test_update_has_singular_values_near_one_and_the_same_directions(shape):
    torch.manual_seed(0)
    given = torch.randn(shape)
    found = orthogonal(given)
    assert found.shape == given.shape
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.3
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    # the iteration changes singular values only, so both share their singular vectors
    inner = left.mT @ found @ right.mT
    off_diagonal = inner - torch.diag_embed(inner.diagonal(dim1=-2, dim2=-1))
    assert off_diagonal.abs().max() < 1e-3


def test_matrices_of_one_shape_step_as_each_would_alone():
    torch.manual_seed(1)
    start = [torch.randn(6, 6), torch.randn(6, 6), torch.randn(4, 8)]
    slopes = [torch.randn_like(one) for one in start]

    def stepped(group):
        found = [start[at].clone().requires_grad_() for at in group]
        optimizer = Muon(found, learning_rate=0.1)
        for _ in range(3):
            for one, at in zip(found, group, strict=True):
                one.grad = slopes[at].clone()
            optimizer.step()
        return found

    together = stepped([0, 1, 2])
    for at in range(3):
        (alone,) = stepped([at])
        torch.testing.assert_close(together[at], alone)


def test_it_solves_a_linear_problem():
    torch.manual_seed(2)
    wanted = torch.randn(8, 8)
    weight = torch.zeros(8, 8, requires_grad=True)
    optimizer = Muon([weight], learning_rate=0.1)
    data = torch.randn(64, 8)
    for step in range(200):
        optimizer.learning_rate = 0.1 * (1 - step / 200)
        loss = ((data @ weight.T - data @ wanted.T) ** 2).mean()
        weight.grad = None
        loss.backward()
        optimizer.step()
    assert loss < 1e-3
