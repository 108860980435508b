"""Cross-entropy with the labels: normal training, and the part of the loss that does not come from the teacher.

    L = -(1/B) sum_b log softmax(z_s[b])[y_b]        gradient on z_s: (softmax(z_s) - onehot(y)) / B

Official weight: 1 in normal training and DIST, 1 - alpha in KD (0.1 in the field's recipe). Known deviations: none; no
label smoothing.
"""

from torch import Tensor
from torch.nn import functional as F

from kdnb.losses.arguments import widened


def cross_entropy(student_logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits B x K with integer labels B; ValueError for other shapes.

    >>> import torch
    >>> round(cross_entropy(torch.zeros(2, 10), torch.tensor([3, 7])).item(), 4)  # log 10: nothing is known
    2.3026
    """
    if student_logits.dim() != 2 or labels.shape != student_logits.shape[:1]:
        raise ValueError(
            f"student_logits are {tuple(student_logits.shape)} and labels {tuple(labels.shape)}; "
            "they must be (batch, classes) and (batch,)."
        )
    return F.cross_entropy(widened(student_logits), labels)
