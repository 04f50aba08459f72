"""Filters as pictures, each in a range of its own."""

from __future__ import annotations

from torch import Tensor


def weight_pictures(weight: Tensor, strongest: int | None = None) -> Tensor:
    """Turn filters into pictures: zero is grey, each filter fills its own range.

    A copy: the weights stay as they are.

    Args:
        weight: (N, C, H, W), of a convolution; C is 1 or 3 if it is to be drawn.
        strongest: so many filters only, by falling norm; None for all, in their order.

    Returns:
        uint8 (N, C, H, W), on the weight's device: 0 to 254, a weight of 0 is 127.

    Raises:
        ValueError: another shape, or more filters asked for than there are.
    """
    if weight.dim() != 4:
        raise ValueError(f"filters are N×C×H×W, not {tuple(weight.shape)}")
    weight = weight.detach()
    if strongest is not None:
        if isinstance(strongest, bool) or not 1 <= strongest <= len(weight):
            raise ValueError(f"strongest={strongest}: there are 1 to {len(weight)}")
        norms = weight.flatten(1).norm(dim=1)
        weight = weight[norms.topk(strongest).indices]
    bound = weight.abs().amax(dim=(1, 2, 3), keepdim=True)
    bound = bound.clamp_min(1e-30)  # a filter of zeros is grey, not NaN
    return (weight / bound * 127 + 127).round().byte()
