"""What of a map comes back: maps of the same features from several starts, and what they have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from kdnb.analysis import separation, stats
from kdnb.analysis.comparisons import TEACHERS_MAP
from kdnb.analysis.separation import Map
from kdnb.analysis.study import Study
from kdnb.files import read_tensors
from kdnb.runs import Run

KEPT = {"neighbours": "neighbours shared", "classes": "class distances, ρ"}


@dataclass(frozen=True)
class OneMap:
    """One map: of which network, at which perplexity, started where; its points N x 2."""

    network: str
    perplexity: int
    start: str
    points: Map
    labels: np.ndarray

    @cached_property
    def neighbours(self) -> np.ndarray:
        """The nearest others of each point, N x 10."""
        return separation.nearest(self.points)

    @cached_property
    def gaps(self) -> Map:
        """Distances of the classes' means."""
        return separation.class_gaps(self.points, self.labels)


@dataclass(frozen=True)
class Space:
    """The feature space that maps were made of: nearest others N x 10, distances of the classes' means."""

    neighbours: np.ndarray
    gaps: Map


@dataclass(frozen=True)
class Atlas:
    """Maps of a study (:func:`kdnb.analysis.comparisons.maps`), the spaces they are of by network, and its students."""

    maps: list[OneMap]
    spaces: Mapping[str, Space]
    students: Sequence[Run]

    @property
    def random(self) -> list[OneMap]:
        """The maps that were started at random."""
        return [one for one in self.maps if one.start != TEACHERS_MAP]


def load(study: Study) -> Atlas | None:
    """The maps of the study's students and their teacher; None where none of these students were mapped.

    Which were mapped is fixed (`kdnb.analysis.comparisons.MAPPED`): those of another weight decay are not the study's.
    """
    file = study.comparison("maps.safetensors")
    if file is None:
        return None
    tensors, told = read_tensors(file, "maps")
    about: Any = told["networks"]
    students = {run.label: run for run in study.shown if about.get(run.label, {}).get("run") == run.spec.name}
    if not students:
        return None
    networks = [name for name in about if name in students or name == "teacher"]
    labels = tensors["labels"].numpy()
    names = [name.split("/") for name in tensors if name.count("/") == 2 and name.split("/")[0] in networks]
    drawn = [
        OneMap(network, int(perplexity), start, tensors[f"{network}/{perplexity}/{start}"].double().numpy(), labels)
        for network, perplexity, start in names
    ]
    ordered = sorted(drawn, key=lambda one: (one.perplexity, one.start != TEACHERS_MAP, one.start))
    spaces = {
        name: Space(tensors[f"{name}/neighbours"].numpy(), separation.gaps(tensors[f"{name}/means"]))
        for name in networks
    }
    return Atlas(ordered, spaces, list(students.values()))


def kept(atlas: Atlas) -> pd.DataFrame:
    """What two maps of one network share, or a map and the feature space: columns pair ("random", "features"),
    perplexity, neighbours (share of the 10 nearest that is in both) and classes (rank correlation of class distances).

    Maps from random starts alone: a common start is a help that a lone map does not have.
    """
    rows = []
    for one, other in combinations(atlas.random, 2):
        if (one.network, one.perplexity) == (other.network, other.perplexity):
            rows.append(("random", one.perplexity, *_shared(one, other)))
    rows += [("features", one.perplexity, *_shared(one, atlas.spaces[one.network])) for one in atlas.random]
    return pd.DataFrame(rows, columns=["pair", "perplexity", *KEPT])


def _shared(one: OneMap, other: OneMap | Space) -> tuple[float, float]:
    return separation.shared(one.neighbours, other.neighbours), stats.rank_correlation(one.gaps, other.gaps)


def recognised(atlas: Atlas) -> dict[str, int]:
    """How many of the maps from random starts share most with the feature space of their own network, by KEPT."""
    count = dict.fromkeys(KEPT, 0)
    for one in atlas.random:
        found = {name: _shared(one, space) for name, space in atlas.spaces.items()}
        for place, kind in enumerate(KEPT):
            count[kind] += max(found, key=lambda name: found[name][place]) == one.network
    return count
