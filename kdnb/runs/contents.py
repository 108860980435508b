"""What a run's files hold: outputs on fixed images, what is published in their place, and the state to go on from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

Which = Literal["final", "matched"]  # the last epoch, or the first that reached the matched accuracy
Images = Literal["test", "train"]  # the test set, or the fixed unaugmented training images


@dataclass(frozen=True)
class Snapshot:
    """A network's outputs on fixed images: features N x D, logits N x K, labels N, and the epoch they are from."""

    features: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    epoch: int


@dataclass(frozen=True)
class Publication:
    """What is published in a snapshot's place.

    measures    of all test images, by name
    points      map of some of them, M x 2, of ``perplexity``; ``labels`` M are theirs
    """

    epoch: int
    labels: np.ndarray
    points: np.ndarray
    perplexity: float
    measures: Mapping[str, float]


@dataclass(frozen=True)
class Checkpoint:
    """State after a finished epoch: tensors by name, and the history so far."""

    tensors: dict[str, Tensor]
    history: list[dict[str, float]]
