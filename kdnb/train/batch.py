"""A batch as training sees it."""

from typing import NamedTuple

from torch import Tensor

from kdnb.models import Output


class Batch(NamedTuple):
    """Images B x C x S x S, labels B, which training images these are (B), the teacher's outputs where needed."""

    images: Tensor
    labels: Tensor
    indices: Tensor
    teacher: Output | None
