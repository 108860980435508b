"""Vanilla knowledge distillation. Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015.

    L = T^2 (1/B) sum_b KL( softmax(z_t[b] / T) || softmax(z_s[b] / T) )
    gradient on z_s: (T/B) (softmax(z_s / T) - softmax(z_t / T))

T^2 keeps the gradient's size as T grows; in the limit it is that of ``mse_logits`` on row-centred logits.

Official weight: L = (1 - alpha) CE + alpha KD with T = 4, alpha = 0.9 in RepDistiller and mdistiller; SimKD's code uses
CE + KD. Known deviations: the paper writes cross-entropy with the soft targets, which differs from KL by the teacher's
entropy and so has the same gradient; some code divides by the number of classes too (KL averaged over all elements),
which this does not.

As T grows both softmaxes tend to 1/K and their difference drowns in rounding; as it falls T^2 underflows. So, with
p the teacher's and q the student's softmax and u = log q - log p, the sum is taken over terms that are never negative,

    KL = sum_k p_k (exp(u_k) - 1 - u_k),    q_k - p_k = p_k (exp(u_k) - 1),

and u, where it is small, comes from the difference of logits. T multiplies twice instead of T^2 once.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kdnb import checks
from kdnb.losses.arguments import logit_pair

SERIES, LAST = 0.1, 12  # below which |u| exp(u) - 1 - u is summed as a series, and up to which power: float64's digits


def kd(student_logits: Tensor, teacher_logits: Tensor, temperature: float, *, squared: bool = True) -> Tensor:
    """T^2 times the mean over the batch of KL(teacher || student) at ``temperature``, of logits B x K.

    ``squared=False`` leaves T^2 out. Raises ValueError where the shapes differ or ``temperature`` is no temperature.

    >>> import torch
    >>> student, teacher = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    >>> round(kd(student, teacher, 1).item(), 4), kd(teacher + 5, teacher, 4).item()  # shifts are not seen
    (0.4338, 0.0)
    """
    t = checks.temperature(temperature)
    value: Tensor = _Divergence.apply(*logit_pair(student_logits, teacher_logits), t, squared)
    return value


class _Divergence(torch.autograd.Function):
    """The loss with its gradient in closed form: autograd's would be a difference of two nearly equal softmaxes."""

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, t: float, squared: bool) -> Tensor:
        log_p, log_q = _log_softmax(teacher, t), _log_softmax(student, t)
        p, q = log_p.exp(), log_q.exp()
        u = _log_ratio(student - teacher, p, log_p, log_q, t)
        pull = torch.where(u.abs() < 1, p * u.expm1(), q - p)
        terms = torch.where(u.abs() < SERIES, p * _excess(u), pull - torch.where(p > 0, p * u, 0))
        ctx.save_for_backward(pull * ((t if squared else 1 / t) / len(p)))
        divergence = terms.sum() / len(p)
        return divergence * t * t if squared else divergence

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return upstream * gradient, None, None, None


def _log_softmax(logits: Tensor, t: float) -> Tensor:
    """Of ``logits / t``; the largest is taken off first, so that near ties stay exact when ``t`` is small."""
    return ((logits - logits.amax(1, keepdim=True)) / t).log_softmax(1)


def _log_ratio(difference: Tensor, p: Tensor, log_p: Tensor, log_q: Tensor, t: float) -> Tensor:
    """log q - log p: where that would cancel, the ``difference`` of logits over ``t`` less its log-mean-exp."""
    x = (difference - (p * difference).sum(1, keepdim=True)) / t
    near = x.abs() < 1
    log_mean = torch.where(near, p * x.expm1(), (log_p + x).exp() - p).sum(1, keepdim=True).log1p()
    return torch.where(near & (log_mean < 1), x - log_mean, log_q - log_p)


def _excess(u: Tensor) -> Tensor:
    """exp(u) - 1 - u as u^2/2 (1 + u/3 (1 + u/4 (...)))."""
    one = series = torch.ones_like(u)
    for power in range(LAST, 2, -1):
        series = torch.addcmul(one, u, series, value=1 / power)
    return u.square() / 2 * series
