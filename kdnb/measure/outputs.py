"""A network's outputs on unaugmented images."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdnb.data import Views

CPU_PIXELS, BATCH = 32 * 32 * 32, 512  # small batches stay in a CPU's cache, see benchmarks/log.md


class Outputs(NamedTuple):
    """Features N x D, logits N x K and labels N, on the CPU."""

    features: Tensor
    logits: Tensor
    labels: Tensor

    @property
    def accuracy(self) -> float:
        """Top-1 accuracy in [0, 1]."""
        return accuracy(self.logits, self.labels)

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return float(F.cross_entropy(self.logits, self.labels))


def top5_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of rows of ``logits`` (N x K) that have ``labels`` (N) among their five largest entries."""
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices
    return float((best == labels[:, None]).any(1).double().mean())


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of rows of ``logits`` (N x K) whose largest entry is at ``labels`` (N)."""
    return float((logits.argmax(1) == labels).double().mean())


def batch_size(side: int, device: torch.device) -> int:
    """How many images of ``side`` x ``side`` pixels go through a network at once where nothing is trained."""
    return max(1, CPU_PIXELS // side**2) if device.type == "cpu" else BATCH


@torch.no_grad()
def collect(model: nn.Module, views: Views, indices: Tensor) -> Outputs:
    """Outputs of ``model`` in evaluation mode for the centre view of the images ``indices``, in that order."""
    training = model.training
    model.eval()
    batches = indices.split(batch_size(views.size, indices.device))
    pieces = [model(views(some, torch.full_like(some, views.identity)))[1:] for some in batches]  # without the maps
    model.train(training)
    features, logits = (torch.cat(column).float().cpu() for column in zip(*pieces, strict=True))
    return Outputs(features, logits, views.labels[indices].cpu())
