"""Softmax regression representation learning. Yang, Martinez, Bulat, Tzimiropoulos, ICLR 2021.

    features:    L_FM = mean ( g_s - g_t )^2          g: connected and pooled features
    regression:  L_SR = mean over B and K of ( h_t(g_s) - z_t )^2     h_t: the teacher's classifier, frozen

Official weights: CE + 1 L_FM + 1 L_SR, in code for ImageNet alone. Known deviations: a weight other than 1 multiplies
both terms here, and only L_SR there. The name is from a softmax regression, but the paper's "simple L2 loss", its code
and this compare logits. SimKD's code connects after pooling and adds KL; this, as the authors' code, connects the maps,
pools, and adds nothing.
"""

from torch import Tensor

from kdnb.losses.arguments import same_shape


def squared_difference(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of two B x N, in at least float32: either of the terms; ValueError for other shapes.

    >>> import torch
    >>> squared_difference(torch.tensor([[1.0, 5.0]]), torch.tensor([[1.0, 1.0]])).item()
    8.0
    """
    left, right = same_shape("student", student, "teacher", teacher)
    return (left - right).square().mean()
