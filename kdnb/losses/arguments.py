"""Checks that every loss shares; they look at shapes and Python numbers only, never at a tensor's values."""

import torch
from torch import Tensor


def logit_pair(student_logits: Tensor, teacher_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Both logits in at least float32; ValueError unless they are B x K and of the same shape."""
    if student_logits.dim() != 2 or student_logits.shape != teacher_logits.shape:
        raise ValueError(
            f"student_logits are {tuple(student_logits.shape)} and teacher_logits {tuple(teacher_logits.shape)}; "
            "both must be (batch, classes), of the same batch and the same classes."
        )
    return widened(student_logits), widened(teacher_logits)


def same_shape(name: str, left: Tensor, other: str, right: Tensor) -> tuple[Tensor, Tensor]:
    """Both in at least float32; ValueError, with their names, unless they have the same shape."""
    if left.shape != right.shape:
        raise ValueError(f"{name} are {tuple(left.shape)} and {other} {tuple(right.shape)}; they must agree.")
    return widened(left), widened(right)


def widened(values: Tensor) -> Tensor:
    """In at least float32: half precision is too coarse for small differences."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
