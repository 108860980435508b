"""Where images lie in a network's feature space: from what a run keeps, or as it was published."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from kdnb.analysis import separation as separations
from kdnb.analysis.separation import ClassDistances, Map, Separation
from kdnb.runs import PublishedRun, Run, Snapshot
from kdnb.runs.contents import Images, Which

WHICH: tuple[Which, ...] = ("matched", "final")  # in the order of training


@dataclass(frozen=True)
class Space(ABC):
    """A network's feature space at one epoch: labels N of the images in it, or on its published map."""

    epoch: int
    labels: np.ndarray

    @property
    @abstractmethod
    def distances(self) -> ClassDistances:
        """Where the classes lie in it, over all images."""

    @property
    @abstractmethod
    def separation(self) -> Separation:
        """How the classes keep apart, over all images."""


@dataclass(frozen=True)
class FeatureSpace(Space):
    """A space whose ``features`` (N x D) are there."""

    features: np.ndarray = field(repr=False)

    @cached_property
    def separation(self) -> Separation:
        return separations.measures(self.features, self.labels)

    @property
    def distances(self) -> ClassDistances:
        return separations.class_distances(self.features, self.labels)


@dataclass(frozen=True)
class PublishedSpace(Space):
    """A space as it was published with ``folder``: its map (N x 2, of :class:`kdnb.analysis.separation.Atlas`)."""

    points: Map = field(repr=False)
    perplexity: float
    measures: Mapping[str, float]
    folder: Path

    @property
    def separation(self) -> Separation:
        return Separation(**self.measures)

    distances = separation


def final(run: Run, images: Images = "test") -> Snapshot:
    """Outputs of a full run's last epoch; FileNotFoundError where they are gone."""
    taken = run.snapshot("final", images)
    if taken is None:
        raise FileNotFoundError(
            f"{run.path} has lost features-final.safetensors; put it back, or move the folder away and train it anew."
        )
    return taken


def refuse_other_images(every: Sequence[Run]) -> None:
    """ValueError when two runs' test or clean images differ: their features cannot be compared image by image."""
    first = every[0]
    for name in ("data_checksum", "clean_images"):
        if other := next((run for run in every if getattr(run.spec, name) != getattr(first.spec, name)), None):
            raise ValueError(
                f"{first.path} and {other.path} are of other images ({name}: {getattr(first.spec, name)} and "
                f"{getattr(other.spec, name)}); only networks of the same images can be compared."
            )


def refuse_few_images(count: int, perplexity: float) -> None:
    """ValueError where a t-SNE map at ``perplexity``, which no parameter changes, takes more than ``count`` images."""
    if count <= perplexity:
        raise ValueError(
            f"the runs have {count} test images, and a t-SNE map at perplexity {perplexity:g} takes more than "
            f"{perplexity:g}: train with a limit above that, or with none."
        )


def space(run: Run, which: Which, images: Images = "test") -> Space | None:
    """The run's space at its last epoch, or at the first that reached the matched accuracy (None if none did).

    A published run has the test images alone; ValueError when others are asked for.
    """
    if isinstance(run, PublishedRun):
        known, folder = run.publication(which, images), run.path.parent
        if known is None:
            return None
        return PublishedSpace(known.epoch, known.labels, known.points, known.perplexity, known.measures, folder)
    taken = run.snapshot(which, images)
    return None if taken is None else FeatureSpace(taken.epoch, taken.labels, taken.features)


def class_distances(run: Run, which: Which) -> ClassDistances | None:
    """Where the classes lie in the test images' space; None if there is no such snapshot."""
    found = space(run, which)
    return None if found is None else found.distances


def maps(networks: Mapping[str, Space], reference: str, perplexity: float, count: int) -> dict[str, Map]:
    """t-SNE maps of the first ``count`` images at most, all started from that of ``reference``.

    Of published runs the maps that were published; ValueError when others are asked for, or full runs lie among them.
    """
    published = {name: space for name, space in networks.items() if isinstance(space, PublishedSpace)}
    if published and (full := [name for name in networks if name not in published]):
        folder = next(iter(published.values())).folder
        raise ValueError(
            f"{folder} holds full runs ({', '.join(full)}) beside published ones ({', '.join(published)}), which have "
            "a map of their own: move either to another folder, or name the others alone in methods."
        )
    for known in published.values():
        if known.perplexity != perplexity:
            raise ValueError(
                f"perplexity is {perplexity:g}, but {known.folder} was published with {known.perplexity:g}; other "
                "maps need the full runs."
            )
    if published:
        return {name: known.points[:count] for name, known in published.items()}
    features = {name: space.features[:count] for name, space in networks.items() if isinstance(space, FeatureSpace)}
    return separations.tsne_maps(features, reference, perplexity)
