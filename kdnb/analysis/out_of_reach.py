"""What a frozen classifier costs beside KD, and how many of the teacher's answers the nearest logits keep."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kdnb.analysis import design, representability
from kdnb.analysis.design import Cell
from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.study import Study

WIDTHS = ("digits-d8", "digits-d16")  # pairs that differ in nothing but how many features they have
FILE = representability.FILE.split("/")[-1]
COLUMNS = ["study", "name", "method", "seed", "points", "residual", "missed", "features", "classes"]


def with_widths(chosen: StudiesParameters) -> dict[str, Study]:
    """The chosen studies, and those of WIDTHS whose students of that kind are published beside them."""
    return chosen.studies() | chosen.present(WIDTHS)


def reached(studies: Mapping[str, Study]) -> pd.DataFrame:
    """A row a student of KD with a frozen classifier: COLUMNS, of which ``points`` are accuracy beside KD of its seed,
    and ``missed`` the share of images whose nearest logits within reach name another class than the teacher's. (Other
    features may name the teacher's class all the same: what is out of reach is its logits.)
    """
    places = {name: place for name, study in studies.items() if (place := study.comparison(FILE))}
    tables = [_reached(studies[name], place).assign(study=name) for name, place in places.items()]
    return pd.concat(tables)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)


def _reached(study: Study, place: Path) -> pd.DataFrame:
    level = design.cells(study.every).get(("answers", "own"), Cell({})).by_seed
    runs = [run for run in study.every if run.spec.init_seed in level and run.spec.method_parameters.get("alpha")]
    accuracies = [
        {"name": run.path.name, "points": 100 * (run.last("test_accuracy") - level[run.spec.init_seed])} for run in runs
    ]
    told = pd.read_parquet(place).assign(missed=lambda table: 1 - table["agreement"])
    return told.merge(pd.DataFrame(accuracies, columns=["name", "points"]), on="name")
