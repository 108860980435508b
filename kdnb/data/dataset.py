"""Data sets as uint8 tensors, and the finite set of views (crop offset x flip) that augmentation can show.

    data = load("digits")
    cut = Views(data.train, data, "cpu")
    images = cut(indices, views)  # float32 B x C x H x W, normalised

==========  =========================================================  =======  =====  ==============
name        from                                                       padding  flip   views an image
==========  =========================================================  =======  =====  ==============
digits      scikit-learn's bundled digits: real, 8x8, grey, offline    1        no     9
digits-few  the same, with 10 training images of each class            1        no     9
cifar10     the official python files, fetched if missing              4        yes    162
cifar100    the official python files, fetched if missing              4        yes    162
folder      one's own: ROOT/train/<class>/*.png, ROOT/test/<class>/*   size//8  yes    by the padding
==========  =========================================================  =======  =====  ==============

The 901 test digits are a fixed stratified half, for digits are easy and accuracies near 1 need many images to tell them
apart; the 896 left to train on are exactly 14 batches of 64. Mean and standard deviation are the field's for CIFAR, and
otherwise those of the whole training split.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdnb.checks import choice
from kdnb.data import sources

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation, per channel

FIELD_STATISTICS: dict[str, Statistics] = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
}
PADDING_DIVISOR = 8  # CIFAR's 4 pixels in 32, at any size
UNFLIPPED = {"digits", "digits-few"}  # a mirrored digit is no digit


@dataclass(frozen=True, eq=False)
class Split:
    """One split: images uint8 N x C x H x W, labels int64 N."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set with all that decides what a network sees of it.

    ``mean`` and ``std`` are per channel, of pixels in 0..1. ``checksum`` is the sha256 over both splits, the class
    names and the four settings: two runs with the same checksum saw the same data.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    padding: int
    flip: bool
    checksum: str

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def in_channels(self) -> int:
        return self.train.images.shape[1]

    @property
    def image_size(self) -> int:
        """The square's side in pixels."""
        return self.train.images.shape[-1]


class Views:
    """A split on a device, padded once with black and kept as uint8; called, it cuts out and normalises views.

    View ``v = (dy * (2 * padding + 1) + dx) * flips + flip`` is the crop whose corner is (dy, dx) in the padded image,
    mirrored if flip is 1: what torchvision's RandomCrop (which pads before normalisation) and RandomHorizontalFlip do.

    Attributes: ``count`` (views of an image), ``identity`` (the view that is the image itself), ``labels`` (N, on the
    device), ``size`` (the square's side in pixels).
    """

    def __init__(self, split: Split, dataset: Dataset, device: torch.device | str) -> None:
        pad, size, flips = dataset.padding, dataset.image_size, 1 + dataset.flip
        self.size = size
        side = 2 * pad + 1  # crop offsets a direction
        self.count, self.identity = side * side * flips, (pad * side + pad) * flips
        self.labels = split.labels.to(device)
        images = split.images.to(device).permute(0, 2, 3, 1)
        width, channels = size + 2 * pad, images.shape[-1]
        padded = images.new_zeros(len(images), width, width, channels)
        padded[:, pad : pad + size, pad : pad + size] = images
        self._shape = (-1, size, size, channels)
        self._pixels, self._area = padded.view(-1, channels), width * width
        self._offsets = _pixel_offsets(side, size, width, flips).to(device)
        # Tiled over the pixels: broadcasting over three channels would cost more than the arithmetic.
        self._mean, self._std = (torch.tensor(s).repeat(size * size).to(device) for s in (dataset.mean, dataset.std))

    def __call__(self, indices: Tensor, views: Tensor) -> Tensor:
        """View ``views[b]`` of image ``indices[b]``: float32 B x C x H x W, normalised, in channels-last memory.

        Both are int64 of length B on the device (one view for all: length 1). Only gathers and arithmetic, no wait for
        the device, so a CUDA graph can hold it. The arithmetic is in torchvision's order: on a CPU equal bit by bit.
        """
        rows = self._offsets.index_select(0, views) + (indices * self._area)[:, None]
        pixels = self._pixels.index_select(0, rows.view(-1)).view(len(indices), -1)
        normalised = pixels.float().div_(255).sub_(self._mean).div_(self._std)
        return normalised.view(self._shape).permute(0, 3, 1, 2)


