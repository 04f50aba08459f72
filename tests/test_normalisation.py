"""The faster local response normalisation gives nn.LocalResponseNorm's numbers."""

import pytest
import torch
from torch import nn

from alexnet_lab.models import LocalResponseNorm, alexnet_2012

ARGUMENTS = [
    (5, 1e-4, 0.75, 2.0),
    (5, 0.3, 0.75, 2.0),  # strong enough to bite at the scale of these inputs
    (4, 0.3, 0.75, 1.0),  # even: the window reaches further to the left
    (3, 0.5, 0.5, 1.0),
    (1, 0.5, 1.0, 1.0),
    (9, 0.5, 0.75, 1.0),  # wider than there are channels
]
SHAPES = [(2, 6, 5, 4), (3, 7, 4), (2, 6, 2, 3, 2)]


@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_torchs(arguments, shape):
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64) * 3
    theirs, ours = (x.clone().requires_grad_() for _ in range(2))
    up = torch.randn(shape, dtype=torch.float64)
    expected = nn.LocalResponseNorm(*arguments)(theirs)
    result = LocalResponseNorm(*arguments)(ours)
    expected.backward(up)
    result.backward(up)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-12)


def test_gradient_by_finite_differences():
    x = torch.randn(2, 6, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(LocalResponseNorm(5, 0.3, 0.75, 2.0), x)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_float32_and_layout(layout):
    x = torch.randn(2, 96, 9, 9).mul_(20).contiguous(memory_format=layout)
    before = x.clone()
    result = LocalResponseNorm(5, 1e-4, 0.75, 2.0)(x)
    expected = nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0)(x)
    torch.testing.assert_close(result, expected, rtol=2e-6, atol=2e-6)
    assert result.is_contiguous(memory_format=layout)
    assert torch.equal(x, before)


def test_bfloat16_is_within_one_rounding():
    x = torch.randn(2, 96, 9, 9).mul_(20).bfloat16()
    result = LocalResponseNorm(5, 1e-4, 0.75, 2.0)(x)
    exact = nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0)(x.float())
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), exact, rtol=2**-8, atol=1e-6)


def test_alexnet_has_it_under_torchs_name():
    net = alexnet_2012(in_channels=1, num_classes=10)
    assert isinstance(net.norm1, nn.LocalResponseNorm)
    assert repr(net.norm1) == repr(nn.LocalResponseNorm(5, 1e-4, 0.75, 2))


def test_what_torch_rejects_is_rejected():
    bad = torch.randn(3, 4)
    with pytest.raises(ValueError) as theirs:
        nn.LocalResponseNorm(3)(bad)
    with pytest.raises(ValueError, match=str(theirs.value)[:20]):
        LocalResponseNorm(3)(bad)
