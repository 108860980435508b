"""Variational information distillation. Ahn, Hu, Damianou, Lawrence, Dai, CVPR 2019.

    L = sum over stages of mean 1/2 [ (m(F_s) - F_t)^2 / v_c + log v_c ]

the negative log-likelihood, up to a constant, of the teacher's maps under a Gaussian whose mean m(F_s) is regressed
from the student's and whose variance v_c is learned for each channel: a lower bound on their mutual information.

Official weight: RepDistiller trains CE + 1 L on the maps after the three stages. Known deviation: the paper sums over
channels and positions; the authors' code, and this, takes the mean.
"""

from torch import Tensor

from kdnb.losses.arguments import same_shape, widened


def vid(mean: Tensor, variance: Tensor, teacher_maps: Tensor) -> Tensor:
    """One stage's term: ``mean`` and ``teacher_maps`` B x C x H x W, ``variance`` C, positive.

    ValueError where the shapes do not fit.

    >>> import torch
    >>> maps = torch.ones(2, 3, 4, 4)
    >>> vid(maps, torch.ones(3), maps + 2).item()  # half of 2 squared, and log 1
    2.0
    """
    student, teacher = same_shape("mean", mean, "teacher_maps", teacher_maps)
    if variance.shape != student.shape[1:2]:
        raise ValueError(f"variance is {tuple(variance.shape)}; it must have one value a channel, {student.shape[1]}.")
    wide = widened(variance)[:, None, None]
    return 0.5 * ((student - teacher).square() / wide + wide.log()).mean()
