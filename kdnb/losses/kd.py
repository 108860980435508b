"""Vanilla knowledge distillation. Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015.

    L = T^2 (1/B) sum_b KL( softmax(z_t[b] / T) || softmax(z_s[b] / T) )
    gradient on z_s: (T/B) (softmax(z_s / T) - softmax(z_t / T))

T^2 keeps the gradient's size as T grows; in the limit it is that of ``mse_logits`` on row-centred logits.

Official weight: L = (1 - alpha) CE + alpha KD with T = 4, alpha = 0.9 in RepDistiller and mdistiller; SimKD's code uses
CE + KD. Known deviations: the paper writes cross-entropy with the soft targets, which differs from KL by the teacher's
entropy and so has the same gradient; some code divides by the number of classes too (KL averaged over all elements),
which this does not.
"""

from torch import Tensor
from torch.nn import functional as F

from kdnb import checks
from kdnb.losses.arguments import logit_pair


def kd(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 times the mean over the batch of KL(teacher || student) at ``temperature``, of logits B x K.

    Raises ValueError where the shapes differ or ``temperature`` is no temperature.

    >>> import torch
    >>> student, teacher = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    >>> round(kd(student, teacher, 1).item(), 4), kd(teacher + 5, teacher, 4).item()  # shifts are not seen
    (0.4338, 0.0)
    """
    t = checks.temperature(temperature)
    student, teacher = logit_pair(student_logits, teacher_logits)
    student, teacher = F.log_softmax(student / t, 1), F.log_softmax(teacher / t, 1)
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True) * t**2
