"""What a data set's file defines: where the images come from, and what a network may see of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

Pixels = np.ndarray[Any, np.dtype[np.uint8]]  # N x C x S x S
Labels = np.ndarray[Any, np.dtype[np.int64]]  # N
Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation, per channel


class Raw(NamedTuple):
    """A data set as it was found: (pixels, labels) of both splits, and the class names in the order of the labels.

    Both splits hold images of every class, all of one size.
    """

    train: tuple[Pixels, Labels]
    test: tuple[Pixels, Labels]
    class_names: tuple[str, ...]


class Source:
    """Base of all data sets: one file in this folder names it, says what is its own, and reads it."""

    name: ClassVar[str]
    statistics: ClassVar[Statistics | None] = None  # the field's, of pixels in 0..1; None: the training split's own
    fetched: ClassVar[bool] = False  # whether its files come from the network
    flip: ClassVar[bool] = True  # whether a mirrored image is still one of its class
    pictures: ClassVar[bool] = False  # whether it reads train/ and test/ of its root, whatever pictures they hold
    groups: ClassVar[Mapping[str, Mapping[int, str]]] = {}  # of many classes: by group, each label's name in figures

    def read(self, root: Path, download: bool) -> Raw:
        """The images, from ``root`` where they are files; raises as :func:`kdnb.data.load` says."""
        raise NotImplementedError


def balanced_order(labels: Labels) -> Labels:
    """A fixed shuffle in which each class takes its turn, until it is used up."""
    shuffled = np.random.RandomState(0).permutation(len(labels))  # this generator's stream is frozen for good
    turn = np.empty(len(labels), dtype=np.int64)  # how many of its class come before it
    for label in np.unique(labels):
        (places,) = np.nonzero(labels[shuffled] == label)
        turn[places] = np.arange(len(places))
    order: Labels = shuffled[np.argsort(turn, kind="stable")]
    return order
