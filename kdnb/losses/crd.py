"""Contrastive representation distillation. Tian, Krishnan, Isola, ICLR 2020, eq. 18 and 19.

    h(s, t) = e / (e + N / M),  e = exp(<s, t> / tau) / Z,   N negatives, M images
    L = -1/B sum_b [ log h(s_b, t_b) + sum_negatives log(1 - h(s_b, t_n)) ],   and the same with both sides exchanged

s and t are embedded features of length 1. An image's negatives are images of other classes, from a memory
of all images.

Official weight: CE + 0.8 L with N = 16,384, embeddings of 128, and Z = M times the mean of exp(<s, t> / tau) over the
first batch, kept from then on; tau = 0.07 in the authors' code, 0.1 in the paper. Known deviation: the authors draw N
negatives of other classes for each image anew; here the batch shares N images, which take their turn in one random
order, and each image leaves out those of its own class, so that its N is smaller by these.
"""

import torch
from torch import Tensor

from kdnb.losses.arguments import widened

EPSILON = 1e-7  # as in the authors' code


def scores(anchors: Tensor, others: Tensor, tau: float) -> Tensor:
    """exp(<a, o> / tau) of embeddings B x E and N x E: B x N, in at least float32."""
    with torch.autocast(anchors.device.type, enabled=False):
        return (widened(anchors) @ widened(others).t() / tau).exp()


def crd(positive: Tensor, negative: Tensor, allowed: Tensor, images: int) -> Tensor:
    """One side's loss from scores divided by Z: ``positive`` B, ``negative`` B x N, of which ``allowed`` (B x N) count.

    ``images``: M. ValueError where the shapes do not fit.

    >>> import torch
    >>> score, allowed = torch.tensor([1.0]), torch.tensor([[True, True]])
    >>> near, far = (crd(score, torch.full((1, 2), e), allowed, images=10).item() for e in (1.0, 0.01))
    >>> far < near  # negatives that score low cost less
    True
    """
    if negative.shape != allowed.shape or positive.shape != negative.shape[:1]:
        shapes = tuple(positive.shape), tuple(negative.shape), tuple(allowed.shape)
        raise ValueError(f"positive, negative and allowed are {shapes}; they must be B, B x N and B x N.")
    positive, negative = widened(positive), widened(negative)
    noise = allowed.sum(1, keepdim=True) / images
    hit = (positive / (positive + noise[:, 0] + EPSILON)).log()
    # Chosen before the logarithm, which is infinite for an image without negatives: 0 times its slope would be nan.
    miss = torch.where(allowed, noise / (negative + noise + EPSILON), 1.0).log()
    return -(hit + miss.sum(1)).mean()
