"""MXFP4: 4-bit floats in blocks of 32 that share an exponent (OCP Microscaling Formats, 1.0)."""

from __future__ import annotations

import torch

_BLOCK = 32
# E2M1: sign, two bits of exponent, one of mantissa; the code is the index.
_MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_BIAS = 127


def to_mxfp4(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Round weights to MXFP4 along their last axis.

    Parameters
    ----------
    weights
        Shape (…, k), k a multiple of 32.

    Returns
    -------
    blocks
        Two codes a byte, the first in the low half, shape (…, k/32, 16), uint8.
    scales
        Exponents with a bias of 127, shape (…, k/32), uint8.
    """
    groups = weights.float().unflatten(-1, (-1, _BLOCK))
    largest = groups.abs().amax(-1).clamp(min=2.0**-100)
    # The smallest power of two by which the block fits below the largest magnitude.
    exponents = torch.ceil(torch.log2(largest / _MAGNITUDES[-1]))
    scaled = groups / torch.exp2(exponents)[..., None]
    steps = torch.tensor(_MAGNITUDES)
    codes = (scaled.abs()[..., None] - steps).abs().argmin(-1) + 8 * (scaled < 0)
    pairs = codes.unflatten(-1, (-1, 2)).to(torch.uint8)
    return pairs[..., 0] | pairs[..., 1] << 4, (exponents + _BIAS).to(torch.uint8)
