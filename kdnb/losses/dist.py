"""DIST: match the relations, not the values. Huang, You, Wang, Qian, Xu: Knowledge Distillation from A Stronger
Teacher, NeurIPS 2022.

    p = softmax(z / tau), for student and teacher;  pearson(a, b) = cos(a - mean a, b - mean b)
    inter = 1 - mean_b pearson(p_s[b, :], p_t[b, :])        how classes relate within an image
    intra = 1 - mean_k pearson(p_s[:, k], p_t[:, k])        how images relate within a class
    L = tau^2 (beta inter + gamma intra)

Official weights on CIFAR-100: 1 CE + 2 L with tau = 4, beta = gamma = 1 (ImageNet: tau = 1). Known deviations: tau^2
is in the authors' classification code, which this follows, but neither in the paper nor in their segmentation code. As
there, 1e-8 is added to the product of norms: where that product is as small (a class that no image of the batch
suggests), the correlation reads nearer to 0 than it is, and a batch of one has intra = 1.

tau is limited: above 1000 all probabilities are so near 1/K that the 1e-8 and rounding outweigh what is correlated;
below 0.01 rounding of z / tau decides which class is likely.
"""

from torch import Tensor
from torch.linalg import vector_norm

from kdnb import checks
from kdnb.losses.arguments import logit_pair

TEMPERATURES = 1e-2, 1e3


def dist(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 4.0, beta: float = 1.0, gamma: float = 1.0
) -> Tensor:
    """tau^2 (beta * inter + gamma * intra) of logits B x K, tau being ``temperature``.

    Raises ValueError where the shapes differ, ``temperature`` is none, or a weight is negative.

    >>> import torch
    >>> logits = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]])
    >>> abs(round(dist(logits, logits + 3, 4, 1, 1).item(), 4)), dist(-logits, logits, 4, 1, 1).item() > 16
    (0.0, True)
    """
    tau = checks.temperature(temperature, *TEMPERATURES)
    beta, gamma = checks.weight("beta", beta), checks.weight("gamma", gamma)
    student, teacher = ((z / tau).softmax(1) for z in logit_pair(student_logits, teacher_logits))
    inter = 1 - _pearson(student, teacher, 1).mean()
    intra = 1 - _pearson(student, teacher, 0).mean()
    return (beta * inter + gamma * intra) * tau**2


def _pearson(a: Tensor, b: Tensor, dim: int) -> Tensor:
    a, b = a - a.mean(dim, keepdim=True), b - b.mean(dim, keepdim=True)
    correlation: Tensor = (a * b).sum(dim) / (vector_norm(a, dim=dim) * vector_norm(b, dim=dim) + 1e-8)
    return correlation
