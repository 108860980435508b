"""Where images lie in a network's feature space, and how far a class's row of the classifier is from the teacher's:
from what a run keeps, or as it was published.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from kdnb.analysis import separation as separations
from kdnb.analysis.separation import ClassDistances, Map, Separation
from kdnb.files import read_tensors
from kdnb.runs import Run, Snapshot

Which = Literal["final", "matched"]
WHICH: tuple[Which, ...] = ("matched", "final")  # in the order of training


class HasOutputs(Protocol):
    """What of a :class:`kdnb.runs.Run` the measures are read from."""

    @property
    def published(self) -> dict[str, Any] | None: ...
    def snapshot(self, which: Which) -> Snapshot | None: ...


@dataclass(frozen=True)
class Published:
    """A space as it was published: its map (N x 2, of :class:`kdnb.analysis.separation.Atlas`), its measures."""

    points: Map
    separation: Separation
    perplexity: float


@dataclass(frozen=True)
class Space:
    """A network's feature space at one epoch: labels N of the images in ``features`` (N x D), or on a published map."""

    epoch: int
    labels: np.ndarray
    features: np.ndarray | None = field(default=None, repr=False)
    published: Published | None = field(default=None, repr=False)

    @cached_property
    def separation(self) -> Separation:
        """How the classes keep apart, over all images: those of the outputs, or those that were published."""
        if self.published is not None:
            return self.published.separation
        assert self.features is not None
        return separations.measures(self.features, self.labels)


def space(run: Run, which: Which, images: Literal["test", "train"] = "test") -> Space | None:
    """The run's space at its last epoch, or at the first that reached the matched accuracy (None if none did).

    A published run has the test images alone; ValueError when others are asked for.
    """
    if run.published is None:
        taken = run.snapshot(which, images)
        return None if taken is None else Space(taken.epoch, taken.labels, features=taken.features)
    if images != "test":
        raise ValueError(f"{run.path} was published with its test images alone, and images is {images!r}; use 'test'.")
    found = run.published[which]
    if found is None:
        return None
    tensors, _ = read_tensors(run.path / "map.safetensors", "published map")
    chosen = run.published["map"]
    points = tensors[f"{which}_points"].double().numpy()
    known = Published(points, Separation(**found["separation"]), chosen["perplexity"])
    return Space(found["epoch"], tensors["labels"].numpy(), published=known)


def class_distances(run: HasOutputs, which: Which) -> ClassDistances | None:
    """Where the classes lie in the test images' space; None if there is no such snapshot."""
    if run.published is not None:
        found = run.published[which]
        return None if found is None else Separation(**found["separation"])
    taken = run.snapshot(which)
    return None if taken is None else separations.class_distances(taken.features, taken.labels)


def class_means(run: Run, which: Which) -> np.ndarray | None:
    """Mean feature of each class over the test images, K x D (rounded to fp16 in publications); None without them.

    Of a bystander nothing of the kind is published.
    """
    if run.published is not None:
        if run.published[which] is None:
            return None
        kept: np.ndarray = (
            read_tensors(run.path / "map.safetensors", "published map")[0][f"{which}_means"].float().numpy()
        )
        return kept
    taken = run.snapshot(which)
    if taken is None:
        return None
    return np.stack([taken.features[taken.labels == k].mean(0) for k in np.unique(taken.labels)])


def row_distances(run: Run, teacher: Run) -> np.ndarray:
    """``||w_t,k - w_s,k||`` after every epoch, E x K: the root of a row's sum of squares is raw mu."""
    if run.published is not None:
        kept: np.ndarray = read_tensors(run.path / "map.safetensors", "published map")[0]["row_distances"].numpy()
        return kept
    taught = teacher.weights()["classifier.weight"].numpy()
    return np.asarray(np.linalg.norm(run.trace()[0] - taught, axis=2), np.float32)


def test_images(run: HasOutputs) -> int | None:
    """How many test images accuracies and measures are of; None where neither outputs nor a publication tell."""
    if run.published is not None:
        return int(run.published["test_images"])
    taken = run.snapshot("final")
    return None if taken is None else len(taken.labels)
