"""What a step asks of the hardware, counted, and what the hardware can do at most, measured."""

from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch.nn import functional as F

from benchmarks.clock import timed
from kdnb import device as devices
from kdnb import models
from kdnb.sweep import work

# How often a pass touches each convolution's output. Forward: written, read for the batch norm and written again, read
# by the next convolution; in training also read for the batch's statistics. Backward: the gradient is written and read,
# the activations are read for the batch norm's and for the weights' gradients.
FORWARD_TOUCHES, TRAINING_TOUCHES = 4, 9
TRIALS = 5


class Demand(NamedTuple):
    """Of one image: floating-point operations, and bytes of activations moved."""

    operations: float
    traffic: float

    def plus(self, other: Self) -> "Demand":
        """Both, one after the other."""
        return Demand(self.operations + other.operations, self.traffic + other.traffic)


class Roof(NamedTuple):
    """Measured: floating-point operations and bytes a second."""

    operations: float
    traffic: float


def size(name: str) -> tuple[int, int]:
    """Multiply-adds of a forward pass and numbers in all outputs, of convolutions and classifier, for a CIFAR image."""
    return work.size(models.create(name, 100), 3, 32)


def forward(name: str, precision: str) -> Demand:
    """Of a forward pass in evaluation mode."""
    macs, outputs = size(name)
    return Demand(2.0 * macs, float(FORWARD_TOUCHES * outputs * width(precision)))


def training(name: str, precision: str) -> Demand:
    """Of a training step: the gradients take twice the arithmetic of the forward pass."""
    macs, outputs = size(name)
    return Demand(6.0 * macs, float(TRAINING_TOUCHES * outputs * width(precision)))


def width(precision: str) -> int:
    """Bytes of an activation."""
    return 4 if devices.PRECISIONS[precision] is None else 2


def roof(device: torch.device, precision: str) -> Roof:
    """The better of a large matrix product and a wide convolution; a large copy, reading and writing both counted."""
    devices.configure(device, precision)
    side, batch, length = (8192, 1024, 2**30) if device.type == "cuda" else (1024, 64, 2**28)
    matrix, maps, kernel = (
        torch.randn(shape, device=device, dtype=devices.PRECISIONS[precision] or torch.float32)
        for shape in ((side, side), (batch, 256, 16, 16), (256, 256, 3, 3))
    )
    maps, kernel = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (maps, kernel))
    product = 2 * side**3 / least_seconds(lambda: matrix @ matrix)
    convolved = 2 * maps.numel() * 256 * 9 / least_seconds(lambda: F.conv2d(maps, kernel, padding=1))
    source, target = (torch.ones(length, dtype=torch.uint8, device=device) for _ in range(2))
    return Roof(max(product, convolved), 2 * length / least_seconds(lambda: target.copy_(source)))


def least_seconds(function: Callable[[], object]) -> float:
    """The shortest of some calls, after one to warm up: what the hardware can do, not what it usually does."""
    return min([timed(function)[1] for _ in range(1 + TRIALS)][1:])
