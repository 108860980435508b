"""The paper's mu, squared, as a loss: what pulls a classifier towards another. Dua, ICLR 2023 Tiny Papers, eq. for mu.

    L = ||W_t - W_s||_F^2,    gradient on W_s: 2 (W_s - W_t)

None of the distillation methods here trains it (FedProx, of federated learning, is close); it is here to intervene.
"""

from torch import Tensor

from kdnb.losses.arguments import widened


def squared_mu(student_weight: Tensor, teacher_weight: Tensor) -> Tensor:
    """||W_t - W_s||^2 of classifiers K x D; ValueError where the shapes differ.

    >>> import torch
    >>> squared_mu(torch.eye(2), torch.eye(2).flip(1)).item()  # the same classifier, columns exchanged
    4.0
    """
    if student_weight.shape != teacher_weight.shape:
        raise ValueError(
            f"student_weight is {tuple(student_weight.shape)} and teacher_weight {tuple(teacher_weight.shape)}; "
            "both must be (classes, features)."
        )
    return (widened(student_weight) - widened(teacher_weight)).square().sum()
