"""What of a map comes back: maps of the same features from several starts, and what they have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
class Layout:
    """Who is near whom on a map or in a feature space: nearest others N x 10; distances of the classes' means."""

    neighbours: np.ndarray
    gaps: Map


@dataclass(frozen=True)
class RandomMap(Layout):
    """One map that was started at random: of which network, at which perplexity."""

    network: str
    perplexity: int


@dataclass(frozen=True)
class Redrawn:
    """A study's maps from random starts (:func:`kdnb.analysis.comparisons.maps`), the feature spaces that they are of
    by network, and its students among these.
    """

    maps: Sequence[RandomMap]
    spaces: Mapping[str, Layout]
    students: Sequence[Run]


def load(study: Study) -> Redrawn | None:
    """The maps of the study's students and their teacher; None where none of these students were mapped.

    Which were mapped is fixed (`kdnb.analysis.comparisons.MAPPED`): those of another weight decay are not the study's.
    Random starts alone: a common start is a help that a lone map does not have.
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
    labels, maps = tensors["labels"].numpy(), []
    for name in sorted(name for name in tensors if name.count("/") == 2):
        network, perplexity, start = name.split("/")
        if network in networks and start != TEACHERS_MAP:
            points = tensors[name].double().numpy()
            gaps = separation.class_gaps(points, labels)
            maps.append(RandomMap(separation.nearest(points), gaps, network, int(perplexity)))
    spaces = {
        name: Layout(tensors[f"{name}/neighbours"].numpy(), separation.gaps(tensors[f"{name}/means"]))
        for name in networks
    }
    return Redrawn(maps, spaces, list(students.values()))


def kept(found: Redrawn) -> pd.DataFrame:
    """What two maps of one network share, or a map and the feature space: columns pair ("random", "features"),
    perplexity, neighbours (share of the 10 nearest that is in both) and classes (rank correlation of class distances).
    """
    rows = [
        ("random", one.perplexity, *_shared(one, other))
        for one, other in combinations(found.maps, 2)
        if (one.network, one.perplexity) == (other.network, other.perplexity)
    ]
    rows += [("features", one.perplexity, *_shared(one, found.spaces[one.network])) for one in found.maps]
    return pd.DataFrame(rows, columns=["pair", "perplexity", *KEPT])


def _shared(one: Layout, other: Layout) -> tuple[float, float]:
    return separation.shared(one.neighbours, other.neighbours), stats.rank_correlation(one.gaps, other.gaps)


def recognised(found: Redrawn) -> dict[str, int]:
    """How many of the maps share most with the feature space of their own network, by KEPT."""
    count = dict.fromkeys(KEPT, 0)
    for one in found.maps:
        shared = {name: _shared(one, space) for name, space in found.spaces.items()}
        for place, kind in enumerate(KEPT):
            count[kind] += max(shared, key=lambda name: shared[name][place]) == one.network
    return count
