"""What a frozen classifier costs beside KD, and how many of the teacher's answers the nearest logits keep."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kdnb.analysis import design, representability
from kdnb.analysis.design import Cell
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.study import Study
from kdnb.runs import Run

WIDTHS = ("digits-d8", "digits-d16")  # pairs that differ in nothing but how many features they have
FILE = Path(representability.FILE).name
COLUMNS = ["study", "name", "method", "seed", "points", "residual", "missed", "features", "classes"]


def with_widths(chosen: StudiesParameters) -> dict[str, Study]:
    """The chosen studies, and those of WIDTHS whose students of that kind are published beside them."""
    return chosen.studies() | chosen.present(WIDTHS)


def reached(studies: Mapping[str, Study]) -> pd.DataFrame:
    """A row a student of KD with a frozen classifier: COLUMNS, of which ``points`` are accuracy beside KD of its seed,
    and ``missed`` the share of images whose nearest logits within reach name another class than the teacher's. (Other
    features may name the teacher's class all the same: what is out of reach is its logits.)
    """
    tables = [_reached(study).assign(study=name) for name, study in studies.items() if study.comparison(FILE)]
    return pd.concat(tables)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)


def _reached(study: Study) -> pd.DataFrame:
    told = marks(study).assign(missed=lambda table: 1 - table["agreement"])
    level = _level(study)
    accuracies = [
        {"name": run.path.name, "points": 100 * (run.last("test_accuracy") - level[run.spec.init_seed])}
        for run in _frozen(study)
    ]
    return told.merge(pd.DataFrame(accuracies, columns=["name", "points"]), on="name")


def apart(found: pd.DataFrame, lost: float) -> dict[str, Estimate]:
    """By study, the points of students that lose the class on less than ``lost`` of images, less those of the others.

    A value a seed, within one study and of those methods alone that all its seeds have; studies with both kinds.
    """
    gaps = {}
    for study, part in found.groupby("study", sort=False):
        seeds = part.groupby("method")["seed"].transform("nunique")
        every = part[seeds == part["seed"].nunique()]
        means = every.groupby(["seed", every["missed"] < lost])["points"].mean().unstack()
        if means.shape[1] == 2:
            gaps[str(study)] = estimate(means[True] - means[False])
    return gaps


def uncomputed(study: Study) -> int:
    """How many students of :func:`reached`'s kind have no row, since what is within their reach was not computed."""
    return sum(run.path.name not in set(marks(study)["name"]) for run in _frozen(study))


def _level(study: Study) -> Mapping[int, float]:
    return design.cells(study.every).get(("answers", "own"), Cell({})).by_seed


def _frozen(study: Study) -> list[Run]:
    """Students of KD with a frozen classifier that have a KD of their seed."""
    level, every = _level(study), filter(representability.is_frozen, study.every)
    return [run for run in every if run.spec.init_seed in level and run.spec.method_parameters.get("alpha")]


def marks(study: Study) -> pd.DataFrame:
    """What was computed of a study's frozen classifiers, a row a student; no rows where nothing was."""
    place = study.comparison(FILE)
    return pd.read_parquet(place) if place else pd.DataFrame(columns=["name"])
