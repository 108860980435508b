"""Contrastive representation distillation. Tian, Krishnan, Isola, ICLR 2020, eq. 16 to 19.

    h(s, t) = e / (e + M / N),  e = exp(<s, t> / tau) / Z,   N images, M negatives
    L = -1/B sum_b [ log h(s_b, t_b) + sum_negatives log(1 - h(s_b, t_n)) ],   and the same with both sides exchanged

s and t are embedded features of length 1. An image's negatives are images of other classes, from a memory
of all images.

Official weight: CE + 0.8 L with tau = 0.07, M = 16,384, embeddings of 128. Known deviation: the authors draw negatives
for each image of the batch anew; here one draw serves the batch, and each image leaves out those of its own class. Z
is, as in their code, the mean of e N in the first batch, and stays.
"""

import torch
from torch import Tensor

from kdnb.losses.arguments import widened

EPSILON = 1e-7  # as in the authors' code


def scores(anchors: Tensor, others: Tensor, tau: float) -> Tensor:
    """exp(<a, o> / tau) of embeddings B x E and M x E: B x M, in at least float32."""
    return (widened(anchors) @ widened(others).t() / tau).exp()


def crd(positive: Tensor, negative: Tensor, allowed: Tensor, images: int) -> Tensor:
    """One side's loss from normalised scores: ``positive`` B, ``negative`` B x M of which ``allowed`` (B x M) count.

    ``images``: N. ValueError where the shapes do not fit.
    """
    if negative.shape != allowed.shape or positive.shape != negative.shape[:1]:
        shapes = tuple(positive.shape), tuple(negative.shape), tuple(allowed.shape)
        raise ValueError(f"positive, negative and allowed are {shapes}; they must be B, B x M and B x M.")
    noise = allowed.sum(1) / images
    hit = (positive / (positive + noise + EPSILON)).log()
    wide = noise[:, None]
    miss = torch.where(allowed, (wide / (negative + wide + EPSILON)).log(), 0.0)
    return -(hit + miss.sum(1)).mean()
