"""Attention transfer: where a network looks. Zagoruyko, Komodakis: Paying More Attention to
Attention, ICLR 2017, eq. 2.

    A(F) = v / ||v||,  v = vec( mean over channels of F^2 )
    L = sum over stages of mean ( A(F_s) - A(F_t) )^2

A does not depend on the order of channels, nor on their number, nor on the scale of an image's maps.

Official weight: RepDistiller and mdistiller train CE + 1000 L on the maps after the three stages. Known deviations: the
paper writes beta / 2 times the norm of the difference; its code, public code and this take the mean of its square. The
paper sums F^2 over channels, which is the same once scaled to length 1. Maps of unequal size, which public code pools
to the smaller, are refused.
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from kdnb.losses.arguments import widened


def attention(student_maps: Sequence[Tensor], teacher_maps: Sequence[Tensor]) -> Tensor:
    """Sum over stages of the mean squared difference of attention, of maps B x C x H x W.

    Channels may differ; ValueError where the stages, the batch or the positions do.

    >>> import torch
    >>> maps = torch.rand(2, 8, 4, 4)
    >>> round(attention([maps], [3 * maps.flip(1)]).item(), 6)  # neither order nor scale of the channels
    0.0
    """
    shapes = [[tuple(m.shape) for m in maps] for maps in (student_maps, teacher_maps)]
    batch_and_positions = [[(batch, *size) for batch, _, *size in shape] for shape in shapes]
    if batch_and_positions[0] != batch_and_positions[1]:
        raise ValueError(f"student_maps are {shapes[0]} and teacher_maps {shapes[1]}; only their channels may differ.")
    pairs = zip(student_maps, teacher_maps, strict=True)
    terms = [(_attention(student) - _attention(teacher)).square().mean() for student, teacher in pairs]
    return sum(terms[1:], terms[0])


def _attention(maps: Tensor) -> Tensor:
    return F.normalize(widened(maps).square().mean(1).flatten(1))
