"""How many runs of a lockstep group a device's memory holds."""

import torch
from torch import Tensor, nn

from kdnb import models
from kdnb.data import Dataset
from kdnb.runs import RunSpec

USABLE = 0.9  # share of the free memory; the rest is left to the allocator's gaps
KEPT_WEIGHTS = 6  # weights, momentum, gradient; the account's buffers, a half-precision copy, a captured graph's own


def free(device: torch.device) -> float:
    """Bytes that are free on ``device``; a CPU swaps before it refuses, so no limit there."""
    if device.type != "cuda":
        return float("inf")
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return float(torch.cuda.mem_get_info(device)[0] + cached)


def of_step(spec: RunSpec, dataset: Dataset) -> int:
    """Estimated bytes of one step while it runs: every layer's output, kept for the backward pass, and its gradient."""
    network = models.create(spec.model, dataset.num_classes, dataset.in_channels).eval()
    sizes: list[int] = []

    def note(module: nn.Module, inputs: object, output: Tensor) -> None:
        sizes.append(output.numel())

    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_hook(note)
    with torch.no_grad():
        network(torch.zeros(1, dataset.in_channels, dataset.image_size, dataset.image_size))
    return 2 * sum(sizes) * spec.batch_size * (2 if spec.precision in ("bf16", "fp16") else 4)


def of_weights(spec: RunSpec, dataset: Dataset) -> int:
    """Estimated bytes that one run keeps from step to step."""
    network = models.create(spec.model, dataset.num_classes, dataset.in_channels)
    return 4 * KEPT_WEIGHTS * sum(parameter.numel() for parameter in network.parameters())


def group_size(spec: RunSpec, dataset: Dataset, device: torch.device, streams: int) -> int:
    """How many runs like ``spec`` fit beside each other, at least 1; ``streams`` of them step at the same time."""
    room = USABLE * free(device)
    if room == float("inf"):
        return 2**31
    return max(1, int((room - streams * of_step(spec, dataset)) / of_weights(spec, dataset)))
