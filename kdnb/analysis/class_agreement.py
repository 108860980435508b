"""How alike students and teachers order the distances of their classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from kdnb.analysis import over_seeds, spaces, stats
from kdnb.analysis import separation as separations
from kdnb.analysis.over_seeds import Values
from kdnb.analysis.separation import Map
from kdnb.analysis.study import Study
from kdnb.files import read_tensors
from kdnb.runs import Run

SEPARATION = {
    "ratio": "between / within",
    "knn_accuracy": "kNN accuracy",
    "silhouette": "silhouette",
    "class_similarity": "cosine of class means",
}


def how_to(study: Study) -> str:
    """What to do where a comparison is not there."""
    spec = study.students[0].spec
    return (
        f"For {spec.dataset}, {spec.model}, no comparison of full runs is published: "
        f"`python -m kdnb compare --profile {study.folder.name}` makes it, from full runs."
    )


def class_gaps(run: Run) -> Map | None:
    """Distance of each pair of class means in per cent of the mean feature length, last epoch; None without it."""
    means, known = run.class_means("final"), spaces.class_distances(run, "final")
    return None if means is None or known is None else 100 * separations.gaps(means) / known.norm


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of class distances with the teacher's.

    students  at the last epoch by side ("own", "bystander": whose distances), then by label and seed
    floors    of the pixels ("pixels") and of networks before training ("untrained"); empty without comparisons
    """

    students: Mapping[str, Values]
    floors: Mapping[str, float]


def agreement(study: Study) -> Agreement:
    """How alike students and teachers order the distances of their classes; ``own`` empty without a teacher's run."""
    spec, found = study.students[0].spec, study.comparison("classes.safetensors")
    kept = {name: gaps.numpy() for name, gaps in read_tensors(found)[0].items()} if found else {}
    means = study.teacher.class_means("final") if study.teacher else None
    sides = {"own": None if means is None else separations.gaps(means)}
    sides["bystander"] = kept.get(spec.bystander["checksum"]) if spec.bystander else None
    there = {side: gaps for side, gaps in sides.items() if gaps is not None}
    students = {side: over_seeds.collect(study, partial(_rank, gaps=gaps)) for side, gaps in there.items()}
    floors = {}
    for kind, start in {"pixels": "pixels", "untrained": f"untrained-{spec.model}-s"}.items():
        known = [gaps for name, gaps in kept.items() if name.startswith(start)]
        if known and "own" in there:
            floors[kind] = float(np.mean([stats.rank_correlation(gaps, there["own"]) for gaps in known]))
    return Agreement(students, floors)


def beyond_the_bystander(found: Agreement) -> Values:
    """Rank correlation with the teacher's distances less that with the bystander's, last epoch, by label and seed."""
    return over_seeds.less(*(found.students.get(side, {}) for side in ("own", "bystander")))


def _rank(run: Run, gaps: Map) -> float | None:
    means = run.class_means("final")
    return None if means is None else stats.rank_correlation(separations.gaps(means), gaps)


def separation(study: Study) -> dict[str, Values]:
    """The measures of SEPARATION of every run that reached the matched accuracy, by measure, label and seed."""
    return {name: over_seeds.collect(study, partial(_separation, name=name)) for name in SEPARATION}


def _separation(run: Run, name: str) -> float | None:
    space = spaces.space(run, "matched")
    return None if space is None else float(getattr(space.separation, name))
