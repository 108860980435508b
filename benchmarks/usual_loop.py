"""The field's usual loop for distillation on CIFAR-100, written plainly and fairly: what ours is compared with.

torchvision's data set of PIL images, its transforms in worker processes, images in NCHW memory, fp32 as torch sets it
up, every operation launched as it comes, the teacher's forward pass in every step, and loss and accuracies read by the
host in every step. As usual on GPUs, cuDNN chooses its algorithms by trial (and torch lets its convolutions use tf32).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import CIFAR100

TEMPERATURE, ALPHA = 4.0, 0.9
MEAN, STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)


class Noise(torch.utils.data.Dataset[tuple[Any, int]]):
    """Noise as torchvision's CIFAR-100 would hold it: ``pixels`` uint8 N x 32 x 32 x 3, given out as PIL images."""

    def __init__(self, pixels: np.ndarray, labels: list[int], transform: transforms.Compose) -> None:
        self.data, self.targets, self.transform = pixels, labels, transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


def augmentation() -> transforms.Compose:
    """The field's transforms of a training image."""
    crop, flip = transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()
    return transforms.Compose([crop, flip, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])


def pictures(data_dir: Path | None, count: int) -> CIFAR100 | Noise:
    """CIFAR-100's training images from ``data_dir``, or, where that is None, ``count`` images of noise."""
    if data_dir is not None:
        return CIFAR100(str(data_dir), train=True, transform=augmentation())
    pixels = np.random.default_rng(0).integers(256, size=(count, 32, 32, 3), dtype=np.uint8)
    return Noise(pixels, [image % 100 for image in range(count)], augmentation())


class Meter:
    """A running mean."""

    def __init__(self) -> None:
        self.sum, self.count = 0.0, 0

    def update(self, value: float, count: int) -> None:
        """Add the mean ``value`` of ``count`` images."""
        self.sum += value * count
        self.count += count

    @property
    def mean(self) -> float:
        """Over all images so far."""
        return self.sum / self.count


def accuracies(logits: Tensor, labels: Tensor) -> list[float]:
    """Top-1 and top-5 accuracy in per cent, each read by the host."""
    best = logits.topk(5, 1).indices
    hits = best == labels[:, None]
    return [hits[:, :k].float().sum().mul(100 / len(labels)).item() for k in (1, 5)]


class UsualLoop:
    """A student under KD and its frozen live teacher; each forward returns (maps, features, logits)."""

    def __init__(self, teacher: nn.Module, student: nn.Module, device: torch.device) -> None:
        torch.backends.cudnn.benchmark = True
        self.device, self.teacher, self.student = device, teacher.to(device).eval(), student.to(device).train()
        self.optimizer = torch.optim.SGD(self.student.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
        self.losses, self.top1, self.top5 = Meter(), Meter(), Meter()

    def step(self, images: Tensor, labels: Tensor) -> None:
        """One step of SGD on a batch that the loader made."""
        images, labels = images.to(self.device), labels.to(self.device)
        logits = self.student(images)[2]
        with torch.no_grad():
            soft = F.softmax(self.teacher(images)[2] / TEMPERATURE, 1)
        divergence = F.kl_div(F.log_softmax(logits / TEMPERATURE, 1), soft, reduction="batchmean")
        loss = (1 - ALPHA) * F.cross_entropy(logits, labels) + ALPHA * TEMPERATURE**2 * divergence
        self.losses.update(loss.item(), len(labels))
        for meter, value in zip((self.top1, self.top5), accuracies(logits, labels), strict=True):
            meter.update(value, len(labels))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def batches(images: CIFAR100 | Noise, batch_size: int, workers: int, device: torch.device) -> Iterator[list[Tensor]]:
    """Full batches from the loader, epoch after epoch."""
    loader = DataLoader(
        images, batch_size, shuffle=True, num_workers=workers, drop_last=True, pin_memory=device.type == "cuda"
    )
    while True:
        yield from loader
