"""FitNets' hint: match a middle layer. Romero, Ballas, Kahou, Chassang, Gatta, Bengio: FitNets, ICLR 2015, eq. 3.

    L = mean over all elements of ( r(F_s) - F_t )^2

r is a regressor (convolution, batch norm, ReLU) from the student's maps to the teacher's, trained with the student.

Official weight: RepDistiller and mdistiller train CE + 100 L on the maps of the second stage. Known deviations: the
paper halves the sum of squares, has no batch norm in r, and trains the hint first to distil afterwards; public code,
and this, takes the mean and adds it to the loss of a single stage.
"""

from torch import Tensor

from kdnb.losses.arguments import same_shape


def hint(regressed: Tensor, teacher_maps: Tensor) -> Tensor:
    """Mean squared difference of regressed and teacher's maps, B x C x H x W; ValueError where the shapes differ.

    >>> import torch
    >>> hint(torch.zeros(1, 4, 2, 2), torch.full((1, 4, 2, 2), 3.0)).item()
    9.0
    """
    student, teacher = same_shape("regressed maps", regressed, "teacher_maps", teacher_maps)
    return (student - teacher).square().mean()
