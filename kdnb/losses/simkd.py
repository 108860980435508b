"""SimKD: reuse the teacher's classifier. Chen, Mei, Zhang, Wang, Feng, Chen: Knowledge Distillation with the Reused
Teacher Classifier, CVPR 2022.

    L = mean over all elements of ( P(F_s) - F_t )^2

P is the projector, F the maps after the last stage, before pooling. The student answers W_t pool(P(F_s)) + b_t, so that
L = 0 gives the teacher's logits.

Official weight: 1 L alone, no labels, no cross-entropy. Known deviation: the paper writes pooled features; the
authors' code, and this, compares the maps and takes the mean.
"""

from torch import Tensor

from kdnb.losses.arguments import same_shape


def simkd(projected: Tensor, teacher_maps: Tensor) -> Tensor:
    """Mean squared difference of projected and teacher's maps, B x C x H x W; ValueError where the shapes differ.

    >>> import torch
    >>> simkd(torch.zeros(1, 4, 2, 2), torch.full((1, 4, 2, 2), 3.0)).item()
    9.0
    """
    student, teacher = same_shape("projected maps", projected, "teacher_maps", teacher_maps)
    return (student - teacher).square().mean()
