"""Semantic calibration: which layers to pair is learned. Chen, Mei, Zhang, Wang, Feng, Chen, AAAI 2021.

    a_ij = softmax over j of <q_i, k_j>,   q, k: embedded rows of each stage's similarity matrix, length 1
    L = 1 / (B S) sum over images, student stages i and teacher stages j of a_ij mean( (P_ij(F_s,i) - F_t,j)^2 )

Official weight: CE + KL (T = 4) + 400 L. Known deviation: the embeddings take rows as wide as a batch, and the authors'
code leaves the epoch's last, smaller batch out; here its similarities are filled up with zeros.
"""

import torch
from torch import Tensor

from kdnb.losses.arguments import widened


def calibrated(attention: Tensor, errors: Tensor) -> Tensor:
    """L of ``attention`` and ``errors``, both B x S x S' (student's stages, teacher's); ValueError for other shapes.

    >>> import torch
    >>> weights = torch.tensor([[[0.5, 0.5], [0.0, 1.0]]])
    >>> calibrated(weights, torch.tensor([[[2.0, 4.0], [9.0, 1.0]]])).item()  # (3 + 1) / 2
    2.0
    """
    if attention.dim() != 3 or attention.shape != errors.shape:
        raise ValueError(f"attention is {tuple(attention.shape)} and errors {tuple(errors.shape)}; both: B x S x S'.")
    batch, stages, _ = attention.shape
    return (widened(attention) * widened(errors)).sum() / (batch * stages)


def similarities(maps: Tensor) -> Tensor:
    """The B x B inner products of a stage's maps (B x C x H x W), flattened."""
    flat = widened(maps).flatten(1)
    with torch.autocast(maps.device.type, enabled=False):  # sums of thousands of products overflow half precision
        return flat @ flat.t()
