"""Squared difference of logits. Kim, Oh, Kim, Cho, Yun: Comparing Kullback-Leibler Divergence and Mean Squared Error
Loss in Knowledge Distillation, IJCAI 2021.

    L = 1/2 (1/(B K)) sum_b sum_k (z_s[b, k] - z_t[b, k])^2        gradient on z_s: (z_s - z_t) / (B K)

The 1/2 and the 1/K make this the limit of ``kd``: with d = (z_s - z_t) / T small, KL(softmax(z_t/T) || softmax(z_s/T))
is to second order 1/2 of the variance of d under the teacher's probabilities, which tend to 1/K each. Hence
T^2 KL -> (1/2) (1/K) sum_k (z_s - z_t - mean_k(z_s - z_t))^2 as T -> infinity. Only the mean differs: KD does not see
a shift of all logits of an image, this loss does.

Official weight: alpha L + (1 - alpha) CE, with alpha = 1 the paper's best; here alpha = 0.9 as for KD. Known
deviations: the paper writes the plain sum over classes, code in use PyTorch's mean, which is twice this.
"""

from torch import Tensor
from torch.nn import functional as F

from kdnb.losses.arguments import logit_pair


def mse_logits(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Half the mean squared difference of logits B x K, over batch and classes; ValueError where the shapes differ.

    >>> import torch
    >>> mse_logits(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0]])).item()
    1.0
    """
    return F.mse_loss(*logit_pair(student_logits, teacher_logits)) / 2
