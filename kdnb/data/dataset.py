"""Data sets as uint8 tensors, and the finite set of views (crop offset x flip) that augmentation can show."""

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdnb.data.source import Labels, Pixels, Raw, Source, Statistics, balanced_order

PADDING_DIVISOR = 8  # CIFAR's 4 pixels in 32, at any size


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


def prepare(source: Source, raw: Raw, limit: int | None = None) -> Dataset:
    """The data set of a source from what it read, of each split so many images (None: all).

    ValueError, naming the data set, for pixels or labels that are not as :class:`Raw` says.
    """
    raw = _checked(source.name, raw)
    mean, std = source.statistics or _statistics(raw.train[0])
    padding = raw.train[0].shape[-1] // PADDING_DIVISOR
    train, test = _split(*raw.train, limit), _split(*raw.test, limit)
    checksum = _checksum((train, test), [raw.class_names, mean, std, padding, source.flip])
    return Dataset(source.name, train, test, raw.class_names, mean, std, padding, source.flip, checksum)


def _checked(name: str, raw: Raw) -> Raw:
    """``raw``, its labels as int64; ValueError for what training would stumble over, or take in silence."""
    classes, parts = len(raw.class_names), []
    for part, (pixels, labels) in (("training", raw.train), ("test", raw.test)):
        said = f"data set {name}: the {part}"
        shape: tuple[int, ...] = getattr(pixels, "shape", ())
        if getattr(pixels, "dtype", None) != np.uint8 or len(shape) != 4 or shape[2] != shape[3] or not min(shape):
            found = f"{getattr(pixels, 'dtype', type(pixels).__name__)} {' x '.join(map(str, shape))}".strip()
            raise ValueError(f"{said} pixels are {found}; they must be a uint8 array, images x channels x side x side.")
        if shape[1:] != raw.train[0].shape[1:]:
            raise ValueError(
                f"{said} images are {shape[1:]}, those in training {raw.train[0].shape[1:]}; make them alike."
            )
        numbers = np.asarray(labels)
        if numbers.shape != shape[:1] or numbers.dtype.kind not in "iu":
            found = f"{numbers.dtype} {numbers.shape} for {shape[0]} images"
            raise ValueError(f"{said} labels are {found}; they must be whole numbers, one an image.")
        there = set(np.unique(numbers).tolist())
        if odd := there.symmetric_difference(range(classes)):
            wrong = f"have {min(odd)}" if min(odd) in there else f"lack {min(odd)}"
            rule = f"with {classes} class names they must be 0 to {classes - 1}, each at least once"
            raise ValueError(f"{said} labels {wrong}; {rule}.")
        parts.append((pixels, numbers.astype(np.int64)))
    return Raw(parts[0], parts[1], raw.class_names)


def _split(pixels: Pixels, labels: Labels, limit: int | None) -> Split:
    if limit is not None:
        kept = balanced_order(labels)[:limit]
        pixels, labels = pixels[kept], labels[kept]
    return Split(torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(labels))


def _statistics(pixels: Pixels) -> Statistics:
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