def load(name: str, root: str | Path = "data", *, download: bool = True, limit: int | None = None) -> Dataset:
    """Load a data set by name: digits, digits-few, cifar10, cifar100 or folder.

    ``root`` is the folder that holds train/<class>/ and test/<class>/, or where the CIFAR files are or will be put;
    they are fetched only if missing and if ``download`` allows it.
    ``limit`` keeps that many images of each split, after a fixed shuffle that takes one of each class in turn.

    Raises ValueError for an unknown name, a bad limit, a corrupt file (which is kept) or unusable pictures;
    FileNotFoundError for missing files; ConnectionError where they cannot be downloaded. Each message says the way out.
    """
    readers: dict[str, Callable[[], sources.Raw]] = {
        "digits": sources.digits,
        "digits-few": sources.digits_few,
        "cifar10": lambda: sources.cifar("cifar10", Path(root), download),
        "cifar100": lambda: sources.cifar("cifar100", Path(root), download),
        "folder": lambda: sources.folder(Path(root)),
    }
    choice("data set", name, readers)
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit is {limit!r}; it must be a whole number of at least 1, or None for all images.")
    raw = readers[name]()
    mean, std = FIELD_STATISTICS.get(name) or _statistics(raw.train[0])
    padding, flip = raw.train[0].shape[-1] // PADDING_DIVISOR, name not in UNFLIPPED
    train, test = _split(*raw.train, limit), _split(*raw.test, limit)
    checksum = _checksum((train, test), [raw.class_names, mean, std, padding, flip])
    return Dataset(name, train, test, raw.class_names, mean, std, padding, flip, checksum)


def _split(pixels: sources.Pixels, labels: sources.Labels, limit: int | None) -> Split:
    if limit is not None:
        kept = sources.balanced_order(labels)[:limit]
        pixels, labels = pixels[kept], labels[kept]
    return Split(torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(labels))


def _statistics(pixels: sources.Pixels) -> Statistics:
    """Mean and standard deviation of pixels in 0..1; from exact integer sums, so alike on every machine."""
    means, deviations = [], []
    for channel in range(pixels.shape[1]):
        counts = np.bincount(pixels[:, channel].ravel(), minlength=256).tolist()
        total = sum(counts)
        mass, power = (sum(value**k * count for value, count in enumerate(counts)) for k in (1, 2))
        means.append(mass / total / 255)
        # A channel that never changes is only centred.
        deviations.append(math.sqrt(total * power - mass * mass) / total / 255 or 1.0)
    return tuple(means), tuple(deviations)


def _checksum(splits: tuple[Split, Split], settings: list[Any]) -> str:
    digest = hashlib.sha256(json.dumps(settings).encode())
    for tensor in (tensor for split in splits for tensor in (split.images, split.labels)):
        digest.update(json.dumps(tensor.shape).encode())
        digest.update(tensor.numpy().data)
    return digest.hexdigest()


def _pixel_offsets(side: int, size: int, width: int, flips: int) -> Tensor:
    """Where in a padded image (rows of ``width`` pixels) each pixel of each view lies: views x (size * size)."""
    offset, pixel = torch.arange(side), torch.arange(size)
    rows = offset[:, None] + pixel  # side x size
    columns = torch.stack([rows, rows.flip(1)][:flips], 1)  # side x flips x size
    return (rows[:, None, None, :, None] * width + columns[None, :, :, None, :]).reshape(-1, size * size)
